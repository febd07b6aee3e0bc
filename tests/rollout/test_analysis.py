"""Gates over a hold: what they look at, how often, and that the last hour is judged like the first minute."""

from dataclasses import replace
from functools import partial

import pytest

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.model import Replica, ReplicaState
from core.domain.plan import Deploy, Hold, Plan, Shift, Summarise
from core.domain.sample import Sample
from core.rollout import actions as d
from core.rollout.analysis import verdicts
from core.state import commands as c, events as ev
from core.state.fold import fold_all
from core.state.release import Status
from tests.environments import V2, begin
from tests.rollout.test_decide import GATE, LONG, holding, of
from tests.world import World, serving

HOURS = 7200.0


def second(world: World, ok: int = 100, failed: int = 0, slot: str = "green") -> list[d.Action]:
    """One second of answers, and what was done about it."""
    world.now += 1
    world.measure(slot, ok, failed)
    done: list[d.Action] = []
    while not isinstance(action := world.next(), d.Wait):
        done.append(action)
        world.act(action)
        if world.release.index != 2:
            break
    return done


def test_what_failed_two_hours_ago_still_counts_in_a_gate_over_the_whole_hold() -> None:
    world = holding(hold=Hold(HOURS, (replace(GATE, limit=0.5, failures=5000, dry_run=True),)))
    for number in range(2000):
        second(world, 90 if number < 100 else 100, 10 if number < 100 else 0)
    (verdict,) = world.release.steps[2].verdicts
    # A hundred bad seconds are no passing trouble, but of so many good ones since they are not surely too much.
    assert (verdict.outcome, verdict.value, verdict.unsure) == (GateResult.INCONCLUSIVE, 100 * 1000 / 200_000, True)


def test_what_begins_late_is_caught_though_the_whole_hold_looks_well() -> None:
    world = holding(hold=Hold(LONG, (GATE,)))
    for _ in range(400):
        second(world)
    late = 0
    while world.release.index == 2 and world.release.way is None and late < 90:
        second(world, 88, 12)
        late += 1
    assert late < 90
    assert "but not of late: surely" in world.run().why


@pytest.mark.parametrize("bursts", [(0,), (0, 300), (150,)])
def test_one_trouble_that_passes_stops_nothing(bursts: tuple[int, ...]) -> None:
    world = holding(hold=Hold(LONG, (GATE,)))
    for number in range(500):
        bad = any(at <= number < at + 3 for at in bursts)
        second(world, 50 if bad else 100, 50 if bad else 0)
        assert world.release.index == 2
    assert world.release.way is None


def test_a_few_failures_of_the_first_requests_stop_nothing() -> None:
    world = holding(hold=Hold(LONG, (GATE, replace(GATE, window_s=60.0))))
    for number in range(300):
        # One of two hundred fails, and the first requests of all hold one.
        second(world, 9 if number % 20 == 0 else 10, 1 if number % 20 == 0 else 0)
    assert (world.release.index, world.release.way) == (2, None)
    assert [verdict.outcome for verdict in world.release.steps[2].verdicts] == [GateResult.PASS, GateResult.PASS]


def test_a_window_does_not_reach_before_its_hold() -> None:
    world = holding(hold=Hold(10.0, (replace(GATE, window_s=60.0),)))
    for _ in range(30):
        second(world)
        if world.release.reached == 50:
            break
    world.run(lambda r: r.index == 4 and r.steps[4].status is Status.RUNNING)
    second(world, 1)
    (verdict,) = world.release.steps[4].verdicts
    assert verdict.why == "1 of 20 requests"


def test_gates_look_once_a_second_however_often_they_are_asked() -> None:
    world = holding(hold=Hold(600.0, (GATE,)))
    looks = 0
    for _ in range(200):
        world.now += 0.1
        world.measure("green", 100)
        while isinstance(action := world.next(), d.Record):
            looks += isinstance(action.facts[0], ev.Judged)
            world.act(action)
    assert 19 <= looks <= 21


def test_what_came_after_the_last_look_is_looked_at_even_when_nothing_more_comes() -> None:
    world = holding(hold=Hold(600.0, (GATE,)))
    second(world)
    world.now += 0.5
    world.measure("green", 50, 50)
    action = world.next()
    assert isinstance(action, d.Wait)
    assert action.until == world.now + 0.5
    world.act(action)
    action = world.next()
    assert isinstance(action, d.Record)
    assert isinstance(action.facts[0], ev.Judged)


def test_the_end_of_a_hold_is_judged_by_all_that_was_measured() -> None:
    world = holding(hold=Hold(10.0, (replace(GATE, failures=0),)))
    for _ in range(9):
        second(world)
    world.now += 0.7
    world.measure("green", 0, 500)
    world.now += 0.3
    asked = world.run(lambda release: release.steps[2].question is not None).steps[2].question
    assert asked is not None
    assert asked.question.startswith(
        "too little to be sure of errors (35.71 % is not < 5 % over 1400 requests: not sure yet)"
    )


def test_a_paused_hold_goes_on_looking() -> None:
    world = holding(hold=Hold(600.0, (replace(GATE, window_s=60.0),)))
    second(world)
    world.do(c.Pause("late"))
    world.now += 0.2
    world.measure("green", 0, 500)
    waits = world.next()
    assert isinstance(waits, d.Wait)
    assert waits.until is not None
    world.act(waits)
    assert world.run().outcome is ev.Outcome.FAILED


def test_a_hold_measures_the_same_when_its_facts_are_read_again() -> None:
    world = holding(hold=Hold(600.0, (Gate("p95_ms", "<", 9.0, window_s=5.0), GATE)))
    for number in range(20):
        second(world, 100 + number, number % 3)
    again = fold_all(world.events)
    for slot, window_s in (("green", 0.0), ("green", 5.0)):
        mine, theirs = (s.measured["late"].over(slot, window_s, world.now) for s in (world.snapshot, again))
        assert mine == theirs is not None
    assert world.release.index == 2


def test_a_gate_that_can_not_measure_is_asked_four_times_more_and_then_it_fails() -> None:
    world = holding(hold=Hold(600.0, (replace(GATE, metric="mood"),)))
    world.run()
    looks = [event for event in world.events if isinstance(event.body, ev.Judged) and event.body.release == "r2"]
    assert len(looks) == 1 + 4
    assert "could not be measured" in world.release.why


def test_a_hold_without_news_is_left_alone_until_its_end() -> None:
    world = holding(hold=Hold(600.0, (GATE,)))
    second(world)
    world.now += 0.5
    action = world.next()
    assert isinstance(action, d.Wait)
    assert action.until == (world.release.steps[2].started_at or 0.0) + 600.0


def test_what_another_step_measured_counts_for_nothing() -> None:
    world = holding(hold=Hold(600.0, (GATE,)))
    second(world)
    hold = world.release.plan.steps[2]
    assert isinstance(hold, Hold)
    mine = world.snapshot.measured["late"]
    for measured, outcome in (
        (mine, GateResult.PASS),
        (replace(mine, index=4), GateResult.INCONCLUSIVE),
        (replace(mine, release="r1"), GateResult.INCONCLUSIVE),
    ):
        snapshot = replace(world.snapshot, measured={"late": measured})
        (verdict,) = verdicts(world.release, hold, snapshot, world.now)
        assert verdict.outcome is outcome


MIX = Gate("mix_points", "<", 10.0, "live", at_least=50)


def labelled(world: World, slot: str, **labels: int) -> None:
    """One second of answers with these labels."""
    world.now += 1
    mix = {f"label:{name}": count for name, count in labels.items()}
    world.say(ev.Sampled(world.name, Sample(slot, world.now, sum(labels.values()), mix=mix)))


def full(world: World, **labels: int) -> tuple[Verdict, ...]:
    """What gates say some seconds after the switch to all traffic."""
    world.run(lambda release: len(release.steps) > 2 and release.steps[2].status is Status.RUNNING)
    for _ in range(5):
        labelled(world, "green", **labels)
    hold = world.release.plan.steps[2]
    assert isinstance(hold, Hold)
    return verdicts(world.release, hold, world.snapshot, world.now)


@pytest.mark.parametrize(
    ("labels", "outcome"), [({"a": 50, "b": 50}, GateResult.PASS), ({"record": 100}, GateResult.FAIL)]
)
def test_at_full_traffic_labels_are_compared_with_what_live_gave_before(
    labels: dict[str, int], outcome: GateResult
) -> None:
    world = of(Plan("blue-green", (Deploy(2), Shift(100), Hold(LONG, (replace(MIX, failures=9),)), Summarise())))
    for _ in range(90):
        labelled(world, "blue", a=50, b=50)
    (verdict,) = full(world, **labels)
    assert verdict.outcome is outcome
    assert verdict.why.endswith("live's in its last minute")


def test_what_live_gave_before_the_release_began_is_of_another_time() -> None:
    world = serving()
    for _ in range(5):
        labelled(world, "blue", a=100)
    world.now += 1
    world.do(begin(V2, Plan("blue-green", (Deploy(2), Shift(100), Hold(LONG, (MIX,)), Summarise()))))
    (verdict,) = full(world, a=100)
    assert (verdict.outcome, verdict.why) == (GateResult.INCONCLUSIVE, "0 of 50 requests on live")


RESTARTED = Gate("restarts", "<", 2.0, at_least=0)


@pytest.mark.parametrize(("counts", "outcome"), [((5, 6), GateResult.PASS), ((6, 6), GateResult.FAIL)])
def test_restarts_are_counted_since_the_hold_began(counts: tuple[int, int], outcome: GateResult) -> None:
    def see(world: World, *restarts: int) -> None:
        seen = world.snapshot.endpoint("late").slots["green"]
        ready = partial(Replica, state=ReplicaState.READY)
        replicas = tuple(ready(f"green-{at}", restarts=count) for at, count in enumerate(restarts, 1))
        world.say(ev.Observed("late", replace(seen, replicas=replicas)))

    world = of(Plan("canary", (Deploy(2), Shift(10), Hold(LONG, (RESTARTED,)), Summarise())))
    world.run(lambda release: release.steps[2].status is Status.RUNNING)
    see(world, 5, 5)
    world.say(ev.StepStarted(world.release.id, 2))
    hold = world.release.plan.steps[2]
    assert isinstance(hold, Hold)
    see(world, *counts)
    (verdict,) = verdicts(world.release, hold, world.snapshot, world.now)
    assert (verdict.outcome, verdict.value) == (outcome, float(sum(counts) - 10))
    assert verdict.why == f"{sum(counts) - 10} since the hold began"
