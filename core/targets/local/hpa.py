"""The rule of Kubernetes' horizontal pod autoscaler, version 2, as a pure function. Reads no clock, starts nothing.

Source: pkg/controller/podautoscaler (horizontal.go, replica_calculator.go) of Kubernetes 1.31. This file holds what
a metric proposes; `steps.py` holds how far one look may go.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from core.domain.model import Reading
from core.domain.obstacles import Cause, Obstacle
from core.targets.local.steps import Behavior, Bounds, Memory, bounded

__all__ = ["Behavior", "Decision", "Memory", "Metric", "Pod", "Rules", "Usage", "look"]

TOLERANCE = 0.1
FRESH_S = 300.0
"""Age up to which a pod's CPU counts only when it is ready and measured since."""
GRACE_S = 30.0
"""A pod that was ready at no time after this age since its start has never been ready."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one pod used, in the unit of its request, averaged over `window_s` up to `at_s`."""

    value: float
    at_s: float
    window_s: float


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod as the autoscaler sees it. `turned_s` is when it last became ready or unready; `usage` by metric."""

    name: str
    started_s: float
    ready: bool
    turned_s: float
    pending: bool = False
    leaving: bool = False
    usage: dict[str, Usage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Metric:
    """What to hold: usage of `name` at `target` percent of each pod's `request`."""

    name: str
    target: float
    request: float


@dataclass(frozen=True, slots=True)
class Rules:
    """What an autoscaler is told. `clock` above 1 divides every time in the rule."""

    min: int
    max: int
    metrics: tuple[Metric, ...]
    behavior: Behavior | None = None
    clock: float = 1.0


@dataclass(frozen=True, slots=True)
class Decision:
    """How many pods there should be, why, what was measured, and what to remember until the next look.

    `proposed` and `obstacles` are those of `Scaled`.
    """

    after: int
    reason: str
    readings: tuple[Reading, ...]
    memory: Memory
    proposed: int | None = None
    obstacles: tuple[Obstacle, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one metric asks for; `replicas` None: it could not be measured."""

    reading: Reading
    replicas: int | None
    reason: str


def look(rules: Rules, now_n: int, pods: Sequence[Pod], memory: Memory, now_s: float) -> Decision:
    """One look of the autoscaler at `now_n` pods."""
    readings: tuple[Reading, ...] = ()
    if now_n == 0:
        return Decision(0, "scaled to zero: autoscaling is off", readings, memory, None, (Obstacle(Cause.ZERO),))
    proposals = [propose(metric, now_n, pods, now_s, rules.clock) for metric in rules.metrics]
    readings = tuple(proposal.reading for proposal in proposals)
    if now_n > rules.max:
        return Decision(
            rules.max, f"maximum: {now_n} is over {rules.max}", readings, memory.stepped(now_n, rules.max, now_s)
        )
    if now_n < rules.min:
        return Decision(
            rules.min, f"minimum: {now_n} is under {rules.min}", readings, memory.stepped(now_n, rules.min, now_s)
        )
    memory = memory.begun(now_n, now_s)
    measured = [proposal for proposal in proposals if proposal.replicas is not None]
    missing = [proposal for proposal in proposals if proposal.replicas is None]
    if not measured:
        why = "; ".join(proposal.reason for proposal in missing) or "no metric is set"
        return Decision(now_n, f"no metric: {why}", readings, memory, None, _unmeasured(missing))
    # The first of the largest, as the controller takes it.
    best = max(measured, key=lambda proposal: proposal.replicas or 0)
    wanted = best.replicas or 0
    if missing and wanted < now_n:
        said = f"no metric: {missing[0].reason}; never down without it"
        return Decision(now_n, said, readings, memory, wanted, _unmeasured(missing))
    bounds = Bounds(rules.min, rules.max, rules.behavior, rules.clock)
    step = bounded(bounds, now_n, wanted, memory, now_s)
    said = f"{best.reason}{'; ' + step.limit if step.limit else ''}"
    remembered = step.memory.stepped(now_n, step.after, now_s)
    return Decision(step.after, said, readings, remembered, wanted, (*_unmeasured(missing), *step.obstacles))


def _unmeasured(missing: Sequence[Proposal]) -> tuple[Obstacle, ...]:
    return tuple(Obstacle(Cause.NO_FIGURE, one.reading.name) for one in missing)


@dataclass(frozen=True, slots=True)
class Groups:
    """Pods by what can be said of them for one metric."""

    measured: dict[str, float]
    unready: tuple[str, ...]
    missing: tuple[str, ...]


def group(metric: Metric, pods: Iterable[Pod], now_s: float, clock: float = 1.0) -> Groups:
    """Sort pods into measured, unready and missing; those that are leaving are in none."""
    measured: dict[str, float] = {}
    unready: list[str] = []
    missing: list[str] = []
    for pod in pods:
        usage = pod.usage.get(metric.name)
        if pod.leaving:
            continue
        if pod.pending:
            unready.append(pod.name)
        elif usage is None:
            missing.append(pod.name)
        elif metric.name == "cpu" and _cold(pod, usage, now_s, clock):
            unready.append(pod.name)
        else:
            measured[pod.name] = usage.value
    return Groups(measured, tuple(unready), tuple(missing))


def _cold(pod: Pod, usage: Usage, now_s: float, clock: float) -> bool:
    """Does this pod's CPU say nothing yet about its traffic?"""
    if now_s < pod.started_s + FRESH_S / clock:
        return not pod.ready or usage.at_s < pod.turned_s + usage.window_s
    return not pod.ready and pod.started_s + GRACE_S / clock > pod.turned_s


def propose(metric: Metric, now_n: int, pods: Sequence[Pod], now_s: float, clock: float = 1.0) -> Proposal:
    """How many pods one metric asks for."""
    groups = group(metric, pods, now_s, clock)
    if not groups.measured:
        return Proposal(
            Reading(metric.name, None, metric.target), None, f"no {metric.name} of any ready replica was measured"
        )
    percent = _percent(groups.measured.values(), metric)
    reading = Reading(metric.name, float(percent), metric.target)
    said = f"{metric.name} {percent} % of {metric.target:g} %"
    ratio = percent / metric.target
    up_with_unready = bool(groups.unready) and ratio > 1
    if not up_with_unready and not groups.missing:
        if _tolerated(ratio):
            return Proposal(reading, now_n, f"{said}: within tolerance")
        return Proposal(reading, math.ceil(ratio * len(groups.measured)), said)
    filled = dict(groups.measured)
    for name in groups.missing:
        if ratio < 1:
            filled[name] = metric.request * max(100, metric.target) / 100
        elif ratio > 1:
            filled[name] = 0.0
    if up_with_unready:
        filled.update(dict.fromkeys(groups.unready, 0.0))
    counted = f"{said}, {len(groups.missing)} missing, {len(groups.unready)} not ready"
    return _cautious(reading, now_n, filled, metric, counted)


def _cautious(reading: Reading, now_n: int, filled: dict[str, float], metric: Metric, said: str) -> Proposal:
    """The proposal with guesses filled in: kept at `now_n` where they change the direction."""
    ratio = (reading.value or 0.0) / metric.target
    guess = _percent(filled.values(), metric) / metric.target
    if _tolerated(guess):
        return Proposal(reading, now_n, f"{said}: within tolerance with these counted")
    if (ratio < 1 < guess) or (guess < 1 < ratio):
        return Proposal(reading, now_n, f"{said}: counting these would turn the direction")
    wanted = math.ceil(guess * len(filled))
    if (guess < 1 and wanted > now_n) or (guess > 1 and wanted < now_n):
        return Proposal(reading, now_n, f"{said}: counting these would turn the direction")
    return Proposal(reading, wanted, said)


def _percent(values: Iterable[float], metric: Metric) -> int:
    """Usage in whole percent of the request, rounded down as the controller does."""
    used = list(values)
    return math.floor(100 * sum(used) / (metric.request * len(used)))


def _tolerated(ratio: float) -> bool:
    return 1 - TOLERANCE <= ratio <= 1 + TOLERANCE
