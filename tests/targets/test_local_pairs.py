"""What a new version answers to copies beside what users got: labels, numbers, failures, and pairs that lack one."""

import asyncio
import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as some

from core.domain.sample import Sample
from core.targets.local.http import Connection
from core.targets.local.pairs import KEEP_S, Compared, Half, Pairs, alike
from core.targets.protocol import Address
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, Watcher, ask, two_slots, watching, where
from tests.targets.test_local_healing import running


def page(*answers: tuple[str, int, Any], labelled: bool = True) -> dict[str, Any]:
    """What a replica says that it answered."""
    return {"labelled": labelled, "answers": list(answers)}


def compared(live: tuple[int, Any], new: tuple[int, Any], *, labelled: bool = True) -> Compared:
    """What comes of one pair."""
    pairs = Pairs()
    pairs.take(page(("a", *live), labelled=labelled), 0.0, copies=False)
    pairs.take(page(("a", *new), labelled=labelled), 0.0, copies=True)
    return pairs.taken()


@pytest.mark.parametrize(
    ("live", "new", "same"),
    [
        ((200, ["yes"]), (200, ["yes"]), True),
        ((200, ["yes"]), (200, ["no"]), False),
        ((200, ["yes", "no"]), (200, ["yes"]), False),
        ((200, [1]), (200, [1]), True),
        ((200, [100]), (200, [101]), False),
        ((200, [1]), (200, [True]), False),
        ((200, [0.0]), (200, [0]), True),
        ((200, [100.0]), (200, [100.9]), True),
        ((200, [100.0]), (200, [102.0]), False),
        ((200, [1.0]), (200, ["1.0"]), False),
        ((200, [None]), (200, [1.0]), False),
        ((200, [{"a": 1.0, "b": "x"}]), (200, [{"a": 1.001, "b": "x"}]), True),
        ((200, [{"a": 1.0}]), (200, [{"b": 1.0}]), False),
        ((200, ["yes"]), (422, None), False),
        ((422, None), (422, None), True),
    ],
)
def test_what_is_the_same_answer(live: tuple[int, Any], new: tuple[int, Any], same: bool) -> None:
    assert alike(Half(*live), Half(*new)) is same
    found = compared(live, new)
    assert (found.compared, found.differing) == (1, 0 if same else 1)


@pytest.mark.parametrize("status", [401, 429, 503])
def test_what_says_nothing_of_a_version_is_compared_with_nothing(status: int) -> None:
    assert compared((200, ["yes"]), (status, None)) == Compared()
    assert compared((status, None), (200, ["yes"])) == Compared()
    # Nor is a live version's own failure the new one's fault; the other way round it is.
    assert compared((500, None), (200, ["yes"])) == Compared()
    assert compared((200, ["yes"]), (500, None)) == Compared(1, 1, "an answer → 500")


@pytest.mark.parametrize(
    ("live", "new", "labelled", "said"),
    [
        ((200, ["yes", "a"]), (200, ["yes", "b"]), True, "a → b"),
        ((200, [True]), (200, [False]), True, "true → false"),
        ((200, ["a\nb" + "x" * 100]), (200, ["c"]), True, f"a b{'x' * 36}"),
        ((200, ["Jane Doe"]), (200, ["John Doe"]), False, "another answer"),
        ((200, [1.23456]), (200, [3.0]), False, "1.235 → 3"),
        ((200, [{"name": "Jane"}]), (200, [{"name": "John"}]), False, "another answer"),
        ((200, ["a"]), (200, ["a", "b"]), True, "1 answers → 2"),
        ((200, ["a"]), (422, None), True, "an answer → 422"),
    ],
)
def test_an_example_shows_labels_and_numbers_and_no_other_text(
    live: tuple[int, Any], new: tuple[int, Any], labelled: bool, said: str
) -> None:
    assert compared(live, new, labelled=labelled).example.startswith(said)


def test_a_half_whose_other_one_does_not_come_is_dropped_and_counts_nowhere() -> None:
    pairs = Pairs()
    pairs.take(page(("a", 200, ["yes"]), ("b", 200, ["yes"])), 0.0, copies=False)
    pairs.take(page(("b", 200, ["yes"])), KEEP_S, copies=True)
    pairs.take(page(), KEEP_S + 0.1, copies=True)
    pairs.take(page(("a", 200, ["no"])), KEEP_S + 0.2, copies=True)
    assert pairs.taken() == Compared(1, 0)
    assert pairs.taken() == Compared()


HALVES = some.lists(some.tuples(some.integers(0, 9), some.booleans(), some.sampled_from(["yes", "no"])), max_size=40)


@given(HALVES)
def test_whatever_comes_in_whatever_order_each_pair_counts_once(halves: list[tuple[int, bool, str]]) -> None:
    first = {(mark, copy): label for mark, copy, label in reversed(halves)}
    pairs = Pairs()
    for (mark, copy), label in first.items():
        pairs.take(page((str(mark), 200, [label])), 0.0, copies=copy)
    both = [mark for mark in range(10) if {(mark, True), (mark, False)} <= first.keys()]
    differing = sum(first[mark, True] != first[mark, False] for mark in both)
    found = pairs.taken()
    assert (found.compared, found.differing) == (len(both), differing)


# Replicas that serve real models


def threshold(folder: Path, above: float) -> Path:
    """A model that answers yes above a number; it is sure of it."""
    folder.mkdir(parents=True)
    about = {
        "format": 1, "task": "classification", "algorithm": "Linear", "fields": [{"name": "x", "type": "number"}],
        "target": "late", "file": "linear.json", "labels": ["no", "yes"], "example": {"x": 1.0},
    }  # fmt: skip
    column = {"number": [10.0], "missing": [0.0]}
    (folder / "model.json").write_text(json.dumps(about))
    (folder / "linear.json").write_text(json.dumps({"intercepts": [-10 * above], "columns": [column]}))
    return folder


def _sum(watcher: Watcher, slot: str) -> Sample:
    found = [one for one in watcher.reports if isinstance(one, Sample) and one.slot == slot]
    return sum(found, Sample(slot, 0.0, seconds=0.0))


async def _user(address: Address, bodies: Iterator[bytes], answers: list[int]) -> None:
    line = await Connection.open(where(address))
    try:
        while True:
            answer = await line.ask("/predict", {}, "POST", next(bodies))
            answers.append(answer.status)
            await asyncio.sleep(0.002)
    finally:
        line.close()


async def test_pairs_are_compared_and_a_silent_change_is_seen(endpoints: Endpoints) -> None:
    endpoints.models = {
        ONE.number: threshold(endpoints.folder / "one", 4.5),
        TWO.number: threshold(endpoints.folder / "two", 5.5),
    }
    target = endpoints.target(service="scoring")
    answers: list[int] = []
    bodies = cycle([json.dumps({"data": [[x]]}).encode() for x in range(10)])
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=2)
        address = await target.address()
        await target.route({"blue": 100}, mirror={"green": 50})
        users = [asyncio.create_task(_user(address, bodies, answers)) for _ in range(4)]
        try:
            await watcher.until(lambda: _sum(watcher, "green").compared >= 300)
            said = await watcher.noted("green answers otherwise than the live version")
            # Its host dies: what it had not yet compared is lost, and nothing else.
            before = _sum(watcher, "green").compared
            running(target, "host")[0].kill()
            await watcher.until(lambda: _sum(watcher, "green").compared >= before + 300)
            # Nobody from outside sees what is kept.
            assert (await ask(address, "/pairs"))[0] == 404
        finally:
            for user in users:
                user.cancel()
            await asyncio.gather(*users, return_exceptions=True)
    assert set(answers) == {200}
    green, blue = _sum(watcher, "green"), _sum(watcher, "blue")
    # Of ten numbers one lies between the two.
    assert 0.03 < green.differing / green.compared < 0.25
    assert (blue.compared, blue.differing) == (0, 0)
    assert said.text.endswith("such as yes → no")
