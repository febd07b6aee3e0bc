"""A recording judged anew: tighter gates name the second at which they would have stopped, its own say what was."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.domain.gates import Gate
from core.domain.histogram import Histogram
from core.domain.plan import Hold, Plan, Shift
from core.domain.sample import Sample
from core.rollout.backtest import backtest, with_gates
from core.state import events as ev
from tests.environments import V1, V2

LOOSE = (Gate("failed_percent", "<", 50.0, at_least=10),)
TIGHT = (Gate("failed_percent", "<", 2.0, window_s=10.0, at_least=10),)
BESIDE = Gate("p95_ms", "<", 25.0, against="live")
PLAN = Plan("canary", (Shift(10), Hold(60.0, LOOSE), Shift(100), Hold(60.0, LOOSE)))


def sample(at: float, slot: str, failed: int, seconds: float = 1.0) -> ev.Event:
    """A second of a hundred answers."""
    latency = Histogram.of([5.0] * 100)
    body = ev.Sampled("late", Sample(slot, at, 100 - failed, {"HTTP 500": failed} if failed else {}, None, latency))
    return ev.Event(0, at + 0.1, "watch", body)


def recorded(failing_from: float, end: Sequence[ev.Body]) -> list[ev.Event]:
    """A canary that holds 10 % from second 2 on; 12 % fail from a moment on. What ends it comes at second 62."""
    head: list[tuple[float, ev.Body]] = [
        (0, ev.Began("r2", "late", "dev", PLAN)),
        (0, ev.Chose("r2", V2)),
        (0, ev.Placed("r2", "green", "blue", V1)),
        (1, ev.StepStarted("r2", 0)),
        (1, ev.Routed("late", {"blue": 90.0, "green": 10.0}, "r2")),
        (1, ev.StepAsked("r2", 0)),
        (1, ev.StepDone("r2", 0)),
        (2, ev.StepStarted("r2", 1)),
    ]
    events = [ev.Event(0, at, "watch", body) for at, body in head]
    for at in range(3, 62):
        events.append(sample(at, "blue", 0))
        events.append(sample(at, "green", 12 if at >= failing_from else 0))
    events += [ev.Event(0, 62.5, "watch", body) for body in end]
    return [ev.Event(seq, e.at, e.who, e.body) for seq, e in enumerate(events, 1)]


BACK = (ev.TurnedBack("r2", ev.Outcome.ROLLED_BACK, "rolled back"), ev.Ended("r2", ev.Outcome.ROLLED_BACK))
DONE = (ev.StepDone("r2", 1), ev.Ended("r2", ev.Outcome.DONE))


def test_a_tighter_gate_names_the_second_at_which_it_would_have_stopped() -> None:
    told = backtest(recorded(30, BACK), "r2", TIGHT)
    # 12 % fail from second 30 on. At 33 its window holds the nine whole seconds 24 to 32, of which three are bad: 36 of
    # 900 failed, which is surely more than 2 %.
    assert told.stop_at == 33.0
    assert (told.share, told.into_hold_s, told.catch_s, told.back_at) == (10.0, 31.0, 32.0, 62.5)
    assert told.why.startswith("errors ")
    assert told.bad


def test_its_own_gates_say_what_was() -> None:
    told = backtest(recorded(30, BACK), "r2")
    assert (told.stop_at, told.bad, told.looks) == (None, True, 60)


def test_verdicts_that_were_written_then_do_not_count() -> None:
    events = recorded(1000, DONE)
    from core.domain.gates import GateResult, Verdict

    bad = ev.Judged("r2", 1, (Verdict(LOOSE[0], GateResult.FAIL, 99.0, "99 is not < 50"),))
    judged = sorted([*events, ev.Event(9, 20.0, "watch", bad)], key=lambda event: event.at)
    assert backtest(judged, "r2", TIGHT).stop_at is None


@pytest.mark.parametrize(("failing_from", "end", "stops", "bad"), [(1000, DONE, False, False), (10, DONE, True, False)])
def test_what_was_done_in_the_end_was_healthy(
    failing_from: float, end: Sequence[ev.Body], stops: bool, bad: bool
) -> None:
    told = backtest(recorded(failing_from, end), "r2", TIGHT)
    assert (told.stop_at is not None, told.bad) == (stops, bad)


def test_where_nothing_is_beside_the_new_slot_only_gates_that_need_none_stay() -> None:
    first, second = (step for step in with_gates(PLAN, (*TIGHT, BESIDE)).steps if isinstance(step, Hold))
    assert first.gates == (*TIGHT, BESIDE)
    assert second.gates == TIGHT


def test_coarse_samples_are_said_and_another_release_is_none_of_it() -> None:
    events = recorded(1000, DONE)
    assert backtest(events, "r2", TIGHT).coarse_s == 1.0
    assert backtest(events, "r9", TIGHT).looks == 0


def test_what_others_said_while_it_was_recorded_is_judged_by_other_limits_too() -> None:
    said = [ev.Gauged("late", "green", "sold", 9.0 if at < 40 else 4.0, float(at)) for at in range(5, 60, 5)]
    events = [*recorded(1000, DONE), *(ev.Event(0, one.at, "watch", one) for one in said)]
    ordered = sorted(events, key=lambda event: event.at)
    sold = Gate("sold", ">=", 5.0, at_least=1, failures=1, source="json shop")
    assert backtest(ordered, "r2", (sold,)).stop_at == 46.0
    assert backtest(ordered, "r2", (replace(sold, limit=4.0),)).stop_at is None
