"""What was measured of answers, second by second, and how that is added up. Frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.domain.figures import Inputs, Use, add_inputs, add_use
from core.domain.histogram import Histogram
from core.domain.model import Slot

UNPROCESSABLE = "422"
"""Well formed, and not what the model takes (RFC 9110, 15.5.21): the caller's fault, or the new version's."""

TIMEOUT = "timeout"
GAVE_UP = "gave up"
"""The caller went away after a while without an answer."""
UNREACHED = frozenset({"connect", "no replica", TIMEOUT, GAVE_UP, "protocol", "reset", "502", "503", "504"})
"""Kinds of failures in which no version answered."""
LABEL = "label:"
"""How names begin in a sample's `mix` that are labels which a model gave."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One second of answers. `slot` is None where a load generator measured, over all slots.

    `at` is the end of the second in seconds since the epoch; `failed` counts by kind; `mix` counts what
    answered, under `version:7` and `label:yes`; `users` is None where nobody counts users. `refused` counts, by
    status, what was the caller's doing: it is no request here, for it says nothing about the version. `errors`
    counts, by kind, the exceptions in the code that sends a load: those are no requests either. `quiet_s` is how
    long before `at` the last answer came; None where there was none, or nobody kept its moment. `mirrored` of the
    answers were to copies of requests: nobody got those, so a sample that has any is none of what users saw.
    `compared` of those were put beside what the user got, and `differing` of these say something else. `use` and
    `inputs` are None where nobody measured them.
    """

    slot: Slot | None
    at: float
    ok: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    users: int | None = None
    latency: Histogram = field(default_factory=Histogram)
    mix: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 1.0
    refused: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    quiet_s: float | None = None
    mirrored: int = 0
    compared: int = 0
    differing: int = 0
    use: Use | None = None
    inputs: Inputs | None = None

    def __add__(self, other: "Sample") -> "Sample":
        at = max(self.at, other.at)
        first, second = (self, other) if self.at <= other.at else (other, self)
        last = [one.at - one.quiet_s for one in (self, other) if one.quiet_s is not None]
        return Sample(
            slot=self.slot,
            at=at,
            ok=self.ok + other.ok,
            failed=add_counts(self.failed, other.failed),
            users=other.users if other.users is not None else self.users,
            latency=self.latency + other.latency,
            mix=add_counts(self.mix, other.mix),
            seconds=self.seconds + other.seconds,
            refused=add_counts(self.refused, other.refused),
            errors=add_counts(self.errors, other.errors),
            quiet_s=at - max(last) if last else None,
            mirrored=self.mirrored + other.mirrored,
            compared=self.compared + other.compared,
            differing=self.differing + other.differing,
            use=add_use(first.use, second.use),
            inputs=add_inputs(self.inputs, other.inputs),
        )

    @property
    def failures(self) -> int:
        """Answers that failed, of any kind."""
        return sum(self.failed.values())

    @property
    def requests(self) -> int:
        """All answers that say something about the version, good and failed."""
        return self.ok + self.failures

    @property
    def unreached(self) -> int:
        """Requests that no version answered: nobody there, cut off, too late, or turned away on the way."""
        return sum(count for kind, count in self.failed.items() if kind in UNREACHED)

    @property
    def rps(self) -> float:
        """Requests a second over the time that the sample covers."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def failed_percent(self) -> float | None:
        """Failures in percent of requests; None without a request."""
        return 100 * self.failures / self.requests if self.requests else None

    @property
    def unprocessable(self) -> int:
        """Requests that the model did not understand (422)."""
        return self.refused.get(UNPROCESSABLE, 0)

    @property
    def asked(self) -> int:
        """Requests that reached the model: those it answered and those it did not understand."""
        return self.requests + self.unprocessable


def add_counts(one: Mapping[str, int], two: Mapping[str, int]) -> Mapping[str, int]:
    """Two mappings of counts added up."""
    if not two:
        return one
    if not one:
        return two
    total = dict(one)
    for key, count in two.items():
        total[key] = total.get(key, 0) + count
    return total


@dataclass(frozen=True, slots=True)
class Series:
    """The last samples of one source, oldest first."""

    samples: tuple[Sample, ...] = ()

    KEEP = 900

    def plus(self, sample: Sample) -> "Series":
        """With one sample more; the oldest goes once there are `KEEP`."""
        return Series((*self.samples[-self.KEEP + 1 :], sample))

    def since(self, at: float) -> Sample | None:
        """What was measured wholly after a moment, of the samples that are kept; walks over all of them."""
        total: Sample | None = None
        for sample in self.samples:
            if sample.at - sample.seconds >= at:
                total = sample if total is None else total + sample
        return total

    @property
    def last(self) -> Sample | None:
        """The newest sample."""
        return self.samples[-1] if self.samples else None
