"""Gates: a limit on a metric, and the verdict on what was measured. Pure; no data is never a pass."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.domain.model import Sample


class GateResult(StrEnum):
    """What a gate says. INCONCLUSIVE: too little data; ERROR: could not measure."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"


NAMES: Mapping[str, str] = {
    "failed_percent": "errors",
    "success_percent": "success",
    "ran_s": "complete",
    "exceptions_percent": "exceptions",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """A limit on a metric of the new slot.

    `against` names what the value is relative to (`live`: the slot that served before; `production`,
    `baseline`: other models): the limit is then a change in percent. `window_s` is how far back it looks (0: to
    the start of the hold), `at_least` how many requests it needs, `failures` how many FAILs in a row it forgives.
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
    "mean_ms": lambda s: s.latency.mean_ms,
    "p50_ms": lambda s: s.latency.percentile_ms(50),
    "p95_ms": lambda s: s.latency.percentile_ms(95),
    "p99_ms": lambda s: s.latency.percentile_ms(99),
    "rps": lambda s: s.rps,
}
"""What can be judged while traffic flows, from the samples of a slot."""

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
    seen = 0 if new is None else new.requests
    if new is None or seen < gate.at_least or (value := read(new)) is None:
        return Verdict(gate, GateResult.INCONCLUSIVE, None, f"{seen} of {max(1, gate.at_least)} requests")
    if gate.against is not None:
        base = None if live is None or live.requests < gate.at_least else read(live)
        if base is None:
            count = 0 if live is None else live.requests
            return Verdict(gate, GateResult.INCONCLUSIVE, None, f"{count} of {gate.at_least} requests on live")
        if base == 0:
            change = 0.0 if value == 0 else None
            if change is None:
                return Verdict(gate, GateResult.INCONCLUSIVE, None, "live is 0: no change in percent")
            value = change
        else:
            value = 100 * (value - base) / base
    good = holds(gate.op, value, gate.limit)
    text = f"{value:+.1f} %" if gate.against else f"{value:.4g}"
    why = f"{text} {'is' if good else 'is not'} {gate.op} {gate.limit:g} over {seen} requests"
    return Verdict(gate, GateResult.PASS if good else GateResult.FAIL, value, why)
