"""Gates: a limit on a metric, and what a verdict on one says. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from math import ceil, log
from typing import TypeAlias

from core.domain.histogram import RATIO, bucket
from core.domain.intervals import wilson
from core.domain.sample import TIMEOUT, Sample
from core.domain.shares import PARTS, percent_of


class GateResult(StrEnum):
    """What a gate says. INCONCLUSIVE: too little data; ERROR: could not measure."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"


DIFFERING = "differing_percent"
MIX = "mix_points"
"""How the labels of two slots differ: there is no such figure of one alone."""
NAMES: Mapping[str, str] = {
    "failed_percent": "errors",
    "success_percent": "success",
    "unprocessable_percent": "422",
    DIFFERING: "differing",
    "availability_percent": "available",
    "unknown_percent": "unknown",
    "out_of_range_percent": "out of range",
    "cpu_percent": "cpu",
    "memory_percent": "memory",
    MIX: "mix",
    "ran_s": "complete",
    "exceptions_percent": "exceptions",
}
UNITS = {"_percent": " %", "_ms": " ms", "_s": " s", "rps": " rps"}
"""By how a metric's name ends."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A limit on a metric of the new slot.

    `against` names what the value is relative to (`live`: the slot that served before; `production`,
    `baseline`: other models): the limit is then a change in percent, for SHARES one in points. `window_s` is how
    far back it looks (0: to the start of the hold), `at_least` how many requests it needs, `failures` how many
    FAILs in a row it forgives. `source` says where a figure comes from that is measured elsewhere, in words: `metric`
    is its name then, `at_least` counts its values, and one older than `max_age_s` is none.
    """

    metric: str
    op: str
    limit: float
    against: str | None = None
    window_s: float = 0.0
    at_least: int = 50
    failures: int = 0
    dry_run: bool = False
    source: str = ""
    max_age_s: float = 60.0

    @property
    def name(self) -> str:
        """As people call it: `errors`, `p95 : live`."""
        name = NAMES.get(self.metric, self.metric.removesuffix("_ms").replace("_", " "))
        return f"{name} : {self.against}" if self.against else name

    @property
    def in_points(self) -> bool:
        """Whether value and limit are percentage points, and not a change in percent."""
        return self.against is not None and self.metric in SHARES and not self.source

    @property
    def unit(self) -> str:
        """What its value and its limit are in, to stand behind a number; empty where it has none."""
        if self.in_points or self.metric == MIX:
            return " points"
        if self.against is not None:
            return " %"
        return next((unit for end, unit in UNITS.items() if self.metric.endswith(end)), "")

    @property
    def compared(self) -> bool:
        """Whether it is asked of both slots second by second, by bets that may be looked at as often as one likes."""
        return self.against == LIVE and self.metric in COMPARED and not self.source

    @property
    def allowed(self) -> float | None:
        """The share of bad answers, 0 to 1, that a limit in absolute terms allows; None where it is none of a share.

        A percentile below a limit is one too: of p95, 5 % may take longer.
        """
        if self.against is not None or self.source:
            return None
        share = None
        if self.op in ("<", "<="):
            edge = EDGES.get(self.metric)
            share = 1 - edge / 100 if edge else self.limit / 100 if self.metric == FAILED else None
        elif self.metric in (SUCCESS, AVAILABILITY):
            share = 1 - self.limit / 100
        return share if share is not None and 0 < share < 1 else None

    @property
    def alone(self) -> bool:
        """Whether bets are made on the new slot alone, of a whole hold: against more bad answers than are allowed."""
        return self.allowed is not None and not self.window_s


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate said, of which value, and why in words; `asked`: how often a source elsewhere had answered then.
    With a value it is INCONCLUSIVE where that is beyond the limit, but may be so by chance."""

    gate: Gate
    outcome: GateResult
    value: float | None
    why: str
    asked: int = 0

    @property
    def unsure(self) -> bool:
        """Whether it may be chance that the value is beyond the limit: nobody goes on over that."""
        return self.outcome is GateResult.INCONCLUSIVE and self.value is not None


FAILED, SUCCESS, AVAILABILITY = "failed_percent", "success_percent", "availability_percent"
METRICS: Mapping[str, Callable[[Sample], float | None]] = {
    FAILED: lambda s: s.failed_percent,
    SUCCESS: lambda s: 100 * s.ok / s.requests if s.requests else None,
    AVAILABILITY: lambda s: 100 * (1 - s.unreached / s.requests) if s.requests else None,
    "mean_ms": lambda s: s.latency.mean_ms,
    "p50_ms": lambda s: s.latency.percentile_ms(50),
    "p95_ms": lambda s: s.latency.percentile_ms(95),
    "p99_ms": lambda s: s.latency.percentile_ms(99),
    "rps": lambda s: s.rps,
    "cpu_percent": lambda s: s.use.cpu_percent if s.use else None,
    "memory_percent": lambda s: s.use.memory_percent if s.use else None,
    **{name: partial(percent_of, name) for name in PARTS},
}
"""What can be judged while traffic flows, from the samples of a slot."""

RESTARTS = "restarts"
"""How often replicas of the new slot were started again since the hold began: nothing that an answer says."""
MEASURED = (*METRICS, MIX, RESTARTS)
SHARES = frozenset({FAILED, MIX, *PARTS})
"""Metrics that against another slot are compared in percentage points, and only where the difference is sure."""
SURE = frozenset({DIFFERING, "unknown_percent", "out_of_range_percent"})
"""Those of them that also by themselves fail only where they are surely beyond their limit."""
RISING = frozenset({SUCCESS, AVAILABILITY})
"""Metrics that are good where they are large; `rps` may be either, all others are good where they are small."""
LIVE = "live"
EDGES = {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0}
COMPARED = frozenset({FAILED, *EDGES})
"""What a bet is made on against the live slot: failures, and answers slower than its percentiles were."""
Edge: TypeAlias = tuple[float, int]
"""A percentile of the live slot, and how many buckets slower the new one may be."""


def edge_of(gate: Gate) -> Edge | None:
    """What a gate on a percentile compares by; its limit in percent is rounded up to whole buckets."""
    percent = EDGES.get(gate.metric)
    return None if percent is None else (percent, ceil(log(1 + max(0.0, gate.limit) / 100) / log(RATIO)))


def bad_of(gate: Gate, sample: Sample) -> tuple[int, int]:
    """How many answers are bad for a gate with an allowed share, and of how many. What never came was slow."""
    if gate.metric not in EDGES:
        return (sample.unreached if gate.metric == AVAILABILITY else sample.failures), sample.requests
    late, highest = sample.failed.get(TIMEOUT, 0), bucket(gate.limit)
    slow = sum(count for at, count in sample.latency.counts.items() if at > highest)
    return slow + late, sample.latency.count + late


def surely_beyond(gate: Gate, sample: Sample) -> bool:
    """Whether more answers are bad than a gate with an allowed share allows, and not by chance."""
    bad, of = bad_of(gate, sample)
    return bool(of) and wilson(bad, of)[0] > (gate.allowed or 0.0)


def with_nothing_beside(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """The gates of a hold in which the live slot gets no traffic: what is against it has nothing to compare with, but
    for the mix of labels, which what it answered just before is good for. How many requests fail or how long they
    take is another matter each minute, of callers and machines."""
    return tuple(gate for gate in gates if gate.against != LIVE or gate.metric == MIX)
