"""What may be asked when, and the one line that says why not."""

from collections.abc import Callable

import pytest

from core.domain.errors import Refused
from core.domain.model import LoadSource, Sample
from core.domain.plan import Deploy, Hold, Plan, Shift, all_at_once
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.release import ReleaseState
from core.state.reversal import rollback_of
from core.state.snapshot import Snapshot
from tests.environments import STEADY, V1, V2, begin, canary_plan, rollout
from tests.world import World, serving


def nothing() -> World:
    return World()


def under_way() -> World:
    world = serving()
    world.do(begin(V2, Plan("canary", (Deploy(2), Shift(10), Hold(600.0, ()), Shift(100)))))
    world.run(lambda r: r.index == 2 and r.current is not None and r.current.status == "running")
    return world


def turning() -> World:
    world = under_way()
    world.do(c.Rollback("late"))
    return world


def taken_back() -> World:
    world = turning()
    world.run()
    return world


def done() -> World:
    world = serving()
    world.do(begin(V2, canary_plan()))
    world.run()
    return world


def failed_work() -> World:
    world = World(fail={"train": "no"})
    world.do(begin(None, all_at_once(("train",), rollout())))
    world.run()
    return world


def no_traffic() -> World:
    world = serving()
    world.do(begin(V2, canary_plan()))
    world.run(lambda r: r.index == 1)
    world.do(c.Rollback("late"))
    world.run()
    return world


def another_in_its_slot() -> World:
    world = taken_back()
    world.hold("green", version=V1)
    world.see()
    return world


def undone_late() -> World:
    world = taken_back()
    world.now += 61
    return world


def slot_gone() -> World:
    world = taken_back()
    world.place.pop("green")
    world.see()
    return world


def loaded() -> World:
    world = serving()
    world.do(c.StartLoad("late", STEADY))
    return world


def attached() -> World:
    world = serving()
    world.do(c.StartLoad("late", STEADY, LoadSource(attach="http://127.0.0.1:8089")))
    world.say(ev.Sampled("late", Sample(None, world.now, ok=9, users=7)))
    return world


@pytest.mark.parametrize(
    ("scene", "command", "why"),
    [
        (nothing, c.Next("late"), "late: no release yet; begin one"),
        (nothing, c.Pause("late"), "no release yet"),
        (nothing, c.Rollback("late"), "nothing was released here"),
        (nothing, c.Undo("late"), "there is no rollback to take back"),
        (nothing, c.StartLoad("late", STEADY), "nothing is served yet"),
        (nothing, c.SetLoad("late", change=1), "no load is running"),
        (under_way, begin(V2, canary_plan()), "r2 is under way, begun by ada; follow it"),
        (under_way, c.Answer("late", True), "no question is open"),
        (under_way, c.Undo("late"), "there is no rollback to take back"),
        (turning, c.Rollback("late"), "r2 is on its way back already"),
        (turning, c.Abort("late"), "r2 is on its way back already"),
        (turning, c.Next("late"), "on its way back; wait for it"),
        (turning, c.Undo("late"), "still under way; wait until it is verified"),
        (taken_back, c.Rollback("late"), "r2 was taken back already (rolled back)"),
        (taken_back, c.Pause("late"), "r2 has ended (rolled back)"),
        (taken_back, c.Next("late"), "has ended; nothing comes next"),
        (taken_back, begin(V2, canary_plan()), "r2: there is such a release already"),
        (undone_late, c.Undo("late"), "more than 60 s old"),
        (slot_gone, c.Undo("late"), "green is gone; begin a release instead"),
        (another_in_its_slot, c.Undo("late"), "green is gone; begin a release instead"),
        (no_traffic, c.Undo("late"), "r2 had no traffic; there is nothing to take back"),
        (done, c.Undo("late"), "there is no rollback to take back"),
        (done, c.Next("late"), "has ended"),
        (serving, c.Rollback("late"), "nothing served before r1; there is no way back"),
        (failed_work, c.Rollback("late"), "r never got a slot; nothing to take back"),
        (loaded, c.StartLoad("late", STEADY), "manual load is running; change its users"),
        (loaded, c.SetLoad("late", users=-1), "-1 users: there can't be fewer than 0"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_refusal_says_why(scene: Callable[[], World], command: c.Command, why: str) -> None:
    world = scene()
    before = world.snapshot
    with pytest.raises(Refused) as caught:
        world.do(command)
    assert why in str(caught.value)
    assert world.snapshot is before


@pytest.mark.parametrize(
    ("scene", "command", "facts"),
    [
        (under_way, c.Rollback("late", 5.0), (ev.TurnedBack("r2", ev.Outcome.ROLLED_BACK, "rolled back", 5.0),)),
        (under_way, c.Abort("late"), (ev.TurnedBack("r2", ev.Outcome.ABORTED, "aborted"),)),
        (under_way, c.Next("late"), (ev.Waved("r2", 2),)),
        (under_way, c.Pause("late"), (ev.Paused("r2"),)),
        (under_way, c.Pause("late", True), (ev.Resumed("r2", True),)),
        (done, c.Rollback("late"), (ev.TurnedBack("r2", ev.Outcome.ROLLED_BACK, "rolled back"),)),
        (taken_back, c.Undo("late", 5.0), (ev.TurnedForward("r2", 5.0),)),
        (failed_work, c.Next("late"), (ev.Retried("r"),)),
        (serving, c.Tail("late", "blue-1", 0), (ev.Tailed("late", "blue-1", None),)),
        (loaded, c.SetLoad("late", change=-10), (ev.LoadWanted("late", 0),)),
        (attached, c.SetLoad("late", change=10), (ev.LoadWanted("late", 17),)),
        (loaded, c.SetLoad("late", spawn_rate=2.0), (ev.LoadWanted("late", None, 2.0),)),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_what_is_taken_becomes_facts(
    scene: Callable[[], World], command: c.Command, facts: tuple[ev.Body, ...]
) -> None:
    world = scene()
    assert accept(command, world.snapshot, world.now) == facts


def test_n_resumes_what_is_paused_and_answers_what_is_asked() -> None:
    world = under_way()
    world.do(c.Pause("late"))
    assert accept(c.Next("late"), world.snapshot, world.now) == (ev.Resumed("r2", False),)
    world.say(ev.Asked("r2", 2, "go on?", world.now + 60))
    assert accept(c.Next("late"), world.snapshot, world.now) == (ev.Answered("r2", 2, True),)


def test_n_is_refused_while_a_stage_is_busy() -> None:
    world = serving()
    world.deaf.add("ready green")
    world.do(begin(V2, canary_plan()))
    world.run(lambda r: r.current is not None and r.current.asked)
    with pytest.raises(Refused, match="r2 is busy"):
        world.do(c.Next("late"))


def test_a_log_is_followed_for_a_while() -> None:
    assert accept(c.Tail("late", "blue", 60), Snapshot(), 5.0) == (ev.Tailed("late", "blue", 65.0),)


def test_r_after_an_abort_takes_back_the_one_that_serves() -> None:
    world = done()
    world.do(begin(V1, Plan("x", (Deploy(2), Shift(10), Hold(600.0, ()))), release="r3"))
    world.run(lambda r: r.index == 2 and r.current is not None and r.current.status == "running")
    world.do(c.Abort("late"))
    world.run()
    taken = rollback_of(world.snapshot, "late")
    assert taken is not None
    assert (taken.id, taken.state) == ("r2", ReleaseState.ENDED)
