"""Gates on figures that are measured elsewhere: fresh ones of this hold, each counted once, and no data passes."""

from dataclasses import replace

import pytest

from core.domain.gates import Gate, GateResult
from core.domain.plan import Hold
from core.domain.strategies import armed
from core.rollout import actions as d
from core.rollout.elsewhere import judge_elsewhere
from core.state import events as ev
from core.state.codec import dumps, loads
from core.state.gauges import KEEP, MOST, Gauge
from core.state.release import ReleaseState
from tests.rollout.test_decide import holding
from tests.world import World

NOW = 1_000.0
GATE = Gate("conversion_percent", ">=", 2.0, at_least=1, source="prometheus prom:9090", max_age_s=60.0)
BESIDE = replace(GATE, op=">", limit=-10.0, against="live")
BAD = Gauge((), 3, "prometheus prom:9090: answered 503", failed=True)


def gauge(*values: float, until: float = NOW - 1) -> Gauge:
    """A value each five seconds, the last one a second ago."""
    return Gauge(tuple((until - 5.0 * (len(values) - place - 1), one) for place, one in enumerate(values)), len(values))


@pytest.mark.parametrize(
    ("gate", "new", "live", "outcome", "why"),
    [
        (GATE, None, None, "INCONCLUSIVE", "not asked yet"),
        (GATE, gauge(1.0, 3.5), None, "PASS", "3.5 % is >= 2 % over its newest value"),
        (GATE, gauge(3.5, 1.0), None, "FAIL", "1 % is not >= 2 % over its newest value"),
        (replace(GATE, window_s=60.0), gauge(3.5, 1.0), None, "PASS", "2.25 % is >= 2 % over 2 values"),
        (replace(GATE, window_s=5.0), gauge(3.5, 1.0), None, "FAIL", "1 % is not >= 2 % over 1 value"),
        (replace(GATE, window_s=60.0, at_least=3), gauge(3.5, 1.0), None, "INCONCLUSIVE", "2 of 3 values"),
        (GATE, gauge(9.0, until=NOW - 61), None, "INCONCLUSIVE", "the newest value is 1.02 min old, over 1 min"),
        (GATE, gauge(9.0, until=NOW - 60), None, "PASS", "9 % is >= 2 % over its newest value"),
        (replace(GATE, window_s=6.0), gauge(3.5, 1.0), None, "PASS", "2.25 % is >= 2 % over 2 values"),
        (replace(GATE, window_s=5.0, at_least=0), gauge(9.0, until=NOW - 6), None, "INCONCLUSIVE", "0 of 1 values"),
        (replace(GATE, at_least=0), gauge(9.0), None, "PASS", "9 % is >= 2 % over its newest value"),
        (GATE, BAD, None, "ERROR", "prometheus prom:9090: answered 503"),
        (GATE, replace(gauge(9.0), why="no series"), None, "INCONCLUSIVE", "no series"),
        (BESIDE, gauge(3.0), None, "INCONCLUSIVE", "not asked yet on live"),
        (BESIDE, gauge(3.0), BAD, "ERROR", "prometheus prom:9090: answered 503 on live"),
        (BESIDE, gauge(3.0), gauge(4.0), "FAIL", "-25.0 % is not > -10 % over its newest value"),
        (BESIDE, gauge(-5.0), gauge(-4.0), "FAIL", "-25.0 % is not > -10 % over its newest value"),
        (BESIDE, gauge(3.9), gauge(4.0), "PASS", "-2.5 % is > -10 % over its newest value"),
        (BESIDE, gauge(3.0), gauge(0.0), "INCONCLUSIVE", "live is 0: no change in percent"),
        (BESIDE, gauge(0.0), gauge(0.0), "PASS", "+0.0 % is > -10 % over its newest value"),
    ],
)  # fmt: skip
def test_a_figure_is_judged_while_it_is_fresh(
    gate: Gate, new: Gauge | None, live: Gauge | None, outcome: str, why: str
) -> None:
    verdict = judge_elsewhere(gate, new, live, NOW)
    assert (verdict.outcome.value, verdict.why) == (outcome, why)
    assert (verdict.value is None) == (outcome in ("INCONCLUSIVE", "ERROR"))
    both = [new, live] if gate.against else [new]
    assert (verdict.gate, verdict.asked) == (gate, sum(side.asked for side in both if side is not None))


def said(value: float | None, at: float, why: str = "", failed: bool = False) -> ev.Gauged:
    return ev.Gauged("late", "green", GATE.metric, value, at, why, failed)


def test_only_values_of_this_hold_count_and_each_once() -> None:
    found = Gauge().plus(said(1.0, 99.0), 100.0, 0.0)
    assert (found.values, found.why) == ((), "the newest value is of before the hold")
    assert Gauge().plus(said(1.0, 100.0), 100.0, 0.0).values == ((100.0, 1.0),)
    found = found.plus(said(2.0, 101.0), 100.0, 0.0).plus(said(2.0, 101.0), 100.0, 0.0)
    assert (found.values, found.asked, found.why) == (((101.0, 2.0),), 3, "")
    found = found.plus(said(None, 103.0, "gone", failed=True), 100.0, 0.0)
    assert (found.values, found.why, found.failed) == (((101.0, 2.0),), "gone", True)
    assert not found.plus(said(3.0, 104.0), 100.0, 0.0).failed


def test_so_many_values_are_kept_and_no_more() -> None:
    few, many = Gauge(), Gauge()
    for at in range(2 * MOST):
        few, many = few.plus(said(1.0, at + 1.0), 0.0, 0.0), many.plus(said(1.0, at + 1.0), 0.0, 1e6)
    assert len(few.values) == KEEP
    window = Gauge()
    for at in range(2 * KEEP + 100):
        window = window.plus(said(1.0, at + 1.0), 0.0, KEEP + 50.0)
    assert len(window.values) == KEEP + 51, "both ends of it are within"
    assert len(many.values) == MOST


def look(world: World, *facts: ev.Gauged) -> list[str]:
    """A second more, with what was told in it; what was done about it."""
    world.now += 1
    world.say(*(replace(fact, at=world.now) for fact in facts))
    done = []
    while not isinstance(action := world.next(), d.Wait):
        done.append(type(action.facts[0]).__name__ if isinstance(action, d.Record) else type(action).__name__)
        world.act(action)
        if world.release.state is not ReleaseState.RUNNING:
            break
    return done


def test_one_bad_value_is_counted_once_however_often_it_is_looked_at() -> None:
    world = holding(hold=Hold(600.0, (replace(GATE, failures=1),)))
    look(world, said(1.0, 0.0))
    for _ in range(20):
        look(world)
    assert world.release.state is ReleaseState.RUNNING
    assert world.release.steps[world.release.index].fails == {"0": 1}
    look(world, said(1.5, 0.0))
    assert world.release.way is not None
    assert "conversion percent 1.5 % is not >= 2 %" in world.release.way.why


def test_four_errors_in_a_row_are_borne_and_a_fifth_ends_it() -> None:
    world = holding(hold=Hold(600.0, (GATE,)))
    bad = said(None, 0.0, "prometheus prom:9090: answered 503", failed=True)
    for _ in range(4):
        look(world, bad)
        look(world)
    assert world.release.state is ReleaseState.RUNNING
    look(world, said(9.0, 0.0))
    for _ in range(4):
        look(world, bad)
    assert world.release.state is ReleaseState.RUNNING, "a value in between ends the row"
    look(world, bad)
    assert world.release.way is not None
    assert "conversion percent could not be measured: prometheus prom:9090: answered 503" in world.release.way.why


def test_a_hold_without_a_value_does_not_end_as_if_it_had_passed() -> None:
    world = holding(hold=Hold(10.0, (GATE,)))
    for _ in range(45):
        look(world, said(None, 0.0, "prometheus prom:9090: no series has a value now"))
    step = world.release.current
    assert step is not None
    assert step.question is not None
    assert "too little data for conversion percent (prometheus prom:9090: no series" in step.question.question


def test_a_hold_goes_on_to_its_end_with_values_that_are_fine_and_asks_when_they_stop_coming() -> None:
    world = holding(hold=Hold(10.0, (GATE,)))
    for _ in range(9):
        assert "StepDone" not in look(world, said(3.0, 0.0))
    assert "StepDone" in [name for _ in range(3) for name in look(world, said(3.0, 0.0))]
    world = holding(hold=Hold(100.0, (GATE,)))
    for second in range(140):
        look(world, *([said(3.0, 0.0)] if second < 5 else []))
    step = world.release.current
    assert step is not None
    assert step.question is not None
    assert "old, over 1 min" in step.question.question


def test_while_a_person_is_asked_the_newest_value_counts_as_before() -> None:
    assert armed((GATE,)) == (GATE,)


def test_what_was_said_and_judged_is_read_again_also_by_an_older_verdict() -> None:
    world = holding(hold=Hold(600.0, (GATE,)))
    look(world, said(3.0, 0.0))
    judged = next(event.body for event in reversed(world.events) if isinstance(event.body, ev.Judged))
    assert judged.verdicts[0].outcome is GateResult.PASS
    for body in (judged, said(3.0, 1.0), world.snapshot.measured["late"].gauges["green"][GATE.metric].values):
        assert loads(dumps(body)) == body
    older = '{"is":"Judged","release":"r","index":0,"verdicts":[{"gate":{"metric":"rps","op":">","limit":1.0},'
    old = loads(f'{older}"outcome":"PASS","value":2.0,"why":"x"}}]}}')
    assert (old.verdicts[0].asked, old.verdicts[0].gate.source) == (0, "")
