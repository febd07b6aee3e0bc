"""What a gate against the live slot says, in words: worse, nothing worse shown, shown fine, not shown."""

from functools import reduce

import pytest

from core.domain.gates import Gate, GateResult
from core.domain.histogram import Histogram
from core.domain.plan import Deploy, Hold, Plan, Shift
from core.domain.sample import Sample
from core.rollout.comparison import Beside, compare, terms_of
from core.state.measured import Measured
from core.state.paired import paired

FAILED = Gate("failed_percent", "<", 0.5, "live", at_least=20)
P95 = Gate("p95_ms", "<", 25.0, "live", at_least=20)
P99 = Gate("p99_ms", "<", 25.0, "live", dry_run=True)
HOLD = Hold(120.0, (FAILED, P95, P99))
PLAN = Plan("canary", (Deploy(2), Shift(10), HOLD, Shift(50), HOLD, Shift(100), Hold(120.0, ())))


def held(seconds: int, new: tuple[int, int, float], live: tuple[int, int, float] = (90, 1, 20.0)) -> Measured:
    """So many seconds of a hold; of each slot how many were well, how many failed, and how long they took."""
    empty = Measured("r", 2, 0.0, paired=paired(HOLD.gates, "green", "blue", 0.0, HOLD.seconds))
    samples = [
        Sample(slot, at + 1.0, ok, {"500": bad} if bad else {}, latency=Histogram.of([ms] * ok))
        for at in range(seconds)
        for slot, (ok, bad, ms) in (("green", new), ("blue", live))
    ]
    return reduce(lambda measured, sample: measured.plus(sample, sample.at), samples, empty)


def said(gate: Gate, measured: Measured, over: bool = False) -> tuple[GateResult, str]:
    new, live = (measured.over(slot, 0.0, measured.newest) for slot in ("green", "blue"))
    verdict = compare(gate, HOLD, PLAN, Beside(measured, new, live, over))
    return verdict.outcome, verdict.why


def test_what_is_fixed_before_the_hold_counts_gates_and_holds_that_stop() -> None:
    # Two gates that are no dry run, in two holds; at full traffic nothing stands beside.
    assert terms_of(FAILED, HOLD, PLAN, 1.0).bar == pytest.approx(6.2659, abs=1e-3)
    terms = terms_of(P95, HOLD, PLAN, 1.0)
    assert (terms.allowed, round(terms.usual, 6), terms.burst_s) == (0.0, 0.05, 20.0)


def test_more_failures_than_live_are_told_with_their_figures() -> None:
    outcome, why = said(FAILED, held(60, (8, 2, 20.0)))
    assert outcome is GateResult.FAIL
    assert why.startswith("+18.9 points, failed 20.0 % of 600 against live's 1.1 % of 5460")
    assert why.endswith("surely worse than allowed, which is 0.5 points")


def test_an_outage_is_told_before_anything_finer_could_be() -> None:
    outcome, why = said(FAILED, held(8, (0, 10, 20.0)))
    assert (outcome, why.rpartition(": ")[2]) == (GateResult.FAIL, "an outage of the new slot alone")


def test_slower_answers_are_told_by_their_share() -> None:
    outcome, why = said(P95, held(110, (10, 0, 60.0)))
    assert outcome is GateResult.FAIL
    assert "+200 %, slower than live's p95 by 27 %: 100.0 %" in why


@pytest.mark.parametrize(("new", "live"), [((5, 0, 20.0), (90, 1, 20.0)), ((10, 0, 20.0), (0, 0, 20.0))])
def test_too_few_requests_are_no_answer(new: tuple[int, int, float], live: tuple[int, int, float]) -> None:
    outcome, why = said(FAILED, held(2, new, live))
    assert outcome is GateResult.INCONCLUSIVE
    assert "of 20 requests" in why


def test_in_the_hold_nothing_worse_is_shown_and_at_its_end_what_could_have_been() -> None:
    calm = held(110, (10, 0, 20.0))
    assert said(FAILED, calm)[1].endswith("nothing worse is shown")
    outcome, why = said(FAILED, held(40, (1, 0, 20.0), (9, 0, 20.0)), over=True)
    assert outcome is GateResult.PASS
    assert "not shown: at 1 request a second only +" in why
    outcome, why = said(FAILED, held(120, (300, 3, 20.0), (2700, 27, 20.0)), over=True)
    assert (outcome, "shown fine, to 2.5 points" in why) == (GateResult.PASS, True)
