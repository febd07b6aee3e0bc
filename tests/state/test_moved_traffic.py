"""Traffic that somebody else moved while nothing was under way: where it goes, since when, and what brings it back."""

from collections.abc import Mapping

import pytest

from core.domain.errors import Refused
from core.domain.model import OtherDriver, Slot, Version
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.moved_traffic import UNPROVED_S, moved_traffic
from core.state.snapshot import Snapshot
from tests.environments import V2, canary_plan
from tests.state.moved_scenes import AT, ENDED, after, both, seen, sent

V3 = Version("late", "3", "run3", "models:/late/3", "d3")
BACK: tuple[ev.Body, ...] = (
    ev.TurnedBack("r2", ev.Outcome.ROLLED_BACK, "rolled back"),
    ev.Ended("r2", ev.Outcome.ROLLED_BACK, ""),
)


def moved(snapshot: Snapshot, now: float = AT, shown: Mapping[Slot, float] | None = None) -> Mapping[Slot, float]:
    """Where it goes; nothing where it was not moved."""
    found = moved_traffic(snapshot, snapshot.endpoint("late"), now, shown)
    return {} if found is None else found.weights


@pytest.mark.parametrize(
    ("bodies", "goes"),
    [
        ((ENDED,), {}),
        ((ENDED, *both(50, 50)), {"blue": 50.0, "green": 50.0}),
        ((ENDED, *both(100, 0)), {"blue": 100.0}),
        # It was moved back by whoever moved it, or by a release of ours that has it in its hands.
        ((ENDED, *both(50, 50), *both(0, 100)), {}),
        ((ENDED, *both(50, 50), ev.Began("r3", "late", "prod", canary_plan())), {}),
        (both(50, 50), {}),
        # Another machine's driver sent it there, which is told in its own words.
        ((ENDED, ev.OtherDrove("late", OtherDriver("a driver on vm", 1.0, "r9", {"blue": 50.0, "green": 50.0})),
          *both(50, 50)), {}),
        # What was asked for and was never proved has not been moved away.
        ((ENDED, ev.Routed("late", {"blue": 100.0}), *both(50, 50)), {}),
    ],
)  # fmt: skip
def test_traffic_was_moved_where_it_is_seen_elsewhere_than_it_was_proved(
    bodies: tuple[ev.Body, ...], goes: Mapping[Slot, float]
) -> None:
    assert moved(after(*bodies)) == goes


def test_it_says_since_when_and_what_brings_it_back() -> None:
    snapshot = after(ENDED, *both(50, 50))
    found = moved_traffic(snapshot, snapshot.endpoint("late"), AT + 9)
    assert found is not None
    assert (found.since, found.sent) == (AT + 1, {"green": 100.0})
    assert found.todo == "'quarterdeck rollback --env prod' sends all of it to v1"
    alone = after(ENDED, *both(100, 0))
    whole = moved_traffic(alone, alone.endpoint("late"), AT + 9)
    assert whole is not None
    assert whole.todo == f"{found.todo}, 'quarterdeck rollback --to 2 --env prod' to v2 again"


def test_a_rollback_brings_it_back_also_where_one_was_made_before() -> None:
    back = after(ENDED, *BACK[:1], *sent({"blue": 100.0}), *BACK[1:])
    with pytest.raises(Refused, match="was taken back already"):
        accept(c.Rollback("late"), back, AT)
    away = after(ENDED, *BACK[:1], *sent({"blue": 100.0}), *BACK[1:], *both(0, 100))
    (turned,) = accept(c.Rollback("late"), away, AT)
    assert isinstance(turned, ev.TurnedBack)
    assert (turned.release, turned.outcome) == ("r2", ev.Outcome.ROLLED_BACK)
    found = moved_traffic(away, away.endpoint("late"), AT + 60)
    assert found is not None
    assert found.todo == "'quarterdeck rollback --env prod' sends all of it to v1 again"


def test_a_rollback_takes_back_what_another_machine_does_though_one_was_made_here_before() -> None:
    back = (ENDED, *BACK[:1], *sent({"blue": 100.0}), *BACK[1:])
    splits = ev.OtherDrove("late", OtherDriver("a driver on vm", 1.0, "r9", {"blue": 50.0, "green": 50.0}))
    (turned,) = accept(c.Rollback("late"), after(*back, splits, *both(50, 50)), AT)
    assert getattr(turned, "release", "") == "r2"
    for bodies in ((splits, *both(100, 0)), (splits, seen("blue", V3, 50), seen("green", V2, 50))):
        with pytest.raises(Refused, match="was taken back already"):
            accept(c.Rollback("late"), after(*back, *bodies), AT)


def test_a_release_that_failed_before_it_is_what_a_rollback_takes_back() -> None:
    """Its way led to what should serve; the release before it would lead further back."""
    failed = (
        ENDED,
        ev.Began("r3", "late", "prod", canary_plan()),
        ev.Chose("r3", V3),
        ev.Placed("r3", "blue", "green", V2),
        seen("blue", V3),
        ev.Ended("r3", ev.Outcome.FAILED, "a gate failed"),
    )
    (turned,) = accept(c.Rollback("late"), after(*failed), AT)
    assert getattr(turned, "release", "") == "r2"
    (turned,) = accept(c.Rollback("late"), after(*failed, seen("blue", V3, 50), seen("green", V2, 50)), AT)
    assert getattr(turned, "release", "") == "r3"


def test_no_release_begins_in_a_slot_that_was_given_traffic() -> None:
    begin = c.Begin("late", "r3", "prod", canary_plan())
    with pytest.raises(
        Refused, match=r"moved from elsewhere \(blue 50 %, green 50 %\).* call 'quarterdeck rollback --"
    ):
        accept(begin, after(ENDED, *both(50, 50)), AT)
    for fine in (after(ENDED), after(ENDED, *both(100, 0)), after(ENDED, *both(50, 50), *both(0, 100))):
        assert accept(begin, fine, AT)


def test_who_has_just_looked_knows_better_than_the_watch() -> None:
    assert moved(after(ENDED), shown={"blue": 30.0, "green": 70.0}) == {"blue": 30.0, "green": 70.0}
    assert moved(after(ENDED, *both(50, 50)), shown={"green": 100.0}) == {}
    assert moved(after(ENDED), shown={}) == {}


def test_what_no_answer_proves_for_a_while_is_proved_no_more() -> None:
    unproved = after(ENDED, seen("green", V2, 100, 0, "no answer proves it: 502"))
    endpoint = unproved.endpoint("late")
    assert moved_traffic(unproved, endpoint, AT + UNPROVED_S) is None
    found = moved_traffic(unproved, endpoint, AT + 1 + UNPROVED_S)
    assert found is not None
    assert (found.unproved, found.since) == ("no answer proves it: 502", AT + 1)
    assert moved(after(ENDED, seen("green", V2, 100, 0), seen("green", V2, 100)), AT + 100) == {}


def test_shares_that_a_place_can_not_keep_exactly_were_not_moved() -> None:
    near = after(ENDED, *both(0.005, 99.995))
    assert moved(near) == {}
    assert moved(after(ENDED, *both(3, 97))) == {"blue": 3.0, "green": 97.0}
