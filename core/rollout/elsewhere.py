"""The verdict of a gate on a figure that is measured elsewhere: fresh, of this hold, and asked for again. Pure."""

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.judging import holds
from core.state.gauges import Gauge
from core.system.text import in_digits, rough

NOTHING = Gauge()


def judge_elsewhere(gate: Gate, new: Gauge | None, live: Gauge | None, now: float) -> Verdict:
    """What the figure of the new slot says now; with `against` its change in percent of the live slot's."""
    sides = [("", new or NOTHING)] if gate.against is None else [("", new or NOTHING), (" on live", live or NOTHING)]
    asked = sum(side.asked for _, side in sides)
    figures = []
    for where, side in sides:
        outcome, value, why = _figure(gate, side, now)
        if value is None:
            return Verdict(gate, outcome, None, f"{why}{where}", asked)
        figures.append((value, why))
    value, over = figures[0]
    text = in_digits(value)
    if gate.against is not None:
        base = figures[1][0]
        if base == 0 and value != 0:
            return Verdict(gate, GateResult.INCONCLUSIVE, None, "live is 0: no change in percent", asked)
        value = 100 * (value - base) / abs(base) if base else 0.0
        text = f"{value:+.1f}"
    good = holds(gate.op, value, gate.limit)
    why = f"{text}{gate.unit} {'is' if good else 'is not'} {gate.op} {in_digits(gate.limit, 6)}{gate.unit} over {over}"
    return Verdict(gate, GateResult.PASS if good else GateResult.FAIL, value, why, asked)


def _figure(gate: Gate, side: Gauge, now: float) -> tuple[GateResult, float | None, str]:
    """The newest value of one slot, or the mean of a window's; of how many, or why there is none."""
    if side.failed:
        return GateResult.ERROR, None, side.why
    if side.why or not side.values:
        return GateResult.INCONCLUSIVE, None, side.why or "not asked yet"
    age_s = now - side.values[-1][0]
    if age_s > gate.max_age_s:
        return GateResult.INCONCLUSIVE, None, f"the newest value is {rough(age_s)} old, over {rough(gate.max_age_s)}"
    since = now - gate.window_s if gate.window_s else 0.0
    values = [value for at, value in side.values if at >= since]
    if len(values) < max(1, gate.at_least):
        return GateResult.INCONCLUSIVE, None, f"{len(values)} of {max(1, gate.at_least)} values"
    if not gate.window_s:
        return GateResult.PASS, values[-1], "its newest value"
    return GateResult.PASS, sum(values) / len(values), f"{len(values)} value{'' if len(values) == 1 else 's'}"
