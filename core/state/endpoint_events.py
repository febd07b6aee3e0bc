"""Facts about an endpoint: who drives it, where its traffic goes, what was seen of it, and its load."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.domain.gates import Gate, Verdict
from core.domain.load_profile import LoadOutcome, LoadProfile, LoadSource
from core.domain.model import Contact, Noted, Observation, OtherDriver, Scaled, Slot, Version
from core.domain.sample import Sample


@dataclass(frozen=True, slots=True)
class Drove:
    """A process drives an endpoint from now on; what another one had under way is interrupted."""

    endpoint: str
    driver: str


@dataclass(frozen=True, slots=True)
class OtherDrove:
    """A driver of another machine has an endpoint from now on, or asked for other weights; or none has it any more."""

    endpoint: str
    other: OtherDriver


@dataclass(frozen=True, slots=True)
class Routed:
    """The target accepted traffic weights, in percent."""

    endpoint: str
    weights: Mapping[Slot, float]
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """Answers proved the weights. `took_ms` counts from `since`: the `key`, or the moment of asking (`route`)."""

    endpoint: str
    weights: Mapping[Slot, float]
    took_ms: float
    answers: int
    since: str = "route"
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Drilled:
    """The way back was tried on purpose, under a small load: traffic went to `to` and came again.

    Milliseconds count from the key to the proof; requests and failures are those of the load meanwhile. `copy` is the
    endpoint that it was tried on, where that was another one with the same two versions.
    """

    endpoint: str
    to: Version
    back_ms: float
    forward_ms: float
    requests: int
    failed: int
    copy: str = ""


@dataclass(frozen=True, slots=True)
class RetireDue:
    """A slot without traffic goes at `at`, in seconds since the epoch."""

    endpoint: str
    slot: Slot
    at: float


@dataclass(frozen=True, slots=True)
class Removed:
    """The target accepted that a slot goes."""

    endpoint: str
    slot: Slot
    release: str | None = None


class PendingKind(StrEnum):
    """What can be left to be done: aliases, a run folder, a slot to remove, replicas to bring back, a size by hand."""

    ALIASES = "aliases"
    REPORT = "report"
    REMOVAL = "removal"
    REPLICAS = "replicas"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Resized:
    """The target took the number of replicas that somebody asked for by hand; `why` it refused, where it did."""

    endpoint: str
    slot: Slot
    replicas: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Pended:
    """Something that was promised is not done yet; at `again_at` it is tried again. `why` empty: it is being tried.

    `back` is for aliases, `replicas` for a slot that is to get so many.
    """

    endpoint: str
    kind: PendingKind
    why: str
    again_at: float
    slot: Slot | None = None
    replicas: int = 0
    back: bool = False
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """Where an endpoint answers."""

    endpoint: str
    url: str
    environment: str = ""
    target: str = "local"
    production: bool = False


@dataclass(frozen=True, slots=True)
class Acted:
    """A person did something to an endpoint by a command that no release is asked for, such as taking it down."""

    endpoint: str
    what: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a target's watch saw of a slot."""

    endpoint: str
    observation: Observation


@dataclass(frozen=True, slots=True)
class ReplicasSeen(Observed):
    """The same, where only some replicas changed: `observation` holds those alone, and `gone` names who left."""

    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UsageSeen:
    """What each replica of a slot uses: thousandths of a core and megabytes; None where it was not measured."""

    endpoint: str
    slot: Slot
    usage: Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True)
class Sampled:
    """One second of answers of an endpoint."""

    endpoint: str
    sample: Sample


@dataclass(frozen=True, slots=True)
class Gauged:
    """A source elsewhere was asked for a figure of a slot: `value` as it was `at`, or `why` there is none.

    `failed`: it could not be measured; else there was no value to tell.
    """

    endpoint: str
    slot: Slot
    metric: str
    value: float | None
    at: float
    why: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Looked:
    """An autoscaler looked."""

    endpoint: str
    scaled: Scaled


@dataclass(frozen=True, slots=True)
class Contacted:
    """When a target was last heard of, or that it is not heard of any more."""

    endpoint: str
    contact: Contact


@dataclass(frozen=True, slots=True)
class Remarked:
    """A target said something of its own accord."""

    endpoint: str
    noted: Noted


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of output of a stage, a replica or the load. `source` says whose."""

    endpoint: str
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Tailed:
    """Somebody reads a replica's log until `until`; None: nobody any more."""

    endpoint: str
    source: str
    until: float | None


@dataclass(frozen=True, slots=True)
class LoadStarted:
    """Load began. `kind` is `background`, `test` or `manual`; `label` says what sends it.

    `by` is the process that asked for it (`core.system.processes.whoami`), and it ends with that unless it is to
    `stay`; `limits` are what it is judged by.
    """

    endpoint: str
    kind: str
    profile: LoadProfile
    label: str = ""
    web_url: str = ""
    source: LoadSource = field(default_factory=LoadSource)
    limits: tuple[Gate, ...] = ()
    by: str = ""
    stay: bool = False


@dataclass(frozen=True, slots=True)
class LoadWanted:
    """Somebody asked for other load: users, users a second, paused or not, its figures reset."""

    endpoint: str
    users: int | None = None
    spawn_rate: float | None = None
    paused: bool | None = None
    reset: bool = False
    stop: bool = False


@dataclass(frozen=True, slots=True)
class LoadEnded:
    """Load is over: written once for each that began.

    `how` and `why` say how it ended, `ran_s` how long it ran by our clock and `wanted_s` how long it should have;
    `given`: it failed at what it was given, such as a locustfile that is not there. `total` is all that was measured.
    """

    endpoint: str
    kind: str
    why: str = ""
    artifacts: tuple[str, ...] = ()
    how: LoadOutcome = LoadOutcome.GONE
    ran_s: float = 0.0
    wanted_s: float | None = None
    given: bool = False
    verdicts: tuple[Verdict, ...] = ()
    total: Sample | None = None
