"""Gates: a limit on a metric, and the verdict on what was measured. Pure; no data is never a pass."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log, sqrt
from typing import TypeAlias

from core.domain.histogram import RATIO
from core.domain.model import Sample


class GateResult(StrEnum):
    """What a gate says. INCONCLUSIVE: too little data; ERROR: could not measure."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"


DIFFERING = "differing_percent"
NAMES: Mapping[str, str] = {
    "failed_percent": "errors",
    "success_percent": "success",
    "unprocessable_percent": "422",
    DIFFERING: "differing",
    "ran_s": "complete",
    "exceptions_percent": "exceptions",
}
SURE_Z = 3.0
"""How many standard errors make a difference of two shares sure: a gate looks each second, and must not tire."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A limit on a metric of the new slot.

    `against` names what the value is relative to (`live`: the slot that served before; `production`,
    `baseline`: other models): the limit is then a change in percent, for SHARES one in points. `window_s` is how
    far back it looks (0: to the start of the hold), `at_least` how many requests it needs, `failures` how many
    FAILs in a row it forgives.
    """

    metric: str
    op: str
    limit: float
    against: str | None = None
    window_s: float = 0.0
    at_least: int = 50
    failures: int = 0
    dry_run: bool = False

    @property
    def name(self) -> str:
        """As people call it: `errors`, `p95 : live`."""
        name = NAMES.get(self.metric, self.metric.removesuffix("_ms").replace("_", " "))
        return f"{name} : {self.against}" if self.against else name

    @property
    def in_points(self) -> bool:
        """Whether value and limit are percentage points, and not a change in percent."""
        return self.against is not None and self.metric in SHARES

    @property
    def compared(self) -> bool:
        """Whether it is asked of both slots second by second, by bets that may be looked at as often as one likes."""
        return self.against == LIVE and self.metric in COMPARED


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate said, of which value, and why in words."""

    gate: Gate
    outcome: GateResult
    value: float | None
    why: str


METRICS: Mapping[str, Callable[[Sample], float | None]] = {
    "failed_percent": lambda s: s.failed_percent,
    "success_percent": lambda s: 100 * s.ok / s.requests if s.requests else None,
    "unprocessable_percent": lambda s: 100 * s.unprocessable / s.asked if s.asked else None,
    "mean_ms": lambda s: s.latency.mean_ms,
    "p50_ms": lambda s: s.latency.percentile_ms(50),
    "p95_ms": lambda s: s.latency.percentile_ms(95),
    "p99_ms": lambda s: s.latency.percentile_ms(99),
    "rps": lambda s: s.rps,
    DIFFERING: lambda s: 100 * s.differing / s.compared if s.compared else None,
}
"""What can be judged while traffic flows, from the samples of a slot."""

SHARES = frozenset({"unprocessable_percent", "failed_percent"})
"""Metrics that against another slot are compared in percentage points, and only where the difference is sure."""
LIVE = "live"
EDGES = {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0}
COMPARED = frozenset({"failed_percent", *EDGES})
"""What a bet is made on against the live slot: failures, and answers slower than its percentiles were."""
Edge: TypeAlias = tuple[float, int]
"""A percentile of the live slot, and how many buckets slower the new one may be."""


def edge_of(gate: Gate) -> Edge | None:
    """What a gate on a percentile compares by; its limit in percent is rounded up to whole buckets."""
    percent = EDGES.get(gate.metric)
    return None if percent is None else (percent, ceil(log(1 + max(0.0, gate.limit) / 100) / log(RATIO)))


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


def judge(gate: Gate, new: Sample | None, live: Sample | None) -> Verdict:
    """The verdict on everything measured in the gate's window, of the new slot and of the live one."""
    read = METRICS.get(gate.metric)
    if read is None or gate.op not in _HOLDS:
        return Verdict(gate, GateResult.ERROR, None, f"{gate.metric} {gate.op} can't be measured here")
    seen = _seen(gate, new)
    if new is None or seen < gate.at_least or (value := read(new)) is None:
        return Verdict(gate, GateResult.INCONCLUSIVE, None, f"{seen} of {max(1, gate.at_least)} requests")
    if gate.metric == DIFFERING:
        return _differing(gate, new)
    if gate.in_points and gate.metric != "failed_percent":
        return _in_points(gate, new, live)
    if gate.against is not None:
        base = None if live is None or live.requests < gate.at_least else read(live)
        if base is None:
            return _too_little_on_live(gate, live)
        if base == 0 and value != 0:
            return Verdict(gate, GateResult.INCONCLUSIVE, None, "live is 0: no change in percent")
        value = 100 * (value - base) / base if base else 0.0
    good = holds(gate.op, value, gate.limit)
    text = f"{value:+.1f} %" if gate.against else f"{value:.4g}"
    why = f"{text} {'is' if good else 'is not'} {gate.op} {gate.limit:g} over {seen} requests"
    return Verdict(gate, GateResult.PASS if good else GateResult.FAIL, value, why)


def _seen(gate: Gate, sample: Sample | None) -> int:
    """How many requests the metric of a gate is made of."""
    if sample is None:
        return 0
    if gate.metric == DIFFERING:
        return sample.compared
    return sample.asked if gate.metric == "unprocessable_percent" else sample.requests


def _too_little_on_live(gate: Gate, live: Sample | None) -> Verdict:
    why = f"{_seen(gate, live)} of {gate.at_least} requests on live"
    return Verdict(gate, GateResult.INCONCLUSIVE, None, why)


def _differing(gate: Gate, new: Sample) -> Verdict:
    """How many answers to copies differ from the user's. It fails only where their share is surely beyond the limit.

    Looked at each second as it is, a share of 3 % would be beyond 5 % at some moment in one of four releases.
    """
    if gate.op not in ("<", "<="):
        return Verdict(gate, GateResult.ERROR, None, f"{gate.metric} {gate.op}: what differs takes < or <=")
    value, least = 100 * new.differing / new.compared, 100 * _wilson(new.differing, new.compared, SURE_Z)[0]
    text = f"{value:.1f} % of {new.compared} compared"
    if holds(gate.op, value, gate.limit):
        return Verdict(gate, GateResult.PASS, value, f"{text} is {gate.op} {gate.limit:g}")
    if holds(gate.op, least, gate.limit):
        return Verdict(gate, GateResult.INCONCLUSIVE, None, f"{text}: not sure yet")
    return Verdict(gate, GateResult.FAIL, value, f"{text} is not {gate.op} {gate.limit:g}")


def _in_points(gate: Gate, new: Sample, live: Sample | None) -> Verdict:
    """By how many points the new slot's share is above the live one's, over the same seconds.

    It fails only where the difference is surely beyond the limit, so that callers who send nonsense to both alike
    fail nobody, and passes where chance explains it. A share of 0 needs nothing to be compared with.
    """
    if gate.op not in ("<", "<="):
        return Verdict(gate, GateResult.ERROR, None, f"{gate.metric} {gate.op}: a share against live takes < or <=")
    bad, seen = new.unprocessable, new.asked
    if bad == 0:
        return Verdict(gate, GateResult.PASS, 0.0, f"none of {seen} requests")
    if live is None or live.asked < max(1, gate.at_least):
        return _too_little_on_live(gate, live)
    value = 100 * (bad / seen - live.unprocessable / live.asked)
    least = 100 * sure_difference(bad, seen, live.unprocessable, live.asked)
    text = f"{value:+.1f} points"
    if holds(gate.op, value, gate.limit):
        return Verdict(gate, GateResult.PASS, value, f"{text} is {gate.op} {gate.limit:g} over {seen} requests")
    if least <= 0:
        return Verdict(gate, GateResult.PASS, value, f"{text} may be chance over {seen} requests")
    if holds(gate.op, least, gate.limit):
        return Verdict(gate, GateResult.INCONCLUSIVE, None, f"{text}: not sure yet over {seen} requests")
    return Verdict(gate, GateResult.FAIL, value, f"{text} is not {gate.op} {gate.limit:g} over {seen} requests")


def sure_difference(one: int, of_one: int, two: int, of_two: int, z: float = SURE_Z) -> float:
    """The lower bound of the difference of two shares, from -1 to 1.

    Newcombe's hybrid score interval: Interval estimation for the difference between independent proportions,
    Statistics in Medicine 17 (1998), method 10.
    """
    share_one, share_two = one / of_one, two / of_two
    low, high = _wilson(one, of_one, z)[0], _wilson(two, of_two, z)[1]
    return share_one - share_two - sqrt((share_one - low) ** 2 + (high - share_two) ** 2)


def _wilson(count: int, of: int, z: float) -> tuple[float, float]:
    """Wilson's score interval of one share: Journal of the American Statistical Association 22 (1927)."""
    share, spread = count / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / of + spread / (4 * of))
    return middle - half, middle + half


def with_nothing_beside(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """The gates of a hold in which the live slot gets no traffic: what is against it has nothing to compare with."""
    return tuple(gate for gate in gates if gate.against != LIVE)
