"""Slots that somebody deleted where they stood: what callers lose by that, and what to do."""

import pytest

from core.domain.model import Observation, OtherDriver, Slot, Version
from core.state import events as ev
from core.state.fold import fold_all
from core.state.gone import gone_slots
from core.state.snapshot import Snapshot
from tests.environments import V1, V2, V3, canary_plan

NOW = 1000.0
URI = "'quarterdeck release --model-uri models:/late/2' brings it back"
BEGAN: tuple[ev.Body, ...] = (
    ev.Began("r2", "late", "", canary_plan()),
    ev.Chose("r2", V2),
    ev.Placed("r2", "green", "blue", V1),
)
ENDED = ev.Ended("r2", ev.Outcome.DONE, "")


def seen(slot: Slot, version: Version | None, weight: float = 0.0) -> ev.Observed:
    return ev.Observed(
        "late", Observation(slot, version, 1, 1, weight) if version else Observation(slot, None, 0, 0, 0.0)
    )


def after(*bodies: ev.Body) -> Snapshot:
    """A release of v2 in green, with v1 kept in blue; and then these."""
    first = (*BEGAN, seen("blue", V1), seen("green", V2, 100.0), ev.Routed("late", {"green": 100.0}))
    return fold_all(ev.Event(number, 1.0, "watch", body) for number, body in enumerate((*first, *bodies), 1))


ELSEWHERE = OtherDriver("a driver on vm", 1.0, "r9", {"blue": 100.0}, "r2")
GREEN, BLUE = seen("green", None), seen("blue", None)
KEPT, DUE = ev.RetireDue("late", "blue", NOW + 60), ev.RetireDue("late", "blue", NOW - 1)


@pytest.mark.parametrize(
    ("bodies", "texts"),
    [
        ((ENDED, KEPT), []),
        ((ENDED, KEPT, GREEN), ["green with v2 was deleted where it stood: nobody answers all requests"]),
        ((ENDED, KEPT, BLUE), ["blue with v1, kept for the way back, was deleted where it stood"]),
        (
            (ENDED, KEPT, BLUE, GREEN),
            [
                "green with v2 was deleted where it stood: nobody answers all requests",
                "blue with v1, kept for the way back, was deleted where it stood",
            ],
        ),
        ((ENDED, ev.Routed("late", {"blue": 10.0, "green": 90.0}), BLUE),
         ["blue with v1 was deleted where it stood: nobody answers 10 % of the requests"]),
        # Another machine moved the traffic, and then took a slot away.
        ((ENDED, KEPT, ev.OtherDrove("late", ELSEWHERE), GREEN), []),
        ((ENDED, ev.OtherDrove("late", ELSEWHERE), BLUE),
         ["blue with v1 was deleted where it stood: nobody answers all requests"]),
        # What was kept is not what went: somebody else had deployed there.
        ((ENDED, KEPT, seen("blue", V3), BLUE), []),
        # It goes by itself, was never kept, or a release has it in its hands; and after `down` nothing is expected.
        ((ENDED, DUE, BLUE), []),
        ((ENDED, BLUE), []),
        ((KEPT, GREEN), []),
        ((ENDED, KEPT, GREEN, BLUE, ev.Routed("late", {})), []),
    ],
)  # fmt: skip
def test_what_should_be_there_and_is_not_was_deleted(bodies: tuple[ev.Body, ...], texts: list[str]) -> None:
    snapshot = after(*bodies)
    assert [one.text for one in gone_slots(snapshot, snapshot.endpoint("late"), NOW)] == texts


def test_what_to_do_is_to_go_back_or_to_release_again() -> None:
    snapshot = after(ENDED, KEPT, BLUE, GREEN)
    serving, kept = gone_slots(snapshot, snapshot.endpoint("late"), NOW)
    assert serving.todo == f"'quarterdeck rollback' goes to v1; {URI}"
    assert kept.todo == "a rollback starts it again first, which takes its time"
    back = after(ENDED, ev.TurnedBack("r2", ev.Outcome.ROLLED_BACK, ""), ev.Routed("late", {"blue": 100.0}), BLUE,
                 ev.Ended("r2", ev.Outcome.ROLLED_BACK, ""))  # fmt: skip
    (only,) = gone_slots(back, back.endpoint("late"), NOW)
    assert only.todo == "'quarterdeck release --model-uri models:/late/1' brings it back"


def test_who_has_just_looked_knows_better_than_the_watch() -> None:
    snapshot = after(ENDED, KEPT)
    assert [one.slot for one in gone_slots(snapshot, snapshot.endpoint("late"), NOW, {"blue"})] == ["green"]
    gone = after(ENDED, KEPT, GREEN)
    assert gone_slots(gone, gone.endpoint("late"), NOW, {"blue", "green"}) == []
