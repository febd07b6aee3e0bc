"""Gates: what is measured against what, and that no data is never a pass."""

import pytest
from hypothesis import given, strategies as st

from core.domain.gates import METRICS, OPERATORS, Gate, GateResult, holds, judge
from core.domain.histogram import Histogram
from core.domain.model import Sample


def second(ok: int = 100, failed: int = 0, ms: float = 10.0) -> Sample:
    return Sample("green", 1.0, ok, {"500": failed} if failed else {}, None, Histogram.of([ms] * (ok + failed)))


@pytest.mark.parametrize(
    ("gate", "new", "live", "outcome", "why"),
    [
        (Gate("failed_percent", "<", 5.0), second(98, 2), None, "PASS", "2 is < 5 over 100 requests"),
        (Gate("failed_percent", "<", 5.0), second(90, 10), None, "FAIL", "10 is not < 5 over 100 requests"),
        (Gate("success_percent", ">=", 95.0), second(95, 5), None, "PASS", "95 is >= 95"),
        (Gate("p95_ms", "<=", 10.1), second(ms=10.0), None, "PASS", "is <= 10.1"),
        (Gate("rps", ">", 100.0), second(), None, "FAIL", "100 is not > 100"),
        (Gate("rps", ">", 1.0, at_least=101), second(), None, "INCONCLUSIVE", "100 of 101 requests"),
        (Gate("rps", ">", 1.0), None, None, "INCONCLUSIVE", "0 of 50 requests"),
        (Gate("rps", ">", -1.0, at_least=0), Sample("green", 1.0), None, "PASS", "0 is > -1"),
        (Gate("p95_ms", "<", 1.0, at_least=0), Sample("green", 1.0), None, "INCONCLUSIVE", "0 of 1 requests"),
        (Gate("success_percent", ">", 1.0, at_least=0), Sample("green", 1.0), None, "INCONCLUSIVE", "0 of 1"),
        (Gate("mood", "<", 1.0), second(), None, "ERROR", "mood < can't be measured here"),
        (Gate("rps", "!=", 1.0), second(), None, "ERROR", "rps != can't be measured here"),
        (Gate("mean_ms", "<", 25.0, "live"), second(ms=12.0), second(ms=10.0), "PASS", "+20.0 % is < 25"),
        (Gate("mean_ms", "<", 25.0, "live"), second(ms=13.0), second(ms=10.0), "FAIL", "+30.0 % is not < 25"),
        (Gate("mean_ms", "<", 25.0, "live"), second(), None, "INCONCLUSIVE", "0 of 50 requests on live"),
        (Gate("mean_ms", "<", 25.0, "live"), second(), second(10), "INCONCLUSIVE", "10 of 50 requests on live"),
        (Gate("failed_percent", "<", 1.0, "live"), second(), second(), "PASS", "+0.0 % is < 1"),
        (Gate("failed_percent", "<", 1.0, "live"), second(99, 1), second(), "INCONCLUSIVE", "live is 0"),
    ],
)
def test_a_verdict_says_what_it_found_and_why(
    gate: Gate, new: Sample | None, live: Sample | None, outcome: str, why: str
) -> None:
    verdict = judge(gate, new, live)
    assert verdict.outcome.value == outcome
    assert why in verdict.why
    assert (verdict.value is not None) is (outcome in ("PASS", "FAIL"))


@given(
    st.sampled_from(sorted(METRICS)), st.sampled_from(OPERATORS), st.floats(-1e6, 1e6), st.sampled_from([None, "live"]),
    st.integers(0, 100),
)  # fmt: skip
def test_no_data_is_never_a_pass(metric: str, op: str, limit: float, against: str | None, at_least: int) -> None:
    verdict = judge(Gate(metric, op, limit, against, at_least=max(1, at_least)), None, None)
    assert verdict.outcome is GateResult.INCONCLUSIVE


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_an_operator_and_its_opposite_never_agree(value: float, limit: float) -> None:
    assert holds("<", value, limit) is not holds(">=", value, limit)
    assert holds(">", value, limit) is not holds("<=", value, limit)


def test_a_gate_is_called_by_its_metric_and_what_it_is_against() -> None:
    assert Gate("failed_percent", "<", 1.0).name == "errors"
    assert Gate("p95_ms", "<", 1.0, "live").name == "p95 : live"
