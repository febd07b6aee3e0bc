"""Replicas as lines: two or a thousand of them, the worst first, and how many do what."""

import time
from collections.abc import Sequence

import pytest

from core.domain.model import Observation, Replica, ReplicaState, Version
from core.state import events as ev
from tests.tui import cluster_scenes, scenes
from tests.tui.cluster_scenes import BEGUN
from tests.tui.conftest import OpenDeck, shown
from tests.tui.replay import FakeLink
from tui.styled import Line
from tui.widgets.replicas import groups, lines_of_counts, table, trouble, worst_first
from tui.widgets.traffic import TrafficPane

NOW = 1000.0
CRASHES, LACKS = (
    "CrashLoopBackOff: it ended with Error, exit code 1",
    "no node takes it: cpu is lacking on 3 of 3 nodes",
)


def pod(number: int, state: ReplicaState = ReplicaState.READY, why: str = "", restarts: int = 0) -> Replica:
    name = f"late-blue-6d9fb6656b-{number:05}"
    return Replica(name, state, 30.0, 180.0, restarts, why, f"node-{number % 3}", NOW - 60 * number)


def slot(replicas: Sequence[Replica], wanted: int | None = None, why: str = "") -> Observation:
    ready = sum(one.state is ReplicaState.READY for one in replicas)
    return Observation("blue", Version("late", "6"), wanted or len(replicas), ready, 100.0, tuple(replicas), why=why)


def thousand() -> Observation:
    """Of a thousand most are well."""
    ill = [pod(n, ReplicaState.BACKOFF, CRASHES, n) for n in (17, 400, 980)]
    late = [pod(n, ReplicaState.PENDING, LACKS) for n in range(600, 630)]
    named = {one.name for one in (*ill, *late)}
    well = [one for one in map(pod, range(1000)) if one.name not in named]
    return slot([*well[:500], *ill, *well[500:], *late])


def plain(lines: Sequence[Line]) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def rows(seen: Observation, width: int = 100, height: int = 20, under: str = "") -> list[str]:
    found = worst_first([seen])
    counted = lines_of_counts(found, height)
    return plain(table(found, (width, height), under, NOW, heard=True, counted=counted))


def test_two_that_are_well_are_a_head_and_two_lines() -> None:
    assert rows(slot([pod(1), pod(2)])) == [
        "  replica                    state         cpu     memory  restarts     age    node",
        "  late-blue-6d9fb6656b-00001 ● ready       30m     180 MB         0    60 s  node-1",
        "  late-blue-6d9fb6656b-00002 ● ready       30m     180 MB         0   2 min  node-2",
    ]


def test_of_a_thousand_the_worst_come_first_and_each_kind_is_counted() -> None:
    said = rows(thousand())
    assert said[:3] == [
        f"‖     3 backoff  {CRASHES}",
        f"◇    30 pending  {LACKS}",
        "●   967 ready",
    ]
    assert [line.split()[2] for line in said[4:8]] == ["backoff", "backoff", "backoff", "pending"]
    assert len(said) == 20


def test_the_lines_around_the_cursor_are_shown() -> None:
    last = worst_first([thousand()])[-1].replica.name
    said = rows(thousand(), under=last)
    assert said[-1].startswith("▸ …")
    assert said[-1].split()[1].endswith(last[-12:])
    assert len(said) == 20


@pytest.mark.parametrize("width", [40, 60, 76, 100, 116, 196])
def test_figures_leave_as_a_whole_and_what_is_wrong_is_said(width: int) -> None:
    seen = slot([pod(1, ReplicaState.PENDING, LACKS), pod(2)])
    said = rows(seen, width)
    assert all(len(line) <= width for line in said)
    assert said[0].startswith("◇     1 pending  no node takes it")
    assert all(name.split()[0].endswith(("00001", "00002")) for name in said[3:])


def test_reasons_that_differ_in_figures_are_one_kind() -> None:
    found = worst_first([slot([pod(n, ReplicaState.BACKOFF, f"exit code 1, again in {n} s") for n in (4, 8, 2)])])
    (kind,) = groups(found)
    assert (kind.count, kind.why) == (3, "exit code 1, again in 4 s")


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (slot([pod(1), pod(2)]), ""),
        (slot([pod(1), pod(2, ReplicaState.STARTING)]), ""),
        (slot([pod(1), pod(2, ReplicaState.PENDING, LACKS)]), f"blue 1 of 2 ready: {LACKS}"),
        (slot([pod(1), pod(2)], 4, "quota late: pods 2 of 2 used"), "blue 2 of 4 ready: quota late: pods 2 of 2 used"),
    ],
)
def test_why_a_slot_has_fewer_than_it_should_is_a_line(seen: Observation, said: str) -> None:
    assert trouble(seen) == said


def test_a_thousand_are_drawn_for_the_price_of_a_screen() -> None:
    seen = thousand()
    found = worst_first([seen])
    begun = time.process_time()
    for _ in range(20):
        table(found, (100, 20), "", NOW, heard=True, counted=3)
    few = time.process_time() - begun
    begun = time.process_time()
    for _ in range(20):
        table(found, (100, 1000), "", NOW, heard=True, counted=3)
    assert few < (time.process_time() - begun) / 4


async def test_the_cursor_stays_with_its_replica_when_others_come_before_it(open_deck: OpenDeck) -> None:
    events = cluster_scenes.at("scaling", 100)
    link = FakeLink(events)
    async with open_deck(link, BEGUN + 101) as (app, pilot):
        await pilot.press("4", "m", "down", "down")
        await shown(app, pilot)
        pane = app.deck.query_one(TrafficPane)
        under = pane.chosen()
        assert under is not None
        seen = app.snapshot.endpoint("late").slots["blue"]
        ill = tuple(Replica(f"late-blue-{n}", ReplicaState.BACKOFF, why=CRASHES) for n in range(5))
        more = Observation("blue", seen.version, 20, seen.ready, 100.0, (*ill, *seen.replicas))
        await link.tell(*scenes.then(events, ev.Observed("late", more), at=BEGUN + 101)[-1:])
        await pilot.pause()
        await shown(app, pilot)
        assert pane.chosen() == under
        assert f"▸ {under.name}" in pane.plain
        assert pane.replicas()[0].name == "late-blue-0"
