"""What an endpoint answered its users, added up so that windows of seconds and of days cost little to ask for."""

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import reduce
from operator import add

from core.domain.histogram import Histogram
from core.domain.model import Slot
from core.domain.sample import Sample

RECENT_S = 1200.0
"""So long single samples are kept; further back whole buckets."""
BUCKET_S = 60.0
KEEP_S = 3 * 86400.0 + BUCKET_S


@dataclass(frozen=True, slots=True)
class Counts:
    """Answers, good and failed."""

    good: int = 0
    failed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.good + other.good, self.failed + other.failed)

    @property
    def requests(self) -> int:
        """All of them."""
        return self.good + self.failed

    @property
    def failed_percent(self) -> float:
        """Failures in percent; there must be a request."""
        return 100 * self.failed / self.requests


@dataclass(frozen=True, slots=True, order=True)
class _Seen:
    at: float
    began: float
    counts: Counts = field(compare=False)
    latency: Histogram = field(compare=False)
    slot: Slot | None = field(compare=False, default=None)


@dataclass(slots=True)
class AnswerTally:
    """One endpoint's answers: samples of the last minutes, sums of a minute for three days."""

    recent: list[_Seen] = field(default_factory=list)
    minutes: deque[tuple[float, Counts]] = field(default_factory=deque)
    last_request_at: float | None = None
    first_at: float | None = None

    def add(self, sample: Sample) -> None:
        """One sample more; what was answered to copies, or counted by a load, is not what users got."""
        if sample.slot is None or sample.mirrored:
            return
        counts = Counts(sample.ok, sample.failures)
        self.first_at = min(sample.at - sample.seconds, self.first_at or sample.at)
        insort(self.recent, _Seen(sample.at, sample.at - sample.seconds, counts, sample.latency, sample.slot))
        if sample.asked:
            quiet = sample.quiet_s or 0.0
            self.last_request_at = max(self.last_request_at or 0.0, sample.at - quiet)
        oldest = self.recent[-1].at - RECENT_S
        if self.recent[0].at < oldest - BUCKET_S:
            # Now and then, not at each sample.
            self.recent = self.recent[bisect_right(self.recent, oldest, key=lambda one: one.at) :]
        self._count(sample.at // BUCKET_S * BUCKET_S, counts)

    def _count(self, begin: float, counts: Counts) -> None:
        if self.minutes and self.minutes[-1][0] >= begin:
            # A late sample counts into the newest minute: over hours that makes no difference.
            last, before = self.minutes.pop()
            self.minutes.append((last, before + counts))
        else:
            self.minutes.append((begin, counts))
        while self.minutes[0][0] < begin - KEEP_S:
            self.minutes.popleft()

    def over(self, window_s: float, now: float, *slots: Slot) -> Counts:
        """What was answered in the last `window_s`, by all or by these slots, of which only minutes are known."""
        good = failed = 0
        if window_s <= RECENT_S or slots:
            for one in self._since(now - window_s, slots):
                good, failed = good + one.counts.good, failed + one.counts.failed
            return Counts(good, failed)
        since = now - window_s - BUCKET_S
        # Days are thousands of minutes, and every look asks for them: plain sums, from the newest on.
        for begin, counts in reversed(self.minutes):
            if begin <= since:
                break
            good, failed = good + counts.good, failed + counts.failed
        return Counts(good, failed)

    def latency(self, window_s: float, now: float, *slots: Slot) -> Histogram:
        """How long the answers of the last `window_s` took, of these slots or of all."""
        return reduce(add, (one.latency for one in self._since(now - window_s, slots)), Histogram())

    def _since(self, at: float, slots: Collection[Slot]) -> list[_Seen]:
        found = []
        for one in reversed(self.recent):
            if one.at <= at:
                break
            if not slots or one.slot in slots:
                found.append(one)
        return found
