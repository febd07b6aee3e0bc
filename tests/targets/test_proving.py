"""Answers prove weights, and until they do the last proof stands."""

import threading
from collections.abc import Iterator, Mapping
from itertools import cycle

import pytest

from core.domain.errors import Unreachable
from core.domain.model import Observation, Slot, Version
from core.targets.proving import ProvedWeights, prove


def _proved(answers: Iterator[str], *served: str) -> int:
    return prove(lambda: next(answers), served, most=300, within_s=60)


def test_twenty_answers_in_a_row_prove_a_share_and_each_side_must_have_answered() -> None:
    assert _proved(iter(["v1"] * 5 + ["v2"] + ["v1"] * 40), "v1") == 20
    assert _proved(cycle(["v1"] * 9 + ["v2"]), "v1", "v2") == 20
    with pytest.raises(Unreachable, match="none came from v2"):
        _proved(cycle(["v1"]), "v1", "v2")
    with pytest.raises(Unreachable, match="v2 still answers"):
        _proved(cycle(["v1", "v2"]), "v1")


def test_what_nobody_wants_to_know_any_more_is_not_proved() -> None:
    with pytest.raises(Unreachable, match="nobody answers"):
        prove(lambda: "v1", {"v1"}, lambda: False, most=300, within_s=60)


def test_callers_on_connections_that_they_keep_speak_against_a_proof() -> None:
    rests = iter([False, False, True])
    assert prove(lambda: "v1", {"v1"}, most=300, within_s=60, at_rest=lambda: next(rests)) == 20
    with pytest.raises(Unreachable, match="connections that they keep"):
        prove(lambda: "v1", {"v1"}, most=300, within_s=60, at_rest=lambda: False)


def _slots(**weights: float) -> dict[Slot, Observation]:
    return {slot: Observation(slot, Version("late", "1"), 1, 1, weight) for slot, weight in weights.items()}


def _seen(slots: Mapping[Slot, Observation]) -> dict[Slot, tuple[float, int, str]]:
    return {slot: (one.weight, one.proved_by, one.why) for slot, one in slots.items()}


@pytest.fixture
def told() -> threading.Event:
    return threading.Event()


@pytest.fixture
def weights(told: threading.Event) -> Iterator[ProvedWeights]:
    one = ProvedWeights(told.set, "a proof", 0.01)
    one.start()
    yield one
    one.close()


def test_the_last_proof_stands_until_the_next(weights: ProvedWeights, told: threading.Event) -> None:
    before = _slots(blue=100.0, green=0.0)
    assert _seen(weights.applied(before, 1, None)) == {"blue": (100.0, 0, ""), "green": (0.0, 0, "")}
    weights.applied(before, 1, lambda _: 20)
    assert told.wait(60)
    assert _seen(weights.applied(before, 1, None)) == {"blue": (100.0, 20, ""), "green": (0.0, 0, "")}

    after, answers = _slots(blue=0.0, green=100.0), threading.Event()

    def look(_: object) -> int:
        if not answers.is_set():
            raise Unreachable("v1 still answers")
        return 21

    told.clear()
    weights.applied(after, 2, look)
    assert told.wait(60)
    said = weights.applied(after, 2, look)
    assert _seen(said) == {"blue": (100.0, 0, ""), "green": (0.0, 0, "v1 still answers")}
    told.clear()
    answers.set()
    assert told.wait(60)
    assert _seen(weights.applied(after, 2, look)) == {"blue": (0.0, 0, ""), "green": (100.0, 21, "")}


def test_no_traffic_needs_no_answer(weights: ProvedWeights, told: threading.Event) -> None:
    def look(_: object) -> int:
        raise AssertionError("nobody is to be asked")

    weights.applied(_slots(blue=0.0), 1, look)
    assert told.wait(60)
    assert _seen(weights.applied(_slots(blue=0.0), 1, look)) == {"blue": (0.0, 0, "")}
