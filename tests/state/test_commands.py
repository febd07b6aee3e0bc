"""What may be asked when, and the one line that says why not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from core.domain.errors import Refused
from core.domain.gates import Gate
from core.domain.load_profile import LoadSource
from core.domain.plan import Deploy, Hold, Plan, Shift, Work
from core.domain.sample import Sample
from core.domain.strategies import all_at_once
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.release import ReleaseState
from core.state.reversal import rollback_of
from core.state.snapshot import Snapshot
from tests.environments import STEADY, V1, V2, V3, begin, canary_plan, rollout
from tests.world import World, serving


def nothing() -> World:
    return World()


def opened() -> World:
    world = World()
    world.say(ev.Opened("late", "http://x"))
    return world


def of_an_unknown() -> World:
    """Something served before, and nobody knows which version."""
    world = opened()
    world.do(begin(V2, Plan("x", (Shift(100),))))
    world.say(ev.Placed("r2", "green", "blue", None), ev.Ended("r2", ev.Outcome.DONE))
    return world


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


def undone_in_time() -> World:
    """At the last moment at which it can be."""
    world = taken_back()
    world.now = (world.release.ended_at or 0.0) + 60
    return world


def coming_back() -> World:
    world = taken_back()
    world.do(c.Undo("late"))
    return world


def failed_with_traffic() -> World:
    world = serving()
    world.do(begin(V2, Plan("x", (Deploy(2), Shift(10), Work("later")))))
    world.fail["later"] = "no"
    world.run()
    return world


def at_its_end() -> World:
    world = serving()
    world.do(begin(V2, Plan("x", (Work("train"),))))
    world.run(lambda r: r.index == 1)
    return world


def stepping() -> World:
    """Paused, and on its way step by step."""
    world = serving()
    world.do(begin(V2, Plan("canary", (Deploy(2), Shift(10), Hold(600.0, ()))), step_by_step=True))
    world.do(c.Pause("late"))
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


def attached_and_asked() -> World:
    world = attached()
    world.do(c.SetLoad("late", users=20))
    return world


def attached_to_silence() -> World:
    world = serving()
    world.do(c.StartLoad("late", STEADY, LoadSource(attach="http://l")))
    return world


def attached_to_nobody() -> World:
    world = attached_to_silence()
    world.say(ev.Sampled("late", Sample(None, world.now, ok=0)))
    return world


LOCUST = LoadSource(attach="http://l")
LIMIT = Gate("failed_percent", "<", 1.0)
UNDER_WAY = (
    "late: r2 is under way, begun by ada; "
    "follow it with 'quarterdeck --env dev', or end it with 'quarterdeck abort --env dev'"
)
NO_WAY = "there is no way back, 'quarterdeck down --env dev' stops it"
TAKEN_BACK = (
    "r2 was taken back already (rolled back); to go further back, name it: "
    "'quarterdeck rollback --to VERSION --env dev'"
)
NO_RELEASE = "late: no release yet; begin one with 'quarterdeck release'"


@pytest.mark.parametrize(
    ("scene", "command", "why"),
    [
        (nothing, c.Next("late"), NO_RELEASE),
        (nothing, c.Pause("late"), NO_RELEASE),
        (nothing, c.Answer("late", True), NO_RELEASE),
        (nothing, c.Abort("late"), NO_RELEASE),
        (nothing, c.Rollback("late"), "nothing was released here; there is no way back"),
        (opened, c.Rollback("late"), "nothing was released here; there is no way back"),
        (opened, c.Undo("late"), "there is no rollback to take back"),
        (
            of_an_unknown,
            c.Rollback("late"),
            f"nothing served before r2; {NO_WAY}",
        ),
        (nothing, c.Undo("late"), "there is no rollback to take back"),
        (nothing, c.StartLoad("late", STEADY), "late: nothing is served yet; run a release first"),
        (nothing, c.SetLoad("late", change=1), "late: no load is running"),
        (serving, c.SetLoad("late", change=1), "late: no load is running"),
        (
            under_way,
            begin(V2, canary_plan()),
            UNDER_WAY,
        ),
        (
            serving,
            replace(begin(V2, canary_plan()), target="kubernetes demo/late"),
            (
                "late serves from fake, and these settings name kubernetes demo/late; "
                "name the former again, or call 'quarterdeck down --env dev' first, while the settings still name "
                "that place"
            ),
        ),
        (under_way, c.Answer("late", True), "r2: no question is open"),
        (under_way, c.Undo("late"), "there is no rollback to take back"),
        (turning, c.Rollback("late"), "r2 is on its way back already"),
        (turning, c.Answer("late", True), "r2: no question is open; it is on its way back"),
        (turning, c.Abort("late"), "late: r2 is on its way back already"),
        (turning, c.Next("late"), "r2 is on its way back; wait for it"),
        (turning, c.Undo("late"), "the rollback is still under way; wait until it is verified"),
        (taken_back, c.Rollback("late"), TAKEN_BACK),
        (taken_back, c.Pause("late"), "late: r2 has ended (rolled back)"),
        (taken_back, c.Answer("late", True), "r2: no question is open; it ended: rolled back"),
        (taken_back, c.Next("late"), "r2 has ended; nothing comes next"),
        (taken_back, begin(V2, canary_plan()), "r2: there is such a release already; call again"),
        (undone_late, c.Undo("late"), "the rollback is more than 60 s old; begin a release instead"),
        (slot_gone, c.Undo("late"), "green is gone; begin a release instead"),
        (another_in_its_slot, c.Undo("late"), "green is gone; begin a release instead"),
        (no_traffic, c.Undo("late"), "r2 had no traffic; there is nothing to take back"),
        (done, c.Undo("late"), "there is no rollback to take back"),
        (done, c.Next("late"), "r2 has ended; nothing comes next"),
        (coming_back, c.Undo("late"), "the rollback is being taken back already"),
        (failed_with_traffic, c.Undo("late"), "the last thing that happened was no rollback"),
        (at_its_end, c.Next("late"), "r2 is at its end"),
        (serving, c.Rollback("late"), f"nothing served before r1; {NO_WAY}"),
        (failed_work, c.Rollback("late"), "r never got a slot; nothing to take back"),
        (loaded, c.StartLoad("late", STEADY), "late: manual load is running; change its users"),
        (loaded, c.SetLoad("late", users=-1), "-1 users: there can't be fewer than 0"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_refusal_says_why(scene: Callable[[], World], command: c.Command, why: str) -> None:
    world = scene()
    before = world.snapshot
    with pytest.raises(Refused) as caught:
        world.do(command)
    assert str(caught.value) == why
    assert world.snapshot is before


@pytest.mark.parametrize(
    ("scene", "command", "facts"),
    [
        (under_way, c.Rollback("late", 5.0), (ev.TurnedBack("r2", ev.Outcome.ROLLED_BACK, "rolled back", 5.0),)),
        (under_way, c.Abort("late", 5.0), (ev.TurnedBack("r2", ev.Outcome.ABORTED, "aborted", 5.0),)),
        (under_way, c.Abort("late"), (ev.TurnedBack("r2", ev.Outcome.ABORTED, "aborted"),)),
        (under_way, c.Next("late"), (ev.Waved("r2", 2),)),
        (under_way, c.Pause("late"), (ev.Paused("r2"),)),
        (under_way, c.Pause("late", True), (ev.Resumed("r2", True),)),
        (done, c.Rollback("late"), (ev.TurnedBack("r2", ev.Outcome.ROLLED_BACK, "rolled back"),)),
        (undone_in_time, c.Undo("late"), (ev.TurnedForward("r2"),)),
        (stepping, c.Pause("late"), (ev.Resumed("r2", True),)),
        (stepping, c.Next("late"), (ev.Resumed("r2", True),)),
        (taken_back, c.Undo("late", 5.0), (ev.TurnedForward("r2", 5.0),)),
        (failed_work, c.Next("late"), (ev.Retried("r"),)),
        (serving, c.Tail("late", "blue-1", 0), (ev.Tailed("late", "blue-1", None),)),
        (
            serving,
            c.StartLoad("late", STEADY, LOCUST, (LIMIT,), True, "bob"),
            (
                ev.LoadStarted(
                    "late", "manual", STEADY, "http://l", "", LoadSource(attach="http://l"), (LIMIT,), "bob", True
                ),
            ),
        ),
        (loaded, c.SetLoad("late", paused=True), (ev.LoadWanted("late", paused=True),)),
        (loaded, c.SetLoad("late", reset=True), (ev.LoadWanted("late", reset=True),)),
        (loaded, c.SetLoad("late", stop=True), (ev.LoadWanted("late", stop=True),)),
        (loaded, c.SetLoad("late", users=0), (ev.LoadWanted("late", 0),)),
        (loaded, c.SetLoad("late", change=2), (ev.LoadWanted("late", 7),)),
        (attached_and_asked, c.SetLoad("late", change=2), (ev.LoadWanted("late", 22),)),
        (attached_to_silence, c.SetLoad("late", change=2), (ev.LoadWanted("late", 7),)),
        (attached_to_nobody, c.SetLoad("late", change=2), (ev.LoadWanted("late", 2),)),
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


@pytest.mark.parametrize("step_by_step", [True, False])
def test_how_a_paused_release_will_go_on_can_be_said_while_it_stays(step_by_step: bool) -> None:
    world = under_way()
    world.do(c.Pause("late"))
    world.do(c.Pause("late", step_by_step=step_by_step))
    release = world.snapshot.releases["r2"]
    assert (release.paused, release.step_by_step) == (True, step_by_step)
    world.do(c.Pause("late"))
    release = world.snapshot.releases["r2"]
    assert (release.paused, release.step_by_step) == (False, step_by_step)


def test_n_is_refused_while_a_stage_is_busy() -> None:
    world = serving()
    world.deaf.add("ready green")
    world.do(begin(V2, canary_plan()))
    world.run(lambda r: r.current is not None and r.current.asked)
    with pytest.raises(Refused, match=r"^r2 is busy; it goes on by itself when this stage is done$"):
        world.do(c.Next("late"))


def test_a_release_begins_as_it_was_asked_for() -> None:
    plan = Plan("x", (Work("train"),))
    command = c.Begin("late", "r", "prod", plan, True, "kubernetes", True, True, 5.0, {"rows": 9}, V1)
    began = ev.Began("r", "late", "prod", plan, True, "kubernetes", True, True, 5.0, {"rows": 9})
    assert accept(command, Snapshot(), 1.0) == (began, ev.Chose("r", V1))


def test_what_is_driven_is_refused_to_who_asks_for_it_again() -> None:
    world = coming_back()
    with pytest.raises(Refused):
        accept(c.Undo("late"), world.snapshot, world.now, driven=True)


def test_a_log_is_followed_for_a_while() -> None:
    assert accept(c.Tail("late", "blue", 0.5), Snapshot(), 5.0) == (ev.Tailed("late", "blue", 5.5),)
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


def test_r_goes_no_further_back_though_something_failed_since_the_rollback() -> None:
    """Who wants to be sure must not bring up what served long ago: that has a name of its own."""
    world = done()
    world.do(c.Rollback("late"))
    world.run()
    world.do(begin(V3, Plan("x", (Deploy(2), Shift(10), Hold(600.0, ()))), release="r3"))
    world.run(lambda r: r.index == 2 and r.current is not None and r.current.status == "running")
    world.do(c.Abort("late"))
    world.run()
    taken = rollback_of(world.snapshot, "late")
    assert taken is not None
    assert taken.id == "r2"
    with pytest.raises(
        Refused, match=r"r2 was taken back already.*name it: 'quarterdeck rollback --to VERSION --env dev'"
    ):
        accept(c.Rollback("late"), world.snapshot, world.now)


# Reasons


@pytest.mark.parametrize(
    ("scene", "command"),
    [
        (under_way, c.Rollback("late", reason="too\nslow")),
        (under_way, c.Abort("late", reason="too slow")),
        (under_way, c.Next("late", reason="too slow")),
        (under_way, c.Pause("late", reason="too slow")),
        (taken_back, c.Undo("late", reason="too slow")),
        (failed_work, c.Next("late", reason="too slow")),
    ],
)
def test_what_comes_of_a_command_carries_its_reason(scene: Callable[[], World], command: c.Command) -> None:
    world = scene()
    (fact,) = accept(command, world.snapshot, world.now)
    assert getattr(fact, "reason", None) == "too slow"


def test_a_reason_can_be_given_afterwards_and_never_stands_in_the_way() -> None:
    world = taken_back()
    assert world.release.reason == ""
    world.do(c.Reason("late", " it answered\tlate "))
    assert world.release.reason == "it answered late"
    with pytest.raises(Refused, match="the reason is empty"):
        accept(c.Reason("late", " \n"), world.snapshot, world.now)
    with pytest.raises(Refused, match="took no way back"):
        accept(c.Reason("late", "why"), done().snapshot, 0.0)


def test_a_long_reason_is_cut() -> None:
    world = under_way()
    (fact,) = accept(c.Rollback("late", reason="x" * 1000), world.snapshot, world.now)
    assert isinstance(fact, ev.TurnedBack)
    assert len(fact.reason) == 300
