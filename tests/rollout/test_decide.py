"""What a release does next: what happened and the action that follows, and what holds whenever a driver dies."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from core.domain.errors import Refused
from core.domain.gates import Gate
from core.domain.model import Observation
from core.domain.plan import Ask, Deploy, Hold, Mirror, Plan, Retire, Shift, Smoke, Summarise, Work, title
from core.domain.strategies import all_at_once, blue_green, canary, gradual_blue_green, shadow, warmed, written
from core.rollout import actions as d
from core.state import commands as c, events as ev
from core.state.release import Release, ReleaseState, Status
from tests.environments import TEST, V1, V2, begin, rollout, sample
from tests.world import World, serving

GATE = Gate("failed_percent", "<", 5.0, at_least=20)
LONG = 600.0


def of(plan: Plan, **more: Any) -> World:
    """V1 serves; a release of V2 by this plan has just begun."""
    world = serving()
    world.do(begin(V2, plan, **more))
    return world


def holding(percent: float = 10, hold: Hold | None = None, **more: object) -> World:
    """It holds at this share of the traffic."""
    hold = hold or Hold(LONG, (GATE,))
    steps = (Deploy(2), *(s for p in (10, 50, 100) for s in (Shift(p), hold)), Work("alias"), Retire(60), Summarise())
    world = of(Plan("canary", steps), **more)

    def there(release: Release) -> bool:
        step = release.current
        return step is not None and isinstance(step.step, Hold) and step.status is Status.RUNNING

    for _ in range(3):
        world.run(there)
        if world.release.reached == percent:
            return world
        world.do(c.Next("late"))
        world.run(lambda r: not there(r))
    raise AssertionError(percent)


def test_a_plan_for_where_nothing_serves_moves_no_traffic_that_somebody_has() -> None:
    world = of(replace(all_at_once((), rollout()), first=True))
    world.run(lambda release: not release.live)
    assert world.release.outcome is ev.Outcome.FAILED
    assert "v1 serves there, which nobody here knew when this was planned; release over it with" in world.release.why
    assert {slot for slot, *_ in world.applied} == {"blue"}


# One action after another


@pytest.mark.parametrize(
    ("plan", "actions"),
    [
        (
            all_at_once((), rollout()),
            (
                "StartStep ChooseSlot Apply Record StartStep RunStep StartStep Route "
                "Record StartStep RunStep StartStep Record StartStep RunStep Finish"
            ),
        ),
        (
            blue_green((), rollout()),
            (
                "StartStep ChooseSlot Apply Record StartStep RunStep StartStep Route Record "
                "StartStep Record StartStep RunStep StartStep Record StartStep RunStep Finish"
            ),
        ),
        (Plan("train only", (Work("data"), Summarise())), "StartStep RunStep StartStep RunStep Finish"),
    ],
    ids=lambda value: value.strategy if isinstance(value, Plan) else "",
)
def test_a_plan_is_walked_step_by_step(plan: Plan, actions: str) -> None:
    world, did = of(plan), []
    while world.release.live:
        world.see()
        action = world.next()
        did.append(type(action).__name__)
        world.act(action)
    assert [name for name in did if name != "Wait"] == actions.split()


def test_a_canary_ends_with_all_traffic_on_the_new_slot() -> None:
    world = of(canary((), rollout(), (10, 50, 100)))
    assert world.run().outcome is ev.Outcome.DONE
    assert world.weights == {"green": 100.0}
    routed = [e.body.weights for e in world.events if isinstance(e.body, ev.Routed)]
    assert [w.get("green") for w in routed[1:]] == [10.0, 50.0, 100.0]


def test_a_first_release_takes_blue_and_has_nothing_to_retire() -> None:
    world = serving()
    release = world.snapshot.releases["r1"]
    assert (release.slot, release.old, release.outcome) == ("blue", None, ev.Outcome.DONE)
    assert any(s.figure == "nothing to retire" for s in release.steps)


def test_the_new_slot_gets_as_many_replicas_as_the_old_has() -> None:
    world = serving()
    world.hold("blue", wanted=6, ready=6)
    world.see()
    world.do(begin(V2, all_at_once((), rollout())))
    world.run()
    assert world.place["green"].ready == 6


def test_an_autoscaler_that_moves_meanwhile_does_not_move_the_goal() -> None:
    world = of(all_at_once((), rollout()))
    world.deaf.add("ready green")
    world.run(lambda r: r.current is not None and r.current.asked)
    world.hold("blue", wanted=9, ready=9)
    world.deaf.clear()
    world.run(lambda r: r.index > 0)
    assert world.place["green"].wanted == 2
    # What serves has nine by now: all of its traffic does not go to two.
    assert world.run().outcome is ev.Outcome.DONE
    assert world.place["green"].wanted == 9


# Gates


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_a_gate_that_fails_more_often_than_it_may_goes_back(failures: int) -> None:
    world = holding(hold=Hold(LONG, (replace(GATE, failures=failures, window_s=5.0),)))
    for second in range(failures + 1):
        assert world.release.state is ReleaseState.RUNNING, second
        world.now += 1
        world.measure("green", 50, 50)
        world.act(world.next())
        world.measure("blue")
    release = world.run()
    assert (release.outcome, world.weights) == (ev.Outcome.FAILED, {"blue": 100.0})
    assert release.why.startswith("hold: errors")
    assert "green" not in world.place


def test_one_second_is_counted_once_however_often_it_is_looked_at() -> None:
    world = holding(hold=Hold(LONG, (replace(GATE, failures=2, window_s=60.0),)))
    world.now += 1
    world.measure("green", 50, 50)
    for tenth in range(9):
        world.now += 0.1
        world.measure("green", 50 + tenth, 50)
        action = world.next()
        if not isinstance(action, d.Wait):
            world.act(action)
    assert world.release.steps[2].fails == {"0": 1}


def test_what_forgives_forgets_after_a_pass() -> None:
    world = holding(hold=Hold(LONG, (replace(GATE, failures=1, window_s=0.5),)))
    for failed in (50, 0, 50, 0, 50, 0):
        world.now += 1
        world.measure("green", 100 - failed, failed)
        while not isinstance(action := world.next(), d.Wait):
            world.act(action)
    assert world.release.state is ReleaseState.RUNNING


def test_a_dry_run_only_shows_even_beside_a_gate_of_the_same_metric() -> None:
    dry = replace(GATE, limit=0.1, dry_run=True)
    world = holding(hold=Hold(10.0, (GATE, dry)))
    for _ in range(10):
        world.now += 1
        world.measure("green", 98, 2)
        while not isinstance(action := world.next(), d.Wait):
            world.act(action)
            if world.release.reached != 10:
                break
    assert [v.outcome.value for v in world.release.steps[2].verdicts] == ["PASS", "FAIL"]
    assert world.release.steps[2].status is Status.DONE


def test_a_gate_that_can_not_measure_is_tried_four_times_in_a_row_at_most() -> None:
    world = holding(hold=Hold(LONG, (replace(GATE, metric="mood"),)))
    begun = world.now
    for _ in range(60):
        action = world.next()
        if world.release.state is not ReleaseState.RUNNING:
            break
        world.act(action)
        world.now += 0.25
    release = world.run()
    assert release.outcome is ev.Outcome.FAILED
    assert "could not be measured" in release.why
    assert 4 <= world.now - begun < 10


def test_no_data_waits_its_patience_and_then_asks() -> None:
    world = holding(hold=Hold(20.0, (GATE,), patience_s=30.0))
    begun = world.now
    world.run(lambda r: r.current is not None and r.current.question is not None)
    assert world.now - begun == 50.0
    assert isinstance(world.next(), d.Wait)
    asked = world.release.steps[2].question
    assert asked is not None
    assert asked.question == "too little data for errors (0 of 20 requests): go on?"
    assert asked.until == world.now + 600


def warming() -> World:
    """At 10 %, in the first of ten seconds of warm-up; then held by a strict gate."""
    strict = Gate("p95_ms", "<", 100.0, at_least=20)
    world = of(warmed(canary((), rollout(20.0, (strict,)), (10,)), 10.0))
    world.run(lambda r: r.current is not None and title(r.current.step) == "warm-up" and r.current.asked is False)
    world.act(world.next())
    return world


def test_while_a_slot_warms_up_it_may_be_slow_and_none_of_that_counts_later() -> None:
    world = warming()
    begun, at = world.now, world.release.index
    for second in range(30):
        world.now += 1
        ms = 900.0 if second < 9 else 20.0
        world.say(ev.Sampled("late", sample("green", 50, 5, ms, at=world.now)))
        while not isinstance(action := world.next(), d.Wait):
            world.act(action)
            if world.release.index > at + 1:
                break
        if world.release.index > at + 1:
            break
    assert world.release.steps[at].result == {}
    assert world.now - begun == 30
    assert [v.outcome.value for v in world.release.steps[at + 1].verdicts] == ["PASS"]


def test_an_outage_is_one_while_it_warms_up_too() -> None:
    world = warming()
    begun = world.now
    for _ in range(8):
        world.now += 1
        world.measure("green", 0, 50)
        while world.release.state is ReleaseState.RUNNING and not isinstance(action := world.next(), d.Wait):
            world.act(action)
    assert world.now - begun < 9
    release = world.run()
    assert (release.outcome, world.weights) == (ev.Outcome.FAILED, {"blue": 100.0})
    assert release.why.startswith("warm-up: errors 100")


def test_nobody_is_asked_where_nothing_comes_while_it_warms_up() -> None:
    world = warming()
    at, begun = world.release.index, world.now
    world.run(lambda r: r.index > at)
    assert (world.now - begun, world.release.steps[at].question) == (10.0, None)


@pytest.mark.parametrize(
    ("more", "answer", "outcome", "says"),
    [
        ({}, True, ev.Outcome.DONE, ""),
        ({}, False, ev.Outcome.ABORTED, "a person said no"),
        ({}, None, ev.Outcome.FAILED, "nobody answered within 600 s"),
        ({"ask_s": 0.0}, None, ev.Outcome.FAILED, "nobody could be asked"),
        # What was approved beforehand was approved on the ground of figures.
        ({"auto_approve": True}, None, ev.Outcome.FAILED, "nobody answered within 600 s"),
    ],
)
def test_a_question_ends_in_yes_no_or_nobody(
    more: dict[str, object], answer: bool | None, outcome: ev.Outcome, says: str
) -> None:
    plan = Plan("ask", (Deploy(2), Shift(10), Hold(20.0, (GATE,)), Shift(100), Summarise()))
    world = of(plan, **more)
    world.run(lambda r: not r.live or (r.current is not None and r.current.question is not None))
    if answer is not None:
        world.do(c.Answer("late", answer))
    release = world.run()
    assert release.outcome is outcome
    assert says in release.why
    assert world.weights == ({"green": 100.0} if outcome is ev.Outcome.DONE else {"blue": 100.0})


def until_it_waits(world: World) -> None:
    """Do all that is to be done at this moment."""
    world.see()
    while not isinstance(action := world.next(), d.Wait):
        world.act(action)


@pytest.mark.parametrize("paused", [False, True])
def test_a_version_that_goes_bad_goes_back_while_a_person_is_waited_for(paused: bool) -> None:
    gate = replace(GATE, window_s=60.0)
    world = of(Plan("ask", (Deploy(2), Shift(10), Ask("all of it?", (gate,)), Shift(100), Summarise())))
    world.run(lambda r: r.current is not None and r.current.question is not None)
    for _ in range(300):
        world.now += 1
        world.measure("green", 100)
        until_it_waits(world)
    assert world.release.state is ReleaseState.RUNNING
    if paused:
        world.do(c.Pause("late"))
    for _ in range(30):
        world.now += 1
        world.measure("green", 0, 100)
        until_it_waits(world)
        if world.release.state is not ReleaseState.RUNNING:
            break
    release = world.run()
    assert release.outcome is ev.Outcome.FAILED
    assert release.why.startswith("ask: errors ")
    assert world.weights == {"blue": 100.0}
    # Of an hour that was well and ten bad seconds nothing would be seen; of the last minute it is.
    assert world.now < release.steps[2].started_at + 300 + 15  # type: ignore[operator]


def test_an_answer_counts_before_gates_that_wait_for_data() -> None:
    world = of(Plan("ask", (Deploy(2), Shift(10), Ask("all of it?", (GATE,)), Shift(100), Summarise())))
    world.run(lambda r: r.current is not None and r.current.question is not None)
    world.do(c.Answer("late", True))
    assert world.run().outcome is ev.Outcome.DONE


def test_late_data_still_decides_a_hold_that_waits() -> None:
    world = holding(hold=Hold(20.0, (GATE,), patience_s=30.0))
    world.now += 25
    world.measure("green", 100)
    world.run(lambda r: r.index > 2)
    assert world.release.steps[2].figure == "1 gates hold"


# Deadlines


def deploying() -> World:
    """What is deployed was accepted, and does not get ready."""
    world = of(Plan("canary", (Deploy(2), Shift(10), Summarise())))
    world.deaf.add("ready green")
    world.run(lambda release: release.current is not None and release.current.asked)
    return world


def given_up(world: World, attempt: str) -> None:
    """Its place says that an attempt failed and that it makes no other."""
    world.say(ev.Observed("late", Observation("green", V2, 2, 0, 0.0, why="green: no quota", given_up=attempt)))


def test_a_deployment_that_its_place_has_given_up_is_not_waited_for() -> None:
    world = deploying()
    given_up(world, "the only one")
    world.act(world.next())
    assert world.release.steps[0].status is Status.FAILED
    assert world.release.steps[0].why == "green: no quota"


def test_what_was_given_up_before_it_was_asked_for_anew_is_waited_for() -> None:
    world = deploying()
    given_up(world, "the first")
    world.say(ev.StepAsked(world.release.id, 0))
    assert isinstance(world.next(), d.Wait)
    given_up(world, "the second")
    assert isinstance(world.next(), d.Record)


@pytest.mark.parametrize(
    ("deaf", "says"),
    [
        ("ready green", "deploy: green has 0 of 2 ready after 60 s"),
        ("move", "traffic: 10 % was asked for and not proved within 30 s"),
        ("route", "traffic: 10 % was asked for and not accepted within 30 s"),
    ],
)
def test_what_never_happens_fails_at_its_deadline_and_traffic_stays(deaf: str, says: str) -> None:
    world = of(Plan("canary", (Deploy(2), Shift(10), Summarise())))
    world.deaf.add(deaf)
    for _ in range(500):
        if not world.release.live:
            break
        world.see()
        action = world.next()
        if isinstance(action, d.Route) and action.index is None:
            world.deaf.clear()
        world.act(action)
        world.now += 0.5
    assert world.release.outcome is ev.Outcome.FAILED
    assert world.release.why.startswith(says)
    assert world.weights == {"blue": 100.0}


@pytest.mark.parametrize(
    ("deaf", "gone", "says"),
    [
        ("move", False, "no answer proved that traffic is back; traffic is at blue 90 %, green 10 %; mend"),
        ("route", False, "the target did not accept the way back; traffic is at blue 90 %, green 10 %; mend"),
        ("ready blue", True, "blue does not get ready again; traffic is at blue 90 %, green 10 %; mend"),
    ],
)
def test_a_way_back_that_stands_still_calls_a_person_and_can_be_asked_for_again(
    deaf: str, gone: bool, says: str
) -> None:
    world = holding()
    if gone:
        world.hold("blue", ready=0)
        world.deaf.add("ready blue")
    world.deaf.add(deaf)
    world.do(c.Rollback("late"))
    for _ in range(500):
        if not world.release.live:
            break
        world.see()
        world.act(world.next())
        world.now += 0.5
    assert world.release.outcome is ev.Outcome.STUCK
    assert f"rolled back; {says} that and call 'quarterdeck rollback --env dev' again" in world.release.why
    world.deaf.clear()
    world.do(c.Rollback("late"))
    assert world.run().outcome is ev.Outcome.ROLLED_BACK
    assert world.weights == {"blue": 100.0}


def test_a_way_back_found_again_after_hours_has_its_whole_deadline() -> None:
    world = holding()
    world.do(c.Rollback("late"))
    world.now += 10_000
    world.die()
    assert world.run().outcome is ev.Outcome.ROLLED_BACK


def test_a_first_release_whose_traffic_does_not_end_calls_a_person() -> None:
    world = World()
    world.do(begin(V1, Plan("first", (Deploy(2), Shift(100), Hold(LONG, ()), Summarise()))))
    world.run(lambda r: r.current is not None and isinstance(r.current.step, Hold) and r.current.status == "running")
    world.deaf.add("move")
    world.do(c.Abort("late"))
    release = world.run()
    assert release.outcome is ev.Outcome.STUCK
    assert "traffic does not end; mend that" in release.why


def test_a_way_forward_that_is_not_proved_goes_back_again() -> None:
    world = holding()
    world.do(c.Rollback("late"))
    world.run()
    world.deaf.add("move")
    world.do(c.Undo("late"))
    for _ in range(300):
        if world.release.state is ReleaseState.BACK:
            break
        world.see()
        world.act(world.next())
        world.now += 0.5
    world.deaf.clear()
    assert world.run().outcome is ev.Outcome.ROLLED_BACK
    assert world.weights == {"blue": 100.0}


# People


def test_paused_it_stays_and_resumed_it_goes_on() -> None:
    world = holding(hold=Hold(20.0, ()))
    world.do(c.Pause("late"))
    world.now += 1000
    assert world.next() == d.Wait("somebody to resume it")
    world.do(c.Pause("late"))
    assert world.run().outcome is ev.Outcome.DONE


def test_a_pause_does_not_count_into_a_hold() -> None:
    world = holding(hold=Hold(20.0, ()))
    world.now += 5
    world.do(c.Pause("late"))
    world.now += 1000
    world.do(c.Pause("late"))
    assert world.next() == d.Wait("the hold to end", world.now + 15)


def test_gates_watch_on_while_paused_but_nothing_goes_forward() -> None:
    world = holding(hold=Hold(20.0, (GATE,)))
    world.do(c.Pause("late"))
    world.now += 30
    world.measure("green", 100)
    world.act(world.next())
    assert world.next() == d.Wait("somebody to resume it")
    for _ in range(12):
        world.now += 1
        world.measure("green", 0, 100)
    assert world.run().outcome is ev.Outcome.FAILED


def test_n_ends_a_hold_but_not_over_a_gate_that_fails() -> None:
    world = holding(hold=Hold(LONG, (replace(GATE, failures=9),)))
    world.now += 1
    world.measure("green", 0, 100)
    world.act(world.next())
    world.do(c.Next("late"))
    assert isinstance(world.next(), d.Wait)
    world.now += 1
    world.measure("green", 100_000)
    world.run(lambda r: r.index > 2)
    assert world.release.steps[2].figure == "let go on"


def test_step_by_step_waits_for_n_before_each_step_and_can_be_switched_off() -> None:
    world = of(all_at_once((), rollout()), step_by_step=True)
    assert world.next() == d.Wait("n, to begin deploy")
    world.do(c.Next("late"))
    world.run()
    assert world.next() == d.Wait("n, to begin smoke")
    world.do(c.Pause("late", step_by_step=False))
    assert world.run().outcome is ev.Outcome.DONE


def test_a_failed_release_is_tried_again_from_its_deployment() -> None:
    world = of(all_at_once(("train",), rollout()))
    world.fail["Smoke"] = "a wrong answer"
    assert world.run().outcome is ev.Outcome.FAILED
    assert "green" not in world.place
    world.fail.clear()
    world.do(c.Next("late"))
    assert [s.status for s in world.release.steps[:3]] == [Status.DONE, Status.WAITING, Status.WAITING]
    assert world.run().outcome is ev.Outcome.DONE
    assert world.weights == {"green": 100.0}


def test_without_a_version_there_is_nothing_to_deploy() -> None:
    world = serving()
    world.do(begin(None, Plan("x", (Deploy(1),))))
    assert "there is no version to deploy" in world.run().why


# Whenever the driver dies


def _done(world: World) -> None:
    world.run()


def _back_at_10(world: World) -> None:
    world.run(lambda r: r.reached == 10)
    world.do(c.Rollback("late", asked_at=world.now))
    world.run()


def _back_at_once(world: World) -> None:
    world.run(lambda r: r.current is not None and r.current.step == Shift(10) and r.current.status is Status.RUNNING)
    world.act(world.next())
    world.do(c.Rollback("late", asked_at=world.now))
    world.run()


def _back_while_aliases_move(world: World) -> None:
    world.deaf.add("alias")
    world.run(lambda r: r.current is not None and r.current.step == Work("alias") and r.current.asked)
    world.deaf.clear()
    world.do(c.Rollback("late"))
    world.run()


def _abort_at_100(world: World) -> None:
    world.run(lambda r: r.reached == 100)
    world.do(c.Abort("late"))
    world.run()


def _back_after_the_end(world: World) -> None:
    world.run()
    world.do(c.Rollback("late"))
    world.run()


def _undone_after_the_end(world: World) -> None:
    _back_after_the_end(world)
    world.do(c.Undo("late"))
    world.run()


def _undone_in_the_middle(world: World) -> None:
    _back_at_10(world)
    world.do(c.Undo("late"))
    world.run()


def _smoke_fails(world: World) -> None:
    world.fail["Smoke"] = "a wrong answer"
    world.run()


def _load_fails(world: World) -> None:
    world.fail["Load"] = "too slow"
    world.run()


FORWARD = (ev.Outcome.DONE, {"green": 100.0}, "forward")
STORIES = [
    (_done, FORWARD),
    (_back_at_10, (ev.Outcome.ROLLED_BACK, {"blue": 100.0}, "as before")),
    (_back_at_once, (ev.Outcome.ROLLED_BACK, {"blue": 100.0}, "as before")),
    (_back_while_aliases_move, (ev.Outcome.ROLLED_BACK, {"blue": 100.0}, "as before")),
    (_abort_at_100, (ev.Outcome.ABORTED, {"blue": 100.0}, "as before")),
    (_back_after_the_end, (ev.Outcome.ROLLED_BACK, {"blue": 100.0}, "as before")),
    (_undone_after_the_end, FORWARD),
    (_undone_in_the_middle, FORWARD),
    (_smoke_fails, (ev.Outcome.FAILED, {"blue": 100.0}, "as before")),
    (_load_fails, (ev.Outcome.FAILED, {"blue": 100.0}, "as before")),
]


def end_of(world: World) -> tuple[ev.Outcome | None, dict[str, float], str]:
    """What counts at the end: how it ended, who serves, where the aliases point."""
    forward = world.aliases[-1:] == ["forward"]
    return world.release.outcome, dict(world.weights), "forward" if forward else "as before"


@pytest.mark.parametrize(("story", "end"), STORIES, ids=[s.__name__.strip("_") for s, _ in STORIES])
@pytest.mark.parametrize("when", ["before it", "after the effect", "while it lands"])
def test_a_driver_that_dies_at_any_step_changes_nothing_about_the_end(
    story: Callable[[World], None], end: object, when: str
) -> None:
    def told(number: int) -> World:
        world = of(canary(("data",), rollout(5.0, (), TEST), (10, 50, 100)))
        world.acts, world.dies = 0, (number, when)
        story(world)
        world.land()
        return world

    whole = told(-1)
    assert end_of(whole) == end
    assert whole.acts > 10
    for number in range(1, whole.acts + 1):
        assert end_of(told(number)) == end, f"died at {number} of {whole.acts}"


def plans(gates: tuple[Gate, ...]) -> list[Plan]:
    """One of each strategy, and steps written by hand."""
    told = replace(rollout(4.0, gates), question="go on?")
    steps = (
        Smoke(3),
        Mirror(20),
        Hold(3, ()),
        Shift(30),
        Ask("more?"),
        Shift(60),
        Hold(2, ()),
        Shift(100),
        Hold(2, ()),
    )
    return [
        canary((), rollout(4.0, gates), (10, 50, 100)),
        blue_green((), told),
        gradual_blue_green((), told, (10, 100)),
        shadow((), rollout(4.0, gates), 20, replace(GATE, metric="rps", op=">=", limit=0.0), (50,)),
        all_at_once((), told),
        written((), rollout(4.0, gates), steps),
    ]


@st.composite
def histories(draw: st.DrawFn) -> World:
    """A release with anything asked of it at any time, drivers that die, and gates that see good and bad seconds."""
    gates = (replace(GATE, failures=draw(st.integers(0, 2))),)
    world = of(draw(st.sampled_from(plans(gates))), auto_approve=draw(st.booleans()), ask_s=5.0)
    asks: list[c.Command] = [
        c.Rollback("late"), c.Undo("late"), c.Abort("late"), c.Pause("late"), c.Next("late"), c.Answer("late", True)
    ]  # fmt: skip
    for _ in range(draw(st.integers(5, 60))):
        world.see()
        match draw(st.sampled_from("aaaaaaogbdw")):
            case "a" if world.release.live:
                world.act(world.next())
            case "o":
                with contextlib.suppress(Refused):
                    world.do(draw(st.sampled_from(asks)))
            case "w":
                # What serves is scaled up meanwhile.
                world.hold("blue", wanted=world.place["blue"].wanted + 1, ready=world.place["blue"].ready + 1)
            case "g" | "b" as kind:
                world.now += 1
                world.measure("green", 100, 0 if kind == "g" else 100)
            case _:
                world.dies = (
                    world.acts + 1,
                    draw(st.sampled_from(["before it", "after the effect", "while it lands"])),
                )
    return world


@settings(max_examples=200, deadline=None)
@given(histories())
def test_there_is_a_way_back_from_every_state(world: World) -> None:
    release = world.release
    if release.slot is None or release.outcome in (ev.Outcome.FAILED, ev.Outcome.ABORTED, ev.Outcome.ROLLED_BACK):
        return
    if release.state is not ReleaseState.BACK:
        world.do(c.Rollback("late"))
    world.run()
    world.land()
    assert world.weights == {"blue": 100.0}
    assert world.place["blue"].version == V1
    assert not any(held.mirror for held in world.place.values())


@settings(max_examples=300, deadline=None)
@given(histories())
def test_whatever_happens_a_release_ends_with_all_traffic_on_one_version_and_never_loses_it(world: World) -> None:
    if world.release.paused:
        world.do(c.Pause("late"))
    release = world.run()
    world.land()
    assert not release.live
    assert sum(world.weights.values()) == 100.0
    forward = release.outcome is ev.Outcome.DONE
    assert world.weights == {"green" if forward else "blue": 100.0}
    assert release.aliases_moved is forward
    version = world.place["green" if forward else "blue"].version
    assert version == (V2 if forward else V1)


@pytest.mark.parametrize("beforehand", [True, False])
def test_what_can_only_be_answered_by_figures_no_yes_beforehand_answers(beforehand: bool) -> None:
    steps = (Deploy(2), Shift(50), Ask("all?", (), beforehand), Shift(100), Summarise())
    world = of(Plan("ab", steps), auto_approve=True)
    world.run(lambda r: not r.live or (r.current is not None and r.current.question is not None))
    assert (world.release.outcome is ev.Outcome.DONE) is beforehand
    if not beforehand:
        world.do(c.Answer("late", yes=True))
        assert world.run().outcome is ev.Outcome.DONE
