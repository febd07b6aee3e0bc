"""What was measured since a hold began: added up as it comes, so that a look costs the same in its last hour. Pure."""

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from core.domain.figures import add_inputs, less_use
from core.domain.histogram import Histogram
from core.domain.model import Observation, Slot
from core.domain.sample import Sample, Series
from core.state.endpoint_events import Gauged
from core.state.gauges import Gauge
from core.state.paired import Paired

K = TypeVar("K")
PAST_S = 60.0
"""So much of the live slot's past says where its percentiles lie."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The samples of the last `seconds`, oldest first, and what they add up to."""

    seconds: float
    samples: tuple[Sample, ...] = ()
    total: Sample | None = None

    def plus(self, sample: Sample) -> "Window":
        """With one sample more and without those that have left the window."""
        samples = list(self.samples)
        bisect.insort(samples, sample, key=lambda one: one.at)
        total = sample if self.total is None else self.total + sample
        return _cut(replace(self, samples=tuple(samples), total=total), samples[-1].at)

    def until(self, now: float) -> Sample | None:
        """What lies wholly within the window that ends now; None without a sample."""
        return _cut(self, now).total


def _cut(window: Window, now: float) -> Window:
    samples, total = window.samples, window.total
    first = 0
    while first < len(samples) and samples[first].at - samples[first].seconds < now - window.seconds:
        first += 1
    if not first or total is None:
        return window
    kept = samples[first:]
    for sample in samples[:first]:
        total = _less(total, sample)
    return replace(window, samples=kept, total=_bounded(total, samples[:first], kept) if kept else None)


def _less(total: Sample, sample: Sample) -> Sample:
    latency = Histogram(
        _fewer(total.latency.counts, sample.latency.counts),
        total.latency.sum_ms - sample.latency.sum_ms,
        total.latency.min_ms,
        total.latency.max_ms,
    )
    return replace(
        total,
        ok=total.ok - sample.ok,
        failed=_fewer(total.failed, sample.failed),
        refused=_fewer(total.refused, sample.refused),
        errors=_fewer(total.errors, sample.errors),
        latency=latency,
        mix=_fewer(total.mix, sample.mix),
        seconds=total.seconds - sample.seconds,
        mirrored=total.mirrored - sample.mirrored,
        compared=total.compared - sample.compared,
        differing=total.differing - sample.differing,
        use=less_use(total.use, sample.use),
        inputs=add_inputs(total.inputs, sample.inputs, -1) if sample.inputs is not None else total.inputs,
    )


def _fewer(counts: Mapping[K, int], fewer: Mapping[K, int]) -> Mapping[K, int]:
    left = dict(counts)
    for key, count in fewer.items():
        left[key] -= count
        if not left[key]:
            del left[key]
    return left


def _bounded(total: Sample, gone: tuple[Sample, ...], kept: tuple[Sample, ...]) -> Sample:
    """The shortest and the longest can't be taken off: they are looked for again when they may have left."""
    latency = total.latency
    if not any(one.latency.min_ms == latency.min_ms or one.latency.max_ms == latency.max_ms for one in gone):
        return total
    lows = [one.latency.min_ms for one in kept if one.latency.min_ms is not None]
    highs = [one.latency.max_ms for one in kept if one.latency.max_ms is not None]
    bounded = replace(latency, min_ms=min(lows, default=None), max_ms=max(highs, default=None))
    return replace(total, latency=bounded)


@dataclass(frozen=True, slots=True, eq=False)
class SlotMeasured:
    """One slot: everything, and each window that a gate asks for."""

    total: Sample | None = None
    windows: tuple[Window, ...] = ()

    def plus(self, sample: Sample) -> "SlotMeasured":
        """With one sample more."""
        total = sample if self.total is None else self.total + sample
        return SlotMeasured(total, tuple(window.plus(sample) for window in self.windows))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a hold has to judge by: the step `index` of a release, which began at `since`. `before`: what the live slot
    answered in its last minute, where it gets nothing any more. `restarts`: those of the new slot's replicas, by their
    names, when it began."""

    release: str
    index: int
    since: float
    windows_s: tuple[float, ...] = ()
    newest: float = 0.0
    slots: Mapping[Slot, SlotMeasured] = field(default_factory=dict)
    paired: Paired | None = None
    past: Window = Window(PAST_S)
    gauges: Mapping[Slot, Mapping[str, Gauge]] = field(default_factory=dict)
    before: Sample | None = None
    restarts: Mapping[str, int] = field(default_factory=dict)

    def plus(self, sample: Sample, at: float) -> "Measured":
        """With one sample more, heard of at `at`; what began before the hold did is none of its."""
        if sample.slot is None or sample.at - sample.seconds < self.since:
            return self
        empty = SlotMeasured(windows=tuple(Window(seconds) for seconds in self.windows_s))
        added = self.slots.get(sample.slot, empty).plus(sample)
        with_it = replace(self, newest=at, slots={**self.slots, sample.slot: added})
        if self.paired is None or sample.slot not in (self.paired.new, self.paired.live):
            return with_it
        # Live's past sets the edge before its present counts: a bet must not know what it bets on.
        past = self.past.until(sample.at)
        pairs = self.paired.plus(sample, past.latency if past is not None else Histogram())
        past_now = self.past.plus(sample) if sample.slot == self.paired.live else self.past
        return replace(with_it, paired=pairs, past=past_now)

    def after(self, series: Series) -> "Measured":
        """With the last minute in which the live slot answered since its release began, out of what is at hand."""
        answered = [one for one in series.samples if one.requests]
        last = Series(tuple(answered)).since(answered[-1].at - PAST_S) if answered else None
        return replace(self, before=last)

    def restarted(self, seen: Observation) -> int:
        """How often replicas of the new slot were started again since."""
        return sum(max(0, one.restarts - self.restarts.get(one.name, 0)) for one in seen.replicas)

    def gauged(self, said: Gauged) -> "Measured":
        """With what a source elsewhere said of a slot."""
        of_slot = self.gauges.get(said.slot, {})
        gauge = of_slot.get(said.metric, Gauge()).plus(said, self.since, max(self.windows_s, default=0.0))
        return replace(self, gauges={**self.gauges, said.slot: {**of_slot, said.metric: gauge}})

    def gauge(self, slot: Slot | None, metric: str) -> Gauge | None:
        """What was said of a slot; None where nobody was asked."""
        return self.gauges.get(slot or "", {}).get(metric)

    def over(self, slot: Slot | None, window_s: float, now: float) -> Sample | None:
        """What a slot answered in the last `window_s` (0: since the hold began), added up; None without a sample."""
        seen = self.slots.get(slot) if slot is not None else None
        if seen is None or not window_s:
            return None if seen is None else seen.total
        return next((window.until(now) for window in seen.windows if window.seconds == window_s), None)
