"""The verdict of a gate that bets, against the live slot or on the new one alone: worse, shown fine, or not shown, and
what could have been seen. Pure."""

from dataclasses import dataclass, replace

from core.domain.anytime import (
    ALONE_SHARE,
    DEAD_SHARE,
    FINE_SHARE,
    Counts,
    Terms,
    bar,
    by_itself,
    dead,
    evidence,
    fine,
    shows,
)
from core.domain.gates import EDGES, Edge, Gate, GateResult, Verdict, edge_of
from core.domain.histogram import RATIO
from core.domain.judging import judge
from core.domain.plan import Hold, Plan
from core.domain.sample import Sample
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
    betting = [one for step in plan.steps if isinstance(step, Hold) for one in step.gates if not one.dry_run]
    compared, alone = [one for one in betting if one.compared], [one for one in betting if one.alone]
    outages = sum(one.metric not in EDGES for one in (*compared, *alone))
    fine_bar = bar(plan.false_stop, FINE_SHARE, len(compared))
    dead_bar = bar(plan.false_stop, DEAD_SHARE, outages)
    if gate.allowed is not None:
        fine_bar = bar(plan.false_stop, ALONE_SHARE, len(alone))
        most_a_s = MOST_SLOW if gate.metric in EDGES else MOST_FAILED
        times = (hold.seconds, block_s, plan.burst_s)
        return Terms(gate.allowed, gate.allowed, *times, fine_bar, dead_bar, most_a_s, alone=True)
    edge = edge_of(gate)
    allowed = max(0.0, gate.limit) / 100 if edge is None else 0.0
    usual = USUAL_FAILED if edge is None else 1 - edge[0] / 100
    most_a_s = MOST_FAILED if edge is None else MOST_SLOW
    return Terms(allowed, usual, hold.seconds, block_s, plan.burst_s, fine_bar, dead_bar, most_a_s)


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
        shown = (
            "nothing worse is shown" if any(new or live for new, _, live, _ in counts) else "nothing is compared yet"
        )
        return Verdict(gate, GateResult.PASS, value, f"{said}; {shown}")
    margin = MARGIN_FAILED if edge is None else MARGIN_SLOW
    if fine(counts, terms, terms.allowed + margin) >= FINE_BAR:
        shown = f"shown fine, to {100 * (terms.allowed + margin):g} points"
        return Verdict(gate, GateResult.PASS, value, f"{said}; {shown}")
    return Verdict(gate, GateResult.PASS, value, f"{said}; {_could_show(counts, terms)}")


def judge_alone(gate: Gate, hold: Hold, plan: Plan, measured: Measured, new: Sample | None) -> Verdict:
    """What the bets say now of the new slot alone: a value beyond the limit fails once that is surely no chance, nor
    one trouble that passes."""
    said, pairs = judge(gate, new, None), measured.paired
    if said.outcome not in (GateResult.PASS, GateResult.FAIL) or pairs is None or gate not in pairs.alone:
        return said
    terms, counts = terms_of(gate, hold, plan, pairs.block_s), by_itself(pairs.counts_alone(gate))
    outage = gate.metric not in EDGES and dead(counts, terms) >= terms.dead_bar
    if outage or evidence(counts, terms) >= terms.bar:
        # The whole hold may look well where its last part does not.
        late = ", but not of late" if said.outcome is GateResult.PASS else ""
        return replace(said, outcome=GateResult.FAIL, why=f"{said.why}{late}: {'an outage' if outage else 'surely'}")
    if said.outcome is GateResult.PASS:
        return said
    return replace(said, outcome=GateResult.INCONCLUSIVE, why=f"{said.why}: not sure yet")


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
