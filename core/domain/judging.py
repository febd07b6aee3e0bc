"""What a gate says of what was measured, as it is: no data is never a pass. Pure; `core.rollout.comparison` bets."""

from collections.abc import Callable, Mapping
from math import inf

from core.domain.gates import (
    AVAILABILITY,
    DIFFERING,
    FAILED,
    MEASURED,
    METRICS,
    MIX,
    RISING,
    SHARES,
    SUCCESS,
    SURE,
    Gate,
    GateResult,
    Verdict,
)
from core.domain.intervals import sure_difference, wilson
from core.domain.sample import Sample
from core.domain.shares import PARTS, labelled, mix_of
from core.system.text import in_digits

_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
OPERATORS = tuple(_HOLDS)


def holds(op: str, value: float, limit: float) -> bool:
    """Whether `value op limit`; raises KeyError for an operator that is not in OPERATORS."""
    return _HOLDS[op](value, limit)


def idle(gate: Gate) -> str:
    """Why a gate on what is measured here points the wrong way or says one thing whatever is measured; empty where it
    judges."""
    if gate.metric != "rps" and (gate.op in ("<", "<=")) == (gate.metric in RISING):
        good, ops = ("large", ">= or >") if gate.metric in RISING else ("small", "< or <=")
        return f"{gate.metric} is good where it is {good}: it takes {ops}, not {gate.op}"
    least = -100.0 if gate.against and gate.metric != MIX else 0.0
    of_all = gate.metric in (FAILED, SUCCESS, AVAILABILITY, MIX, *PARTS) and (not gate.against or gate.metric in SHARES)
    most = 100.0 if of_all else inf
    if (always := holds(gate.op, least, gate.limit)) != holds(gate.op, most, gate.limit):
        return ""
    span = f"{least:g} to {most:g}" if of_all else f"{least:g} or more"
    what = f"{gate.metric} {gate.op} {in_digits(gate.limit, 6)}"
    return f"{what} {'holds' if always else 'fails'} whatever is measured ({span})"


def judge(gate: Gate, new: Sample | None, live: Sample | None) -> Verdict:
    """The verdict on everything measured in the gate's window, of the new slot and of the live one."""
    if gate.metric not in MEASURED or gate.op not in _HOLDS:
        return Verdict(gate, GateResult.ERROR, None, f"{gate.metric} {gate.op} can't be measured here")
    seen, sure = _seen(gate, new), gate.metric in SURE or (gate.in_points and gate.metric != FAILED)
    if new is None or seen < (max(1, gate.at_least) if sure else gate.at_least):
        return Verdict(gate, GateResult.INCONCLUSIVE, None, f"{seen} of {max(1, gate.at_least)} requests")
    if sure and gate.op not in ("<", "<="):
        what = "a share against live" if gate.in_points else "such a share"
        return Verdict(gate, GateResult.ERROR, None, f"{gate.metric} {gate.op}: {what} takes < or <=")
    if gate.metric == MIX:
        return _mix(gate, new, live)
    if sure:
        return _in_points(gate, new, live) if gate.in_points else _share(gate, new)
    return _plain(gate, new, live)


def _plain(gate: Gate, new: Sample, live: Sample | None) -> Verdict:
    """A figure as it is, or its change in percent of the live slot's."""
    read = METRICS[gate.metric]
    if (value := read(new)) is None:
        nothing = f"0 of {max(1, gate.at_least)} requests" if _seen(gate, new) == 0 else "not measured"
        return Verdict(gate, GateResult.INCONCLUSIVE, None, nothing)
    if gate.against is not None:
        base = None if live is None or live.requests < gate.at_least else read(live)
        if base is None:
            return _too_little_on_live(gate, live)
        if base == 0 and value != 0 and not gate.in_points:
            return Verdict(gate, GateResult.INCONCLUSIVE, None, "live is 0: no change in percent")
        value = value - base if gate.in_points else 100 * (value - base) / base if base else 0.0
    text = f"{value:+.1f}" if gate.against else in_digits(value)
    return _limited(gate, value, f"{text}{gate.unit}", f" over {_seen(gate, new)} requests")


def _limited(gate: Gate, value: float, text: str, over: str = "") -> Verdict:
    """Whether a value holds the limit, in words."""
    good = holds(gate.op, value, gate.limit)
    why = f"{text} {'is' if good else 'is not'} {gate.op} {in_digits(gate.limit, 6)}{gate.unit}{over}"
    return Verdict(gate, GateResult.PASS if good else GateResult.FAIL, value, why)


def _seen(gate: Gate, sample: Sample | None) -> int:
    """How many requests the metric of a gate is made of."""
    if sample is None:
        return 0
    if gate.metric == MIX:
        return int(labelled(sample))
    return int(PARTS[gate.metric](sample)[1]) if gate.metric in PARTS else sample.requests


def _too_little_on_live(gate: Gate, live: Sample | None) -> Verdict:
    why = f"{_seen(gate, live)} of {max(1, gate.at_least)} requests on live"
    return Verdict(gate, GateResult.INCONCLUSIVE, None, why)


def _share(gate: Gate, new: Sample) -> Verdict:
    """A share that fails only where it is surely beyond the limit: answers to copies that differ from the user's, rows
    that the model has not seen the like of.

    Looked at each second as it is, a share of 3 % would be beyond 5 % at some moment in one of four releases.
    """
    some, of = PARTS[gate.metric](new)
    value, least = 100 * some / of, 100 * wilson(some, of)[0]
    text = f"{value:.1f} % of {_seen(gate, new)}{' compared' if gate.metric == DIFFERING else ''}"
    if not holds(gate.op, value, gate.limit) and holds(gate.op, least, gate.limit):
        return Verdict(gate, GateResult.INCONCLUSIVE, value, f"{text}: not sure yet")
    return _limited(gate, value, text)


def _in_points(gate: Gate, new: Sample, live: Sample | None) -> Verdict:
    """By how many points the new slot's share is above the live one's, over the same seconds.

    It fails only where the difference is surely beyond the limit, so that callers who send nonsense to both alike
    fail nobody, and passes where chance explains it. A share of 0 needs nothing to be compared with.
    """
    bad, of = PARTS[gate.metric](new)
    if bad == 0:
        return Verdict(gate, GateResult.PASS, 0.0, f"none of {_seen(gate, new)} requests")
    if live is None or _seen(gate, live) < max(1, gate.at_least):
        return _too_little_on_live(gate, live)
    bad_live, of_live = PARTS[gate.metric](live)
    value = 100 * (bad / of - bad_live / of_live)
    least = 100 * sure_difference(bad, of, bad_live, of_live)
    return _surely(gate, value, least, f"{value:+.1f} points", f" over {_seen(gate, new)} requests")


def _mix(gate: Gate, new: Sample, live: Sample | None) -> Verdict:
    """By how many points the share of a label differs at most between the slots, up or down."""
    if live is None or _seen(gate, live) < max(1, gate.at_least):
        return _too_little_on_live(gate, live)
    mix = mix_of(new, live)
    text = f"{mix.label} {mix.new:.1f} % against live's {mix.live:.1f} %: {mix.points:.1f} points"
    return _surely(gate, mix.points, mix.sure_points, text, f" over {_seen(gate, new)} requests")


def _surely(gate: Gate, value: float, least: float, text: str, over: str) -> Verdict:
    """Points of difference, of which `least` are there for sure."""
    if holds(gate.op, value, gate.limit):
        return _limited(gate, value, text, over)
    if least <= 0:
        return Verdict(gate, GateResult.PASS, value, f"{text} may be chance{over}")
    if holds(gate.op, least, gate.limit):
        return Verdict(gate, GateResult.INCONCLUSIVE, value, f"{text}: not sure yet{over}")
    return _limited(gate, value, text, over)
