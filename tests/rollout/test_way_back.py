"""The way back and what proves it: places that are late, inexact, dead, or hold something else."""

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from core.domain.errors import Refused
from core.domain.gates import Gate, GateResult
from core.domain.model import Observation, Replica, ReplicaState
from core.domain.plan import Deploy, Hold, Patience, Plan, Shift, Summarise, Work
from core.domain.strategies import canary
from core.rollout import actions as d
from core.rollout.rollback import AGAIN_S, proved
from core.state import commands as c, events as ev
from core.state.fold import fold_all
from core.state.release import ReleaseState, Status
from core.state.reversal import refused_rollback, refused_undo
from tests.environments import V1, V2, V3, begin, rollout
from tests.rollout.test_decide import GATE, holding, of
from tests.world import Held, World, serving

ONE_SHIFT = Plan("canary", (Deploy(2), Shift(10), Summarise()))


def shifting() -> World:
    """10 % was asked for."""
    world = of(ONE_SHIFT)
    world.run(
        lambda r: isinstance(getattr(r.current, "step", None), Shift) and r.current is not None and r.current.asked
    )
    return world


# Proof


def test_one_good_answer_is_proof_enough() -> None:
    world = shifting()
    world.land()
    world.place["green"] = Held(V2, 2, 2, 10.0, 1)
    world.place["blue"] = Held(V1, 2, 2, 90.0, 0)
    world.see()
    assert isinstance(world.next(), d.Record)


@pytest.mark.parametrize(
    ("green", "why"),
    [
        (Held(V2, 2, 2, 15.0, 20), "5 points off"),
        (Held(V2, 2, 2, 10.02, 20), "a little off"),
        (Held(V3, 2, 2, 10.0, 20), "another version"),
        (Held(V2, 2, 0, 10.0, 20), "no ready replica"),
        (Held(V2, 2, 2, 10.0, 0), "no answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_share_is_not_proved_by(green: Held, why: str) -> None:
    world = shifting()
    world.land()
    world.place["green"] = green
    world.place["blue"] = Held(V1, 2, 2, 100.0 - green.weight, green.proved_by)
    world.see()
    assert isinstance(world.next(), d.Wait), why
    world.place["green"] = Held(V2, 2, 2, 10.0, 20)
    world.place["blue"] = Held(V1, 2, 2, 90.0, 20)
    world.see()
    assert isinstance(action := world.next(), d.Record)
    assert action.facts == (ev.StepDone("r2", 1, "10 %"),)


def test_a_third_slot_that_takes_traffic_is_no_proof() -> None:
    world = shifting()
    world.land()
    world.place["amber"] = Held(V3, 1, 1, 3.0, 5)
    world.see()
    assert isinstance(world.next(), d.Wait)
    assert not proved(world.release, world.endpoint, {"blue": 90.0, "green": 10.0})


@pytest.mark.parametrize(("off", "tolerance", "outcome"), [(5.0, 0.01, "failed"), (0.5, 1.0, "done")])
def test_a_target_may_miss_by_what_the_plan_allows_and_no_more(off: float, tolerance: float, outcome: str) -> None:
    world = of(replace(ONE_SHIFT, tolerance=tolerance))
    world.miss = off
    world.run(lambda r: not r.live or r.state is ReleaseState.BACK)
    world.miss = 0.0
    assert world.run().outcome == outcome


def test_a_deployment_is_not_done_while_another_version_is_ready() -> None:
    world = serving()
    world.place["green"] = Held(V3, 2, 2)
    world.see()
    world.do(begin(V2, ONE_SHIFT))
    world.run(lambda r: r.current is not None and r.current.asked)
    assert world.endpoint.slots["green"].version == V3
    assert isinstance(world.next(), d.Wait)
    world.run(lambda r: r.index > 0)
    assert (world.endpoint.slots["green"].version, world.endpoint.slots["green"].ready) == (V2, 2)


def test_traffic_waits_for_a_slot_that_died_after_its_deployment() -> None:
    world = of(ONE_SHIFT)
    world.run(lambda r: r.index == 1)
    world.hold("green", ready=0)
    world.run(lambda r: r.current is not None and r.current.status is Status.RUNNING)
    world.see()
    assert world.next() == d.Wait("green to be ready", world.now + 30)
    world.hold("green", ready=1)
    world.see()
    assert isinstance(world.next(), d.Route)


# Where traffic goes back to


def going_back(world: World, command: c.Command | None = None) -> list[d.Action]:
    """What a driver does from the key on, waits left out."""
    did: list[d.Action] = []
    world.do(command or c.Rollback("late"))
    for _ in range(400):
        world.see()
        world.tidy()
        if not world.release.live:
            break
        action = world.next()
        world.act(action)
        if not isinstance(action, d.Wait):
            did.append(action)
    return did


def test_what_served_gets_as_many_replicas_as_before_and_traffic_at_once() -> None:
    world = serving()
    world.hold("blue", wanted=4, ready=4)
    world.see()
    world.do(begin(V2, Plan("canary", (Deploy(2), Shift(100), Hold(600.0, ()), Summarise()))))
    world.run(lambda r: r.reached == 100 and r.index == 2)
    world.hold("blue", wanted=2, ready=2)
    did = going_back(world)
    assert did[:2] == [d.Apply("blue", V1, 4, waits=False), d.Route({"blue": 100.0})]
    assert world.release.outcome is ev.Outcome.ROLLED_BACK
    assert (world.place["blue"].ready, world.endpoint.pending) == (4, ())


def test_a_size_that_grew_while_it_served_is_the_size_that_comes_back() -> None:
    world = holding()
    world.hold("blue", wanted=6, ready=6)
    world.run(lambda r: r.old_replicas == 6)
    world.hold("blue", wanted=3, ready=3)
    assert going_back(world)[0] == d.Apply("blue", V1, 6, waits=False)


@pytest.mark.parametrize("changes", [{"weight": 0.0}, {"version": V3}])
def test_a_size_without_traffic_or_of_another_version_is_not_what_served(changes: dict[str, object]) -> None:
    world = holding()
    world.hold("blue", wanted=9, ready=9, **changes)
    world.see()
    assert not isinstance(action := world.next(), d.Record) or not isinstance(action.facts[0], ev.Grew)


def test_a_way_back_that_is_not_taken_says_what_the_target_said_last() -> None:
    world = holding()
    world.do(c.Rollback("late"))
    world.say(ev.AskFailed("r2", "its host is not running", 4))
    world.now += Patience().back_s
    assert isinstance(action := world.next(), d.Finish)
    assert "the target did not accept the way back: its host is not running; traffic is at" in action.why
    world.hold("blue", ready=0)
    world.see()
    assert isinstance(action := world.next(), d.Finish)
    assert "blue does not get ready again: its host is not running; traffic is at" in action.why


def test_what_served_as_large_as_before_is_asked_for_nothing() -> None:
    assert [type(one) for one in going_back(holding())] == [d.Route, d.Finish]


def test_a_standby_without_a_replica_is_brought_up_while_traffic_stays() -> None:
    world = holding(50)
    world.hold("blue", ready=0)
    world.do(c.Rollback("late"))
    world.see()
    assert world.next() == d.Apply("blue", V1, 2)
    world.act(world.next())
    while not world.endpoint.slots["blue"].ready:
        assert world.weights == {"blue": 50.0, "green": 50.0}
        assert isinstance(world.next(), d.Wait)
        world.see()
    assert world.next() == d.Route({"blue": 100.0})
    assert world.run().outcome is ev.Outcome.ROLLED_BACK


@pytest.mark.parametrize("gone", [True, False])
def test_a_slot_that_holds_another_version_is_never_gone_back_to(gone: bool) -> None:
    world = of(Plan("canary", (Deploy(2), Shift(100), Hold(600.0, ()), Summarise())))
    world.run(lambda r: r.reached == 100 and r.index == 2)
    if gone:
        world.place.pop("blue")
    else:
        world.place["blue"] = Held(V3, 2, 2)
    did = going_back(world)
    assert did[0] == d.Apply("blue", V1, 2)
    assert did[1] == d.Route({"blue": 100.0})
    assert (world.place["blue"].version, world.release.outcome) == (V1, ev.Outcome.ROLLED_BACK)


def test_a_standby_that_dies_again_and_again_is_said_soon_and_traffic_stays() -> None:
    world = holding(50)
    why = "no module named x"
    dying = tuple(Replica(f"blue-{n}", ReplicaState.BACKOFF, restarts=5, why=why) for n in (1, 2))
    world.do(c.Rollback("late"))
    world.say(ev.Observed("late", replace(world.endpoint.slots["blue"], ready=0, replicas=dying, why=why)))
    world.act(world.next())
    begun = world.now
    while not isinstance(action := world.next(), d.Finish):
        assert action == d.Wait(f"blue to be ready again: {why}", begun + AGAIN_S)
        world.now += AGAIN_S
    assert world.now == begun + AGAIN_S
    world.act(action)
    assert world.release.outcome is ev.Outcome.STUCK
    assert "blue does not get ready again: no module named x; traffic is at blue 50 %, green 50 %" in world.release.why
    assert world.weights == {"blue": 50.0, "green": 50.0}


@pytest.mark.parametrize(
    "replicas",
    [
        (),
        (Replica("blue-1", ReplicaState.BACKOFF, restarts=2), Replica("blue-2", ReplicaState.BACKOFF, restarts=2)),
        (Replica("blue-1", ReplicaState.STARTING, restarts=5), Replica("blue-2", ReplicaState.BACKOFF, restarts=5)),
    ],
)
def test_a_standby_that_may_still_come_is_waited_for(replicas: tuple[Replica, ...]) -> None:
    world = holding(50)
    world.do(c.Rollback("late"))
    world.say(ev.Observed("late", replace(world.endpoint.slots["blue"], ready=0, replicas=replicas)))
    begun = world.now
    world.act(world.next())
    world.now += AGAIN_S
    assert world.next() == d.Wait("blue to be ready again", begun + Patience().back_s)


def first(**fail: str) -> World:
    """A first release, with traffic; `fail` says which of its later work fails."""
    world = World()
    world.do(begin(V1, Plan("first", (Deploy(2), Shift(100), Work("later"), Hold(600.0, ()), Summarise()))))
    world.fail.update(fail)
    return world


def test_what_nothing_served_before_loses_its_traffic_and_is_kept_for_an_undo() -> None:
    world = first()
    world.run(lambda r: r.index == 3 and r.current is not None and r.current.status is Status.RUNNING)
    assert going_back(world) == [d.Route({}), d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")]
    assert (world.weights, world.place["blue"].ready) == ({}, 2)


def test_what_nothing_served_before_goes_where_it_failed() -> None:
    world = first(later="no")
    assert world.run().outcome is ev.Outcome.FAILED
    assert world.place == {}


def test_a_slot_that_holds_the_version_already_is_asked_for_it_all_the_same() -> None:
    world = serving()
    world.place["green"] = Held(V2, 2, 2)
    world.see()
    world.do(begin(V2, ONE_SHIFT))
    world.run(lambda r: r.slot is not None)
    assert world.next() == d.Apply("green", V2, 2, 0)


def test_replicas_that_the_target_does_not_give_back_hold_nothing_up() -> None:
    world = holding()
    world.hold("blue", wanted=1, ready=1)
    world.do(c.Rollback("late"))
    world.see()
    world.act(world.next())
    world.coming.clear()
    pending = world.endpoint.pending
    assert [(one.what, one.why) for one in pending] == [("2 replicas of blue", "")]
    assert isinstance(world.next(), d.Route)
    failed = ev.Pended("late", ev.PendingKind.REPLICAS, "busy", world.now + 900, "blue", 2, release="r2")
    world.say(failed)
    assert world.run().outcome is ev.Outcome.ROLLED_BACK
    assert [(one.why, one.tries) for one in world.endpoint.pending] == [("busy", 2)]
    world.now += 901
    world.tidy()
    world.land()
    assert (world.place["blue"].ready, world.endpoint.pending) == (2, ())


def test_what_the_target_said_last_is_the_reason() -> None:
    world = of(ONE_SHIFT)
    world.run(lambda r: r.slot is not None)
    world.say(ev.AskFailed("r2", "its host is not running", 1, 0))
    world.now += 61
    assert isinstance(action := world.next(), d.Record)
    assert isinstance(failed := action.facts[0], ev.StepFailed)
    assert failed.why == "green has 0 of 2 ready after 60 s: its host is not running"


@pytest.mark.parametrize(
    ("why", "replica", "said"), [("full", "no module x", "full"), ("", "no module x", "no module x")]
)
def test_what_a_slot_says_is_a_reason_before_what_the_target_refused(why: str, replica: str, said: str) -> None:
    world = of(ONE_SHIFT)
    world.run(lambda r: r.slot is not None)
    world.say(ev.AskFailed("r2", "its host is not running", 1, 0))
    replicas = (Replica("green-1", ReplicaState.READY), Replica("green-2", ReplicaState.DEAD, why=replica))
    world.say(ev.Observed("late", Observation("green", V2, 2, 1, 0.0, replicas, why=why)))
    world.now += 61
    assert isinstance(action := world.next(), d.Record)
    assert isinstance(failed := action.facts[0], ev.StepFailed)
    assert failed.why == f"green has 1 of 2 ready after 60 s: {said}"


def test_a_router_that_has_proved_nothing_yet_still_serves_where_it_was_sent() -> None:
    world = serving()
    world.hold("blue", weight=0.0, proved_by=0)
    world.see()
    world.do(begin(V2, ONE_SHIFT))
    world.run(lambda r: r.slot is not None)
    assert (world.release.slot, world.release.old) == ("green", "blue")


# Abort and undo


def test_an_abort_keeps_its_slot_and_can_be_undone() -> None:
    world = holding()
    did = going_back(world, c.Abort("late"))
    assert [type(one) for one in did] == [d.Route, d.Finish]
    assert world.place["green"].ready == 2
    world.do(c.Undo("late"))
    world.run(lambda r: r.state is ReleaseState.RUNNING)
    assert world.weights == {"blue": 90.0, "green": 10.0}
    assert world.aliases == []


def test_aliases_that_never_went_back_are_moved_forward_by_an_undo_and_never_back_later() -> None:
    world = of(canary((), rollout(), (10,)))
    world.run()
    world.do(c.Rollback("late"))
    world.run(lambda r: isinstance(world.next(), d.MoveAliases))
    world.say(ev.Pended("late", ev.PendingKind.ALIASES, "no registry", 1e12, back=True, release="r2"))
    assert world.run().outcome is ev.Outcome.ROLLED_BACK
    assert [one.what for one in world.endpoint.pending] == ["aliases back"]
    world.do(c.Undo("late"))
    release = world.run()
    assert (release.outcome, release.why) == (ev.Outcome.DONE, "the rollback was taken back")
    assert (world.aliases, world.endpoint.pending) == (["forward", "forward"], ())


def test_a_no_that_is_undone_is_asked_again() -> None:
    world = of(Plan("ask", (Deploy(2), Shift(10), Hold(20.0, (GATE,)), Shift(100), Summarise())))
    world.run(lambda r: r.current is not None and r.current.question is not None)
    world.do(c.Answer("late", False))
    assert world.run().outcome is ev.Outcome.ABORTED
    world.do(c.Undo("late"))
    world.run(lambda r: r.current is not None and r.current.question is not None)
    assert world.release.state is ReleaseState.RUNNING


def test_a_way_forward_waits_for_the_slot_to_be_ready() -> None:
    world = holding()
    going_back(world)
    world.hold("green", ready=0)
    world.see()
    world.do(c.Undo("late"))
    assert isinstance(world.next(), d.Wait)
    world.hold("green", ready=2)
    world.see()
    assert isinstance(world.next(), d.Route)


def test_what_had_no_traffic_is_not_undone() -> None:
    world = of(ONE_SHIFT)
    world.run(lambda r: r.index == 1)
    world.do(c.Rollback("late"))
    world.run()
    assert "green" in world.place
    with pytest.raises(Refused, match="r2 had no traffic; there is nothing to take back"):
        world.do(c.Undo("late"))


def test_a_window_does_not_reach_before_its_hold() -> None:
    world = holding(10, Hold(600.0, (Gate("failed_percent", "<", 5.0, at_least=20, window_s=300.0),)))
    world.do(c.Next("late"))
    world.run(lambda r: r.current is not None and r.current.step == Shift(50) and r.current.asked)
    world.measure("green", 0, 900)
    world.now += 5
    world.run(lambda r: r.index == 4 and r.current is not None and r.current.status is Status.RUNNING)
    for _ in range(3):
        world.now += 1
        world.measure("green", 100)
    world.act(world.next())
    assert [v.outcome for v in world.release.steps[4].verdicts] == [GateResult.PASS]


# Whatever happens


@st.composite
def troubled(draw: st.DrawFn) -> World:
    """Drivers and replicas that die, slots that somebody takes away, an autoscaler that moves, at any time."""
    world = of(canary((), rollout(4.0, (), None), (10, 50, 100)), auto_approve=True)
    for _ in range(draw(st.integers(5, 70))):
        world.see()
        world.tidy()
        match draw(st.sampled_from("aaaaaaaRRukhsgdt")):
            case "a" if world.release.live:
                world.act(world.next())
            case "R" if world.release.live and world.release.state is not ReleaseState.BACK:
                # From every state that is live there is a way back.
                world.do(c.Rollback("late"))
            case "u":
                if refused_undo(world.endpoint, world.release, world.now) is None:
                    world.do(c.Undo("late"))
            case "k" | "h" as kind if world.place:
                slot = draw(st.sampled_from(sorted(world.place)))
                world.hold(slot, ready=0 if kind == "k" else world.place[slot].wanted)
            case "s" if world.place:
                slot = draw(st.sampled_from(sorted(world.place)))
                world.hold(slot, wanted=draw(st.integers(1, 4)))
            case "g":
                slot = draw(st.sampled_from(["blue", "green"]))
                if slot in world.place and not world.place[slot].weight:
                    world.place.pop(slot)
            case "t":
                world.now += draw(st.sampled_from([0.1, 1.0, 40.0, 130.0]))
            case "d":
                when = draw(st.sampled_from(["before it", "after the effect", "while it lands"]))
                world.dies = (world.acts + 1, when)
            case _:
                pass
    return world


@settings(max_examples=250, deadline=None)
@given(troubled())
def test_whatever_dies_every_release_ends_and_stuck_can_be_asked_again(world: World) -> None:
    """`World` itself refuses traffic to what is not ready or another version, and a proof of what is not so."""
    world.run()
    world.land()
    for slot, held in world.place.items():
        world.hold(slot, ready=held.wanted)
    world.see()
    release = world.release
    if release.outcome is ev.Outcome.STUCK:
        world.do(c.Rollback("late"))
        release = world.run()
        world.land()
    assert not release.live
    assert release.outcome in (ev.Outcome.DONE, ev.Outcome.FAILED, ev.Outcome.ROLLED_BACK)
    serves, version = ("green", V2) if release.outcome is ev.Outcome.DONE else ("blue", V1)
    assert (world.weights, world.place[serves].version) == ({serves: 100.0}, version)


@pytest.mark.parametrize("before", [True, False], ids=["beside another", "the first"])
def test_a_slot_that_will_not_go_keeps_no_failed_release_from_its_end(before: bool) -> None:
    world = serving() if before else World()
    world.do(begin(V2, Plan("x", (Deploy(2), Shift(100), Work("later"), Summarise()))))
    world.fail["later"] = "no"
    for _ in range(200):
        world.see()
        if isinstance(action := world.next(), d.RemoveSlot):
            break
        world.act(action)
    assert action == d.RemoveSlot(world.release.slot or "")
    left = ev.Pended("late", ev.PendingKind.REMOVAL, "busy", 1e12, world.release.slot, release="r2")
    world.say(left)
    assert world.next() == d.Finish(ev.Outcome.FAILED, "later: no")


# A journal that was damaged


def test_a_release_of_which_a_part_can_t_be_read_goes_back_and_can_be_asked_to() -> None:
    for asked in (False, True):
        world = holding(50)
        world.say(ev.Unreadable("not a noun"))
        if asked:
            world.do(c.Rollback("late"))
        release = world.run()
        assert release.outcome is (ev.Outcome.ROLLED_BACK if asked else ev.Outcome.FAILED)
        assert asked or release.why.startswith(f"event {release.unread} of the journal can't be read")
        assert world.weights == {"blue": 100.0}


def test_a_figure_that_can_t_be_read_stops_nothing() -> None:
    world = holding(50)
    world.say(ev.Unreadable("not a noun", lasting=False))
    assert isinstance(world.next(), d.Wait | d.Record)
    assert world.release.unread == 0
    assert world.release.state is ReleaseState.RUNNING


def test_a_way_back_whose_past_can_t_be_read_is_taken_only_where_what_stands_shows_it() -> None:
    world = of(ONE_SHIFT)
    world.run()
    world.hold("green", weight=100.0)
    world.hold("blue", weight=0.0)
    world.see()
    world.say(ev.Unreadable("not a noun"))
    assert refused_rollback(world.endpoint, world.release) is None
    world.place["blue"] = Held(V3, 2, 2, 0.0)
    world.see()
    with pytest.raises(Refused, match=r"event \d+ of the journal can't be read.*'quarterdeck rollback --to VERSION"):
        world.do(c.Rollback("late"))


def test_where_a_release_went_can_t_be_read_so_a_person_is_called() -> None:
    world = holding(50)
    lost = next(event for event in world.events if event.body == ev.Placed("r2", "green", "blue", V1, 2))
    events = [replace(e, body=ev.Unreadable("not a noun")) if e is lost else e for e in world.events]
    world.snapshot, world.events = fold_all(events), events
    release = world.run()
    assert release.outcome is ev.Outcome.STUCK
    assert "which slot it went to is not known; 'quarterdeck rollback --to VERSION" in release.why
