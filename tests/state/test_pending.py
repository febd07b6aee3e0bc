"""What was promised and is not done: kept until it is, whoever asked for it."""

import pytest

from core.domain.model import Observation, Version
from core.domain.plan import Plan, Shift, Work
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.endpoint import Pending
from core.state.events import PendingKind as Kind
from core.state.fold import fold, fold_all
from core.state.reversal import rollback_of
from core.state.snapshot import Snapshot
from tests.environments import V1, V2, begin, canary_plan
from tests.state.test_commands import taken_back, turning, under_way
from tests.world import World, serving

PLAN = Plan("x", (Work("alias"), Shift(100)))


def told(*bodies: ev.Body) -> Snapshot:
    """These facts, after a release began."""
    began = ev.Began("r", "late", "dev", PLAN)
    return fold_all(ev.Event(n, float(n), "ada", body) for n, body in enumerate((began, *bodies), 1))


def pended(kind: Kind, why: str = "no", slot: str | None = None, **more: object) -> ev.Pended:
    return ev.Pended("late", kind, why, 9.0, slot, release="r", **more)  # type: ignore[arg-type]


ALIASES = pended(Kind.ALIASES, back=True)
REPORT = pended(Kind.REPORT)
REMOVAL = pended(Kind.REMOVAL, slot="green")
REPLICAS = pended(Kind.REPLICAS, slot="blue", replicas=4)
SIZE = ev.Pended("late", Kind.SIZE, "no", 9.0, "blue", 4)


@pytest.mark.parametrize(
    ("left", "what"),
    [
        (ALIASES, "aliases back"),
        (pended(Kind.ALIASES), "aliases forward"),
        (REPORT, "report of r"),
        (REMOVAL, "removal of green"),
        (REPLICAS, "4 replicas of blue"),
        (SIZE, "blue at 4 replicas"),
    ],
)
def test_what_is_left_is_kept_with_its_reason_and_counted(left: ev.Pended, what: str) -> None:
    (one,) = told(left, left).endpoint("late").pending
    assert (one.what, one.why, one.since, one.tries, one.again_at) == (what, "no", 2.0, 2, 9.0)


@pytest.mark.parametrize(
    ("left", "done"),
    [
        (ALIASES, ev.Aliased("r", True)),
        (ALIASES, ev.StepDone("r", 0)),
        (REPORT, ev.Reported("r", "/runs/r")),
        (REMOVAL, ev.Removed("late", "green")),
        (REMOVAL, ev.Removed("late", "green", "r")),
        (REMOVAL, ev.Placed("r", "green", None, None)),
        (REMOVAL, ev.Routed("late", {"green": 10.0, "blue": 90.0})),
        (REMOVAL, ev.Routed("late", {"green": 1.0, "blue": 99.0})),
        (REMOVAL, ev.Observed("late", Observation("green", None, 0, 0, 0.0))),
        (REPLICAS, ev.Applied("r", "blue")),
        (REPLICAS, ev.Removed("late", "blue")),
        (SIZE, ev.Resized("late", "blue", 4)),
        (SIZE, ev.Resized("late", "blue", 4, "it says no")),
        (SIZE, ev.Removed("late", "blue")),
    ],
)
def test_what_has_come_true_is_pending_no_more(left: ev.Pended, done: ev.Body) -> None:
    assert told(left, done).endpoint("late").pending == ()


@pytest.mark.parametrize(
    ("left", "other"),
    [
        (ALIASES, ev.StepDone("r", 1)),
        (ALIASES, ev.StepDone("r", len(PLAN.steps))),
        (REPORT, ev.Reported("r2", "/runs/r2")),
        (REMOVAL, ev.Removed("late", "blue")),
        (REMOVAL, ev.Routed("late", {"green": 0.0, "blue": 100.0})),
        (REMOVAL, ev.Observed("late", Observation("green", V1, 1, 1, 0.0))),
        (REPLICAS, ev.Applied("r", "green")),
        (SIZE, ev.Resized("late", "green", 4)),
        (SIZE, ev.Applied("r", "blue")),
        # Somebody asked for another size since.
        (SIZE, ev.Resized("late", "blue", 3)),
    ],
)
def test_what_has_not_stays(left: ev.Pended, other: ev.Body) -> None:
    before = told(left)
    after = fold(before, ev.Event(9, 9.0, "ada", other))
    assert after.endpoint("late").pending is before.endpoint("late").pending


def test_aliases_point_one_way_at_a_time() -> None:
    (one,) = told(ALIASES, pended(Kind.ALIASES)).endpoint("late").pending
    assert (one.back, one.tries) == (False, 1)


def test_the_same_reason_is_said_once_and_another_anew() -> None:
    log = told(REPORT, REPORT, pended(Kind.REPORT, "full"), pended(Kind.REPLICAS, "", "blue")).log
    assert [line.text for line in log if line.source != "release"] == [
        "no report: no; tried again",
        "no report: full; tried again",
    ]


@pytest.mark.parametrize(
    ("kind", "flag"), [(Kind.ALIASES, "aliased"), (Kind.REMOVAL, "dropped"), (Kind.REPLICAS, "resized")]
)
def test_a_way_back_goes_on_without_what_stays_pending(kind: Kind, flag: str) -> None:
    world = turning()
    assert not getattr(world.release.way, flag)
    world.say(ev.Pended("late", kind, "no", 9.0, "green", back=True, release="r2"))
    assert getattr(world.release.way, flag)
    world.say(ev.Pended("late", Kind.REPORT, "no", 9.0, release="r2"))
    world.die()
    assert getattr(world.release.way, flag) is (kind is not Kind.REPLICAS)


def test_a_report_that_fails_after_the_end_says_nothing_about_the_way() -> None:
    world = taken_back()
    way = world.release.way
    world.say(ev.Pended("late", Kind.ALIASES, "no", 9.0, release="r2", back=True))
    assert world.release.way == way
    assert isinstance(world.endpoint.pending[0], Pending)


def test_aliases_that_went_the_other_way_are_not_what_a_way_waits_for() -> None:
    world = taken_back()
    world.do(c.Undo("late"))
    for other in (ev.Pended("late", Kind.ALIASES, "no", 9.0, back=True, release="r2"), ev.Aliased("r2", True)):
        world.say(other)
        assert world.release.way is not None
        assert not world.release.way.aliased
    world.say(ev.Aliased("r2", False))
    assert world.release.way is not None
    assert world.release.way.aliased


def test_a_way_back_leaves_no_size_that_somebody_asked_for_before_it() -> None:
    world = under_way()
    world.do(c.ScaleSlot("late", 5, "blue"))
    assert [one.what for one in world.endpoint.pending] == ["blue at 5 replicas"]
    world.do(c.Rollback("late"))
    assert world.endpoint.pending == ()


# What is newest


def test_the_newest_release_is_the_journals_last_whatever_a_clock_said() -> None:
    world = serving()
    world.do(begin(V2, canary_plan()))
    world.now -= 7200
    world.run()
    assert world.release.id == "r2"
    taken = rollback_of(world.snapshot, "late")
    assert taken is not None
    assert taken.id == "r2"


def test_what_a_rollback_takes_back_is_the_one_that_ended_last() -> None:
    world = serving()
    world.do(begin(V2, canary_plan()))
    world.run()
    world.now -= 7200
    world.do(begin(V1, canary_plan(), release="r3"))
    world.run()
    world.do(begin(V2, Plan("y", (Work("train"),)), release="r4"))
    world.fail["train"] = "no"
    world.run()
    taken = rollback_of(world.snapshot, "late")
    assert taken is not None
    assert taken.id == "r3"


# Who drives


@pytest.mark.parametrize("command", [c.Rollback("late"), c.Abort("late"), c.Next("late")])
def test_a_release_on_its_way_back_that_nobody_drives_goes_on_for_whoever_asks(command: c.Command) -> None:
    world = turning()
    assert accept(command, world.snapshot, world.now, driven=False) == ()


def test_a_way_forward_that_nobody_drives_goes_on_too() -> None:
    world = taken_back()
    world.do(c.Undo("late"))
    assert accept(c.Undo("late"), world.snapshot, world.now, driven=False) == ()
    (turned,) = accept(c.Rollback("late"), world.snapshot, world.now, driven=False)
    assert isinstance(turned, ev.TurnedBack)


@pytest.mark.parametrize("command", [c.Rollback("late"), c.Abort("late")])
def test_without_a_driver_a_release_that_goes_on_turns_as_ever(command: c.Command) -> None:
    world: World = under_way()
    assert len(accept(command, world.snapshot, world.now, driven=False)) == 1


@pytest.mark.parametrize(("version", "left"), [(V1, 0), (V2, 1)])
def test_what_was_to_go_goes_no_more_once_another_version_stands_there(version: Version, left: int) -> None:
    seen = [ev.Observed("late", Observation("green", one, 1, 1, 0.0)) for one in (V2, version)]
    assert len(told(seen[0], REMOVAL, seen[1]).endpoint("late").pending) == left
