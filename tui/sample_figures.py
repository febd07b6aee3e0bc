"""Figures of samples that would cost too much to take again at each frame: each second is read once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.domain.histogram import Histogram, middle_ms
from core.domain.sample import Sample, Series

PERCENTS = (50, 95, 99)
BEGINS_S = 20.0
"""A load may take so long to count its first request."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is charted of a sample over `seconds`; `latency`: p50, p95, p99 in milliseconds, None where not known."""

    rps: float
    users: int | None
    latency: Sequence[float | None]
    failed_percent: float | None
    seconds: float


def figures_of(sample: Sample) -> Figures:
    """A sample as the charts need it."""
    latency = percentiles_ms(sample.latency, PERCENTS)
    return Figures(sample.rps, sample.users, latency, sample.failed_percent, sample.seconds)


def percentiles_ms(spread: Histogram, percents: Sequence[float]) -> list[float | None]:
    """Several percentiles (rising, nearest rank) in one walk over the buckets; empty when nothing was measured.

    None where the load's source did not tell that percentile.
    """
    found: list[float] = []
    ranks = [max(1, math.ceil(spread.count * percent / 100)) for percent in percents]
    seen = 0
    for index, count in sorted(spread.counts.items()):
        seen += count
        while len(found) < len(ranks) and seen >= ranks[len(found)]:
            found.append(_within(spread, middle_ms(index)))
    return [ms if spread.knows(percent) else None for ms, percent in zip(found, percents, strict=False)]


def _within(spread: Histogram, ms: float) -> float:
    ms = ms if spread.max_ms is None else min(ms, spread.max_ms)
    return ms if spread.min_ms is None else max(ms, spread.min_ms)


class Total:
    """All samples of a series since a moment, added up as they come."""

    def __init__(self) -> None:
        self._since = math.nan
        self._sum: Sample | None = None
        self._first = math.inf

    def of(self, series: Series, since: float) -> Sample | None:
        """The sum of what was measured after `since`; None without a sample."""
        # A recording may have been set back.
        back = self._sum is not None and series.last is not None and series.last.at < self._sum.at
        if since != self._since or back:
            self._since, self._sum, self._first = since, None, math.inf
        last = max(since, self._sum.at if self._sum else since)
        new: list[Sample] = []
        for sample in reversed(series.samples):
            if sample.at <= last:
                break
            new.append(sample)
        for sample in reversed(new):
            self._first = min(self._first, sample.at - sample.seconds)
            self._sum = sample if self._sum is None else self._sum + sample
        return self._sum

    @property
    def partly_since(self) -> float | None:
        """Since when it counts, where what was measured before that is not known any more; None where it knows all."""
        return self._first if self._sum is not None and self._first > self._since + BEGINS_S else None
