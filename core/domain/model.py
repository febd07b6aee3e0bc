"""The nouns: what is served, where, how much of it, and what was measured. Frozen; nothing here does anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from core.domain.figures import Inputs, Use, add_inputs, add_use
from core.domain.histogram import Histogram
from core.domain.obstacles import Obstacle

UNPROCESSABLE = "422"
"""Well formed, and not what the model takes (RFC 9110, 15.5.21): the caller's fault, or the new version's."""

TIMEOUT = "timeout"
GAVE_UP = "gave up"
"""The caller went away after a while without an answer."""
UNREACHED = frozenset({"connect", "no replica", TIMEOUT, GAVE_UP, "protocol", "reset", "502", "503", "504"})
"""Kinds of failures in which no version answered."""
LABEL = "label:"
"""How names begin in a sample's `mix` that are labels which a model gave."""

Slot: TypeAlias = str
"""One of the places of an endpoint that can hold a version: `blue` or `green` where the target lets us choose."""


@dataclass(frozen=True, slots=True)
class Version:
    """What the registry calls this model. `uri` is where it can be loaded from, `digest` its data's."""

    model: str
    number: str
    run_id: str = ""
    uri: str = ""
    digest: str = ""

    @property
    def label(self) -> str:
        """As people say it: `v7`."""
        return f"v{self.number}"

    @property
    def full(self) -> str:
        """With its model: `late v7`."""
        return f"{self.model} {self.label}"

    def older_than(self, other: "Version") -> bool:
        """Whether it was registered before another of the same model, as far as their numbers say."""
        numbers = (self.number, other.number)
        return self.model == other.model and all(n.isdecimal() for n in numbers) and int(numbers[0]) < int(numbers[1])


class ReplicaState(StrEnum):
    """What one replica is doing. A `pending` one waits for a machine that takes it."""

    PENDING = "pending"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    BACKOFF = "backoff"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Replica:
    """One process (or pod) of a slot. `cpu_m` is in thousandths of a core; `why` says what is wrong, if anything.

    `node` is the machine that it is on and `since` when it was made, in seconds since the epoch; both only where the
    place has more than one machine.
    """

    name: str
    state: ReplicaState
    cpu_m: float | None = None
    memory_mb: float | None = None
    restarts: int = 0
    why: str = ""
    node: str = ""
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What is true of one slot of an endpoint, now. `weight` is in percent, as the router applies it.

    `mirror` is how many percent of the requests are copied to it; nobody gets its answers to those. `proved_by`
    counts the answers that showed the weight in force. A slot that is gone has no version. `costs` is what is paid for
    it an hour, in few words; empty where that is nothing, or known to nobody. `held`: so many replicas it has for as
    long as they are its share of the traffic; 0 where it has as many as are wanted.
    """

    slot: Slot
    version: Version | None
    wanted: int
    ready: int
    weight: float
    replicas: tuple[Replica, ...] = ()
    proved_by: int = 0
    why: str = ""
    mirror: float = 0.0
    costs: str = ""
    held: int = 0

    @property
    def due(self) -> int:
        """So many replicas it should have now."""
        return self.held or self.wanted


class StickyBy(StrEnum):
    """Where callers say who they are."""

    HEADER = "header"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class Sticky:
    """What keeps a caller on one side of a split: a header or a cookie of theirs. Who sends none is split by chance."""

    by: StickyBy
    name: str


@dataclass(frozen=True, slots=True)
class OtherDriver:
    """Who of another machine has an endpoint, since when (seconds since the epoch); nobody where `by` is empty.

    `release` is under way there, `weights` are what was asked for last, in percent. `took` is the release of this
    driver that was under way when it was followed.
    """

    by: str = ""
    since: float = 0.0
    release: str = ""
    weights: Mapping[Slot, float] = field(default_factory=dict)
    took: str = ""


@dataclass(frozen=True, slots=True)
class Synced:
    """A watch has told everything that is true: these slots and no others. Kubernetes calls it HasSynced."""

    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """When a place was last heard of, in seconds since the epoch, and `lost`: why nothing was since, where that is
    long. Places that say so at rest too say it every few seconds."""

    at: float
    lost: str = ""


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


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of an autoscaler beside its target, both in percent of the request; `value` None: not measured."""

    name: str
    value: float | None
    target: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """One look of an autoscaler, also when it changed nothing; `reason` is in words.

    `proposed` is what the readings alone ask for, None where none was measured; `obstacles` are why it is not so.
    """

    slot: Slot
    at: float
    before: int
    after: int
    reason: str
    readings: tuple[Reading, ...] = ()
    min: int = 1
    max: int = 1
    next_look_s: float = 15.0
    fast: bool = False
    proposed: int | None = None
    obstacles: tuple[Obstacle, ...] = ()


class Level(StrEnum):
    """How loud a note is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Noted:
    """Something a target did or saw by itself, in words: a replica died, the router came back."""

    text: str
    level: Level = Level.INFO
    slot: Slot | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class LoadStage:
    """A stretch of a step profile: these users from `at_s` on, in seconds from the start."""

    at_s: float
    users: int
    spawn_rate: float


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """How much load, for how long. `spawn_rate` in users a second; `duration_s` None runs until it is stopped.

    `user_classes` names classes of the locustfile; empty means all. `stages` make a step profile.
    """

    name: str
    users: int
    spawn_rate: float
    duration_s: float | None
    user_classes: tuple[str, ...] = ()
    stages: tuple[LoadStage, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadSource:
    """What sends a load, where it is not as the project says.

    `locustfile` is a path, `attach` the page of a Locust that runs already, `web` opens Locust's own page.
    With `processes` (1 or more) everything is said here, and no locustfile means the one that ships.
    """

    locustfile: str = ""
    attach: str = ""
    web: bool = False
    processes: int = 0


class LoadOutcome(StrEnum):
    """How a load ended. Only `finished` and `shape ended` are ends that were wanted from the start."""

    FINISHED = "finished"
    SHAPE_ENDED = "shape ended"
    STOPPED = "stopped"
    LET_GO = "let go"
    EXITED = "exited"
    KILLED = "killed"
    HUNG = "hung"
    NOT_BEGUN = "not begun"
    GONE = "gone"
