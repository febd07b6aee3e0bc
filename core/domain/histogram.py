"""Latencies as counts in logarithmic buckets: they add up, and percentiles come out at the edge."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

RATIO = 1.02
"""Width of a bucket, upper bound over lower: a percentile is off by at most 1 %."""
FLOOR_MS = 0.01
"""Anything quicker than 10 µs lies in bucket 0."""

_LOG_RATIO = math.log(RATIO)


def bucket(ms: float) -> int:
    """The bucket that holds a latency in milliseconds."""
    return 0 if ms <= FLOOR_MS else 1 + int(math.log(ms / FLOOR_MS) / _LOG_RATIO)


def middle_ms(index: int) -> float:
    """The geometric middle of a bucket, in milliseconds."""
    return FLOOR_MS if index == 0 else FLOOR_MS * RATIO ** (index - 0.5)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many answers took how long. `counts` maps a bucket to its count; `+` adds two.

    `only` names the percentiles that it has right, where its source gave no others; empty: all.
    """

    counts: Mapping[int, int] = field(default_factory=dict)
    sum_ms: float = 0.0
    min_ms: float | None = None
    max_ms: float | None = None
    only: tuple[float, ...] = ()

    @classmethod
    def of(cls, latencies_ms: Iterable[float]) -> "Histogram":
        """The histogram of single latencies in milliseconds."""
        counts: dict[int, int] = {}
        total = 0.0
        low: float | None = None
        high: float | None = None
        for ms in latencies_ms:
            index = bucket(ms)
            counts[index] = counts.get(index, 0) + 1
            total += ms
            low = ms if low is None or ms < low else low
            high = ms if high is None or ms > high else high
        return cls(counts, total, low, high)

    @classmethod
    def of_counts(cls, by_ms: Mapping[float, int]) -> "Histogram":
        """The histogram of counts that somebody else has gathered, keyed by milliseconds."""
        counts: dict[int, int] = {}
        for ms, count in by_ms.items():
            if count > 0:
                counts[bucket(ms)] = counts.get(bucket(ms), 0) + count
        seen = [ms for ms, count in by_ms.items() if count > 0]
        total = sum(ms * count for ms, count in by_ms.items() if count > 0)
        return cls(counts, total, min(seen, default=None), max(seen, default=None))

    def __add__(self, other: "Histogram") -> "Histogram":
        if not other.counts:
            return self
        if not self.counts:
            return other
        counts = dict(self.counts)
        for index, count in other.counts.items():
            counts[index] = counts.get(index, 0) + count
        lows = [ms for ms in (self.min_ms, other.min_ms) if ms is not None]
        highs = [ms for ms in (self.max_ms, other.max_ms) if ms is not None]
        low, high = min(lows, default=None), max(highs, default=None)
        only = tuple(p for p in self.only if p in other.only) if self.only and other.only else self.only or other.only
        return Histogram(counts, self.sum_ms + other.sum_ms, low, high, only)

    @property
    def count(self) -> int:
        """How many answers it holds."""
        return sum(self.counts.values())

    def knows(self, percent: float) -> bool:
        """Whether this percentile can be read from it."""
        return not self.only or percent in self.only

    @property
    def mean_ms(self) -> float | None:
        """The average in milliseconds; None when empty, or where only percentiles are known."""
        return self.sum_ms / self.count if self.counts and not self.only else None

    def percentile_ms(self, percent: float) -> float | None:
        """The latency under which `percent` of the answers lie (nearest rank); None when empty or not known."""
        if not self.counts or not self.knows(percent):
            return None
        rank = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        index = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= rank:
                break
        ms = middle_ms(index)
        ms = ms if self.max_ms is None else min(ms, self.max_ms)
        return ms if self.min_ms is None else max(ms, self.min_ms)
