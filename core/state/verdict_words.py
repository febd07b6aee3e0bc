"""What a verdict says beyond its own words: that a value is beyond its limit and stops nothing. Pure."""

from core.domain.gates import GateResult, Verdict
from core.domain.judging import OPERATORS, holds
from core.system.text import in_digits


def unsure(one: Verdict) -> bool:
    """Whether what is beyond a gate's limit may be chance: it may hold because of that."""
    if one.unsure:
        return True
    if one.outcome is not GateResult.PASS or one.value is None or one.gate.op not in OPERATORS:
        return False
    return not holds(one.gate.op, one.value, one.gate.limit)


def why_of(one: Verdict) -> str:
    """Why a verdict is what it is; of a comparison with the live slot also why it holds beyond its limit."""
    if one.outcome is not GateResult.PASS or not one.gate.compared or not unsure(one):
        return one.why
    limit = f"{in_digits(one.gate.limit, 6)}{one.gate.unit}"
    return f"{one.why}; more than {limit}, but that is not sure yet: it may be chance"
