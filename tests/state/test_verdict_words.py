"""That a figure stands beyond its limit and stops nothing is said wherever it is shown."""

import pytest

from core.domain.gates import Gate, GateResult, Verdict
from core.state.verdict_words import why_of
from tui.plain_lines import judged

SLOWER = Gate("p95_ms", "<", 25.0, "live")
FAILS = Gate("failed_percent", "<", 0.5, "live")
PLAIN = Gate("p95_ms", "<", 2000.0)


@pytest.mark.parametrize(
    ("gate", "outcome", "value", "more"),
    [
        (SLOWER, GateResult.PASS, 27.0, "; more than 25 %, but that is not sure yet: it may be chance"),
        (FAILS, GateResult.PASS, 0.7, "; more than 0.5 points, but that is not sure yet: it may be chance"),
        (SLOWER, GateResult.PASS, 24.0, ""),
        (SLOWER, GateResult.FAIL, 27.0, ""),
        (SLOWER, GateResult.INCONCLUSIVE, None, ""),
        (PLAIN, GateResult.PASS, 12.0, ""),
    ],
)
def test_a_value_beyond_its_limit_that_stops_nothing_says_why(
    gate: Gate, outcome: GateResult, value: float | None, more: str
) -> None:
    verdict = Verdict(gate, outcome, value, "figures; nothing worse is shown")
    assert why_of(verdict) == f"{verdict.why}{more}"
    assert judged(verdict).endswith(f"{gate.name} {verdict.why}{more}")
