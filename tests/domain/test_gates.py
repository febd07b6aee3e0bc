"""Gates: what is measured against what, and that no data is never a pass."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from core.config.gates import GATES
from core.domain.gates import METRICS, Gate, GateResult, Verdict
from core.domain.histogram import Histogram
from core.domain.intervals import sure_difference
from core.domain.judging import OPERATORS, holds, idle, judge
from core.domain.sample import Sample


def second(ok: int = 100, failed: int = 0, ms: float = 10.0) -> Sample:
    return Sample("green", 1.0, ok, {"500": failed} if failed else {}, None, Histogram.of([ms] * (ok + failed)))


def refusing(asked: int, unprocessable: int, strangers: int = 0) -> Sample:
    """A slot that was asked so often and did not understand some, besides what strangers wanted of it."""
    refused = {"422": unprocessable, "404": strangers}
    latency = Histogram.of([10.0] * (asked - unprocessable))
    return Sample("green", 1.0, asked - unprocessable, {}, None, latency, refused=refused)


NOT_UNDERSTOOD = Gate("unprocessable_percent", "<", 5.0, "live", at_least=20)


@pytest.mark.parametrize(
    ("new", "live", "outcome", "why"),
    [
        # Nothing of the kind on the new slot: a pass, whatever live has, once there is enough.
        (refusing(20, 0), refusing(900, 90), "PASS", "none of 20 requests"),
        (refusing(20, 0), None, "PASS", "none of 20 requests"),
        (refusing(19, 0), refusing(900, 0), "INCONCLUSIVE", "19 of 20 requests"),
        (refusing(19, 19), refusing(900, 0), "INCONCLUSIVE", "19 of 20 requests"),
        (None, refusing(900, 0), "INCONCLUSIVE", "0 of 20 requests"),
        # A version that no longer understands its callers.
        (refusing(20, 20), refusing(180, 0), "FAIL", "+100.0 points is not < 5 points over 20 requests"),
        (refusing(200, 30), refusing(1800, 0), "FAIL", "+15.0 points is not < 5 points over 200 requests"),
        (refusing(200, 150), refusing(1800, 900), "FAIL", "+25.0 points is not < 5 points over 200 requests"),
        # A fuzzer hits both alike.
        (refusing(200, 100), refusing(1800, 900), "PASS", "+0.0 points is < 5 points over 200 requests"),
        (refusing(200, 100), refusing(1800, 1800), "PASS", "-50.0 points is < 5 points over 200 requests"),
        (refusing(200, 12), refusing(20, 0), "PASS", "+6.0 points may be chance over 200 requests"),
        (refusing(60, 36), refusing(540, 270), "PASS", "+10.0 points may be chance over 60 requests"),
        # Between the two it is not sure yet; more requests make it so.
        (refusing(100, 10), refusing(900, 0), "INCONCLUSIVE", "+10.0 points: not sure yet over 100 requests"),
        (refusing(50, 4), refusing(200, 0), "INCONCLUSIVE", "+8.0 points: not sure yet over 50 requests"),
        (refusing(82, 10), refusing(1800, 0), "INCONCLUSIVE", "+12.2 points: not sure yet over 82 requests"),
        (refusing(1000, 100), refusing(9000, 0), "FAIL", "+10.0 points is not < 5 points over 1000 requests"),
        # Nothing to compare with is never a pass.
        (refusing(20, 1), None, "INCONCLUSIVE", "0 of 20 requests on live"),
        (refusing(20, 20), refusing(19, 0), "INCONCLUSIVE", "19 of 20 requests on live"),
        # Strangers who look for pages count for nobody.
        (refusing(0, 0, 5000), refusing(0, 0, 9000), "INCONCLUSIVE", "0 of 20 requests"),
        (refusing(100, 0, 5000), refusing(900, 0, 9000), "PASS", "none of 100 requests"),
    ],
)
def test_what_is_not_understood_is_compared_with_live_over_the_same_seconds(
    new: Sample | None, live: Sample | None, outcome: str, why: str
) -> None:
    verdict = judge(NOT_UNDERSTOOD, new, live)
    assert (verdict.gate, verdict.outcome.value, verdict.why) == (NOT_UNDERSTOOD, outcome, why)
    # The value is the figure that the sentence names.
    points = 0.0 if why.startswith("none") else float(why.split(" points", maxsplit=1)[0]) if "points" in why else None
    assert verdict.value == (None if points is None else pytest.approx(points, abs=0.05))
    assert verdict.unsure == ("not sure" in why)


def test_without_a_number_one_request_on_live_is_enough() -> None:
    gate = replace(NOT_UNDERSTOOD, at_least=0)
    assert judge(gate, refusing(10, 1), refusing(0, 0)).outcome is GateResult.INCONCLUSIVE
    assert judge(gate, refusing(10, 1), refusing(1, 0)).why == "+10.0 points may be chance over 10 requests"


def test_a_share_against_live_needs_an_upper_limit() -> None:
    verdict = judge(Gate("unprocessable_percent", ">", 5.0, "live", at_least=20), refusing(20, 1), refusing(20, 0))
    assert (verdict.outcome, verdict.value) == (GateResult.ERROR, None)
    assert verdict.gate.op == ">"
    assert verdict.why == "unprocessable_percent >: a share against live takes < or <="
    upper = Gate("unprocessable_percent", "<=", 5.0, "live", at_least=20)
    assert judge(upper, refusing(20, 1), refusing(20, 0)).why == "+5.0 points is <= 5 points over 20 requests"


def test_a_stranger_who_asks_for_pages_that_are_not_there_rolls_no_good_release_back() -> None:
    # A hundred a second of /wp-login.php beside ten users, a tenth of it to the new version.
    new, live = refusing(100, 0, 1000), refusing(900, 0, 9000)
    gates = [gate.gate() for gate in GATES]
    said = [judge(gate, new, live) for gate in gates]
    assert [one.outcome.value for one in said] == ["PASS"] * len(gates)


@pytest.mark.parametrize(
    ("one", "of_one", "two", "of_two", "low"),
    [(56, 70, 48, 80, 0.0524), (9, 10, 3, 10, 0.1705), (10, 10, 0, 10, 0.6075), (0, 10, 0, 10, -0.2775)],
)
def test_the_lower_bound_is_newcombes(one: int, of_one: int, two: int, of_two: int, low: float) -> None:
    """The rows of his table II, method 10, at 95 %."""
    assert sure_difference(one, of_one, two, of_two, z=1.959964) == pytest.approx(low, abs=5e-5)


@pytest.mark.parametrize(
    ("gate", "new", "live", "outcome", "why"),
    [
        (Gate("failed_percent", "<", 5.0), second(98, 2), None, "PASS", "2 % is < 5 % over 100 requests"),
        (Gate("failed_percent", "<", 5.0), second(90, 10), None, "FAIL", "10 % is not < 5 % over 100 requests"),
        (Gate("success_percent", ">=", 95.0), second(95, 5), None, "PASS", "95 % is >= 95 % over 100 requests"),
        (Gate("p95_ms", "<=", 10.1), second(ms=10.0), None, "PASS", "10 ms is <= 10.1 ms over 100 requests"),
        (Gate("rps", ">", 100.0), second(), None, "FAIL", "100 rps is not > 100 rps over 100 requests"),
        (Gate("rps", ">", 1.0, at_least=101), second(), None, "INCONCLUSIVE", "100 of 101 requests"),
        (Gate("rps", ">", 1.0), None, None, "INCONCLUSIVE", "0 of 50 requests"),
        (Gate("rps", ">", -1.0, at_least=0), Sample("green", 1.0), None, "PASS", "0 rps is > -1 rps over 0 requests"),
        (Gate("p95_ms", "<", 1.0, at_least=0), Sample("green", 1.0), None, "INCONCLUSIVE", "0 of 1 requests"),
        (Gate("success_percent", ">", 1.0, at_least=0), Sample("green", 1.0), None, "INCONCLUSIVE", "0 of 1 requests"),
        (Gate("mood", "<", 1.0), second(), None, "ERROR", "mood < can't be measured here"),
        (Gate("rps", "!=", 1.0), second(), None, "ERROR", "rps != can't be measured here"),
        (
            Gate("mean_ms", "<", 25.0, "live"),
            second(ms=12.0),
            second(ms=10.0),
            "PASS",
            "+20.0 % is < 25 % over 100 requests",
        ),
        (
            Gate("mean_ms", "<", 25.0, "live"),
            second(ms=13.0),
            second(ms=10.0),
            "FAIL",
            "+30.0 % is not < 25 % over 100 requests",
        ),
        (Gate("mean_ms", "<", 25.0, "live"), second(), None, "INCONCLUSIVE", "0 of 50 requests on live"),
        (Gate("mean_ms", "<", 25.0, "live"), second(), second(10), "INCONCLUSIVE", "10 of 50 requests on live"),
        (Gate("mean_ms", "<", 25.0, "live"), second(), second(50), "PASS", "+0.0 % is < 25 % over 100 requests"),
        (
            Gate("failed_percent", "<", 1.0, "live"),
            second(),
            second(),
            "PASS",
            "+0.0 points is < 1 points over 100 requests",
        ),
        (
            Gate("failed_percent", "<", 1.0, "live"),
            second(98, 2),
            second(),
            "FAIL",
            "+2.0 points is not < 1 points over 100 requests",
        ),
    ],
)
def test_a_verdict_says_what_it_found_and_why(
    gate: Gate, new: Sample | None, live: Sample | None, outcome: str, why: str
) -> None:
    verdict = judge(gate, new, live)
    assert (verdict.gate, verdict.outcome.value, verdict.why) == (gate, outcome, why)
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


@pytest.mark.parametrize(
    ("metric", "called"),
    [
        ("failed_percent", "errors"), ("success_percent", "success"), ("unprocessable_percent", "422"),
        ("ran_s", "complete"),
        ("queue_depth_ms", "queue depth"), ("exceptions_percent", "exceptions"), ("p99_ms", "p99"), ("rps", "rps"),
    ],
)  # fmt: skip
def test_a_metric_has_a_name(metric: str, called: str) -> None:
    assert Gate(metric, "<", 1.0).name == called


def test_a_gate_forgives_nothing_looks_at_the_whole_hold_and_counts_unless_it_is_told_otherwise() -> None:
    gate = Gate("rps", ">", 0.0)
    assert (gate.against, gate.window_s, gate.failures, gate.dry_run, gate.in_points) == (None, 0.0, 0, False, False)


def test_percentiles_are_what_they_say() -> None:
    spread = Sample("green", 1.0, 1000, latency=Histogram.of([float(ms) for ms in range(1, 1001)]))
    found = [METRICS[metric](spread) for metric in ("p50_ms", "p95_ms", "p99_ms")]
    assert found == [pytest.approx(ms, rel=0.009) for ms in (500, 950, 990)]


def test_sure_means_three_standard_errors() -> None:
    # Above the limit at 3, not yet at 4.
    assert judge(NOT_UNDERSTOOD, refusing(200, 21), refusing(1800, 0)).outcome is GateResult.FAIL
    assert 100 * sure_difference(21, 200, 0, 1800, z=4.0) < NOT_UNDERSTOOD.limit


def test_a_gate_is_called_by_its_metric_and_what_it_is_against() -> None:
    assert Gate("failed_percent", "<", 1.0).name == "errors"
    assert Gate("p95_ms", "<", 1.0, "live").name == "p95 : live"
    assert NOT_UNDERSTOOD.name == "422 : live"


@pytest.mark.parametrize(
    ("compared", "differing", "outcome", "why"),
    [
        (49, 49, "INCONCLUSIVE", "49 of 50 requests"),
        (50, 0, "PASS", "0.0 % of 50 compared is <= 5 %"),
        (1000, 50, "PASS", "5.0 % of 1000 compared is <= 5 %"),
        # Three of fifty may be chance where three of a hundred differ; so many of a thousand are none.
        (50, 3, "INCONCLUSIVE", "6.0 % of 50 compared: not sure yet"),
        (1000, 60, "INCONCLUSIVE", "6.0 % of 1000 compared: not sure yet"),
        (2000, 129, "INCONCLUSIVE", "6.5 % of 2000 compared: not sure yet"),
        (1000, 75, "FAIL", "7.5 % of 1000 compared is not <= 5 %"),
        (50, 10, "FAIL", "20.0 % of 50 compared is not <= 5 %"),
        (50, 50, "FAIL", "100.0 % of 50 compared is not <= 5 %"),
    ],
)
def test_what_differs_fails_where_it_is_surely_too_much(compared: int, differing: int, outcome: str, why: str) -> None:
    gate, new = Gate("differing_percent", "<=", 5.0), replace(second(5000), compared=compared, differing=differing)
    value = None if "requests" in why else 100 * differing / compared
    assert judge(gate, new, None) == Verdict(gate, GateResult(outcome), value, why)


def test_what_differs_takes_an_upper_limit_and_its_own_count() -> None:
    gate, one = Gate("differing_percent", ">", 5.0), replace(second(), compared=60)
    why = "differing_percent >: such a share takes < or <="
    assert judge(gate, one, None) == Verdict(gate, GateResult.ERROR, None, why)
    assert judge(replace(gate, op="<=", at_least=0), second(), None).outcome is GateResult.INCONCLUSIVE
    never, first = replace(gate, op="<", limit=0.0, at_least=1), replace(second(), compared=1, differing=1)
    assert judge(never, first, None).outcome is GateResult.FAIL


@pytest.mark.parametrize(
    ("gate", "why"),
    [
        (Gate("failed_percent", "<", -1), "failed_percent < -1 fails whatever is measured (0 to 100)"),
        (Gate("failed_percent", "<", 0), "failed_percent < 0 fails whatever is measured (0 to 100)"),
        (Gate("failed_percent", "<=", 0), ""),
        (Gate("failed_percent", "<", 101), "failed_percent < 101 holds whatever is measured (0 to 100)"),
        (Gate("failed_percent", "<", 100), ""),
        (Gate("failed_percent", ">=", 5), "failed_percent is good where it is small: it takes < or <=, not >="),
        (Gate("failed_percent", "<", 101, "live"), "failed_percent < 101 holds whatever is measured (-100 to 100)"),
        (Gate("success_percent", "<", 95), "success_percent is good where it is large: it takes >= or >, not <"),
        (Gate("success_percent", ">=", 0), "success_percent >= 0 holds whatever is measured (0 to 100)"),
        (Gate("success_percent", ">", 100), "success_percent > 100 fails whatever is measured (0 to 100)"),
        (Gate("p95_ms", "<=", -1), "p95_ms <= -1 fails whatever is measured (0 or more)"),
        (Gate("p95_ms", "<", 300, "live"), ""),
        (Gate("cpu_percent", "<", 150), ""),
        (Gate("rps", ">", 1), ""),
        (Gate("rps", "<", 1000), ""),
        (Gate("mix_points", "<", 100, "live"), ""),
        (Gate("mix_points", "<=", 100, "live"), "mix_points <= 100 holds whatever is measured (0 to 100)"),
    ],
)
def test_a_gate_that_could_judge_nothing_says_so(gate: Gate, why: str) -> None:
    assert idle(gate) == why
