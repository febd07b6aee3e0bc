"""The verdict of a gate against the live slot: worse, shown fine, or not shown, and what could have been seen. Pure."""

from dataclasses import dataclass

from core.domain.anytime import Counts, Terms, bars, dead, evidence, fine, shows
from core.domain.gates import Edge, Gate, GateResult, Verdict, edge_of
from core.domain.histogram import RATIO
from core.domain.model import Sample
from core.domain.plan import Hold, Plan
from core.state.measured import Measured

USUAL_FAILED = 0.01
FINE_BAR = 3.0
"""The log evidence, ln(1/0.05), with which a slot is shown to be no more than a margin worse."""
MARGIN_FAILED, MARGIN_SLOW = 0.02, 0.05
MOST_FAILED, MOST_SLOW = 0.7, 6.0
"""The log evidence that one second may add. Failures come in bursts: many seconds must speak, not a loud few."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What was measured of both slots since a hold began; `over`: it has ended, and what is shown may be said."""

    measured: Measured
    new: Sample | None
    live: Sample | None
    over: bool


def terms_of(gate: Gate, hold: Hold, plan: Plan, block_s: float) -> Terms:
    """What is fixed before the hold: all gates of all holds share the chance of a false stop."""
    holds = [step for step in plan.steps if isinstance(step, Hold) and _asked(step)]
    fine_bar, dead_bar = bars(plan.false_stop, max([_asked(step) for step in holds], default=1), max(1, len(holds)))
    edge = edge_of(gate)
    allowed = max(0.0, gate.limit) / 100 if edge is None else 0.0
    usual = USUAL_FAILED if edge is None else 1 - edge[0] / 100
    most_a_s = MOST_FAILED if edge is None else MOST_SLOW
    return Terms(allowed, usual, hold.seconds, block_s, plan.burst_s, fine_bar, dead_bar, most_a_s)


def _asked(hold: Hold) -> int:
    return sum(gate.compared and not gate.dry_run for gate in hold.gates)


def compare(gate: Gate, hold: Hold, plan: Plan, beside: Beside) -> Verdict:
    """What the bets say now. Too few requests are no answer; a difference that could not be seen stops nothing."""
    pairs = beside.measured.paired
    for sample, where in ((beside.new, ""), (beside.live, " on live")):
        seen = 0 if sample is None else sample.requests
        if seen < max(1, gate.at_least):
            return Verdict(gate, GateResult.INCONCLUSIVE, None, f"{seen} of {max(1, gate.at_least)} requests{where}")
    if pairs is None or beside.new is None or beside.live is None:
        return Verdict(gate, GateResult.INCONCLUSIVE, None, "nothing to compare with")
    edge = edge_of(gate)
    terms, counts = terms_of(gate, hold, plan, pairs.block_s), pairs.counts(edge)
    value = _value(gate, beside.new, beside.live)
    said = _said(gate, edge, counts, value)
    if evidence(counts, terms) >= terms.bar:
        return Verdict(gate, GateResult.FAIL, value, f"{said}: surely worse than allowed, which is {_allowed(gate)}")
    if edge is None and dead(counts, terms) >= terms.dead_bar:
        return Verdict(gate, GateResult.FAIL, value, f"{said}: an outage of the new slot alone")
    if not beside.over:
        return Verdict(gate, GateResult.PASS, value, f"{said}; nothing worse is shown")
    margin = MARGIN_FAILED if edge is None else MARGIN_SLOW
    if fine(counts, terms, terms.allowed + margin) >= FINE_BAR:
        shown = f"shown fine, to {100 * (terms.allowed + margin):g} points"
        return Verdict(gate, GateResult.PASS, value, f"{said}; {shown}")
    return Verdict(gate, GateResult.PASS, value, f"{said}; {_could_show(counts, terms)}")


def _value(gate: Gate, new: Sample, live: Sample) -> float | None:
    """How the new slot stands: points of failures more, or percent by which its percentile is higher."""
    edge = edge_of(gate)
    if edge is None:
        return 100 * (new.failures / new.requests - live.failures / live.requests)
    one, other = (sample.latency.percentile_ms(edge[0]) for sample in (new, live))
    return None if one is None or not other else 100 * (one / other - 1)


def _said(gate: Gate, edge: Edge | None, counts: list[Counts], value: float | None) -> str:
    new, new_bad, live, live_bad = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0, 0, 0)
    shares = f"{_share(new_bad, new)} of {new}" + f" against live's {_share(live_bad, live)} of {live}"
    if edge is None:
        return f"{value or 0:+.1f} points, failed {shares}"
    more = f"{value:+.0f} %, " if value is not None else ""
    return f"{more}slower than live's {gate.metric.removesuffix('_ms')} by {_allowed(gate)}: {shares}"


def _share(part: int, of: int) -> str:
    return f"{100 * part / of:.1f} %" if of else "–"


def _allowed(gate: Gate) -> str:
    edge = edge_of(gate)
    return f"{gate.limit:g} points" if edge is None else f"{100 * (RATIO ** edge[1] - 1):.0f} %"


def _could_show(counts: list[Counts], terms: Terms) -> str:
    """What a hold like this one would have shown, by the requests that came."""
    seconds = max(terms.block_s, len(counts) * terms.block_s)
    new_a_s = float(f"{sum(each[0] for each in counts) / seconds:.2g}")
    live_a_s = float(f"{sum(each[2] for each in counts) / seconds:.2g}")
    effect = shows(new_a_s, live_a_s, terms)
    rate = f"at {new_a_s:g} request{'' if new_a_s == 1 else 's'} a second"
    if effect is None:
        return f"not shown: {rate} nothing shows in {terms.hold_s:g} s"
    return f"not shown: {rate} only +{100 * effect:g} points show in {terms.hold_s:g} s"
