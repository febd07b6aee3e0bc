"""Facts, in the past tense. What is not written here did not happen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from core.gates import Verdict
from core.model import LoadProfile, LoadSource, Noted, Observation, Sample, Scaled, Slot, Version
from core.plan import Plan

Result: TypeAlias = Mapping[str, object]
"""What a step left behind, as JSON."""


class Outcome(StrEnum):
    """How a release ended."""

    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled back"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Began:
    """A release began. `ask_s` is how long a question may wait for an answer; `options` are the flags it was given."""

    release: str
    endpoint: str
    environment: str
    plan: Plan
    production: bool = False
    target: str = "local"
    step_by_step: bool = False
    auto_approve: bool = False
    ask_s: float = 600.0
    options: Result = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drove:
    """A process took the wheel of an endpoint; what another one had under way is interrupted."""

    endpoint: str
    driver: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step of a release began, for the first time or again."""

    release: str
    index: int


@dataclass(frozen=True, slots=True)
class StepAsked:
    """The target accepted what a step asks of it; from now on its watch tells."""

    release: str
    index: int


@dataclass(frozen=True, slots=True)
class StepMoved:
    """A step came further. `fraction` of 1, None when unknown; `figures` are worth showing."""

    release: str
    index: int
    text: str
    fraction: float | None = None
    figures: Result = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step is done. `figure` is its one figure for the list of stages."""

    release: str
    index: int
    figure: str = ""
    result: Result = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step failed, and why. `given`: a file, a setting or a flag must change before it is tried again."""

    release: str
    index: int
    why: str
    given: bool = False


@dataclass(frozen=True, slots=True)
class Chose:
    """The release is of this version."""

    release: str
    version: Version


@dataclass(frozen=True, slots=True)
class Placed:
    """The version goes to `slot`; `old` holds what served until now (None: nothing did)."""

    release: str
    slot: Slot
    old: Slot | None
    old_version: Version | None
    old_replicas: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """Gates looked. For a hold, of the traffic; for the step `gate`, of the model."""

    release: str
    index: int
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A person is asked; `until` in seconds since the epoch is when nobody will have answered."""

    release: str
    index: int
    question: str
    until: float


@dataclass(frozen=True, slots=True)
class Answered:
    """A person answered."""

    release: str
    index: int
    yes: bool


@dataclass(frozen=True, slots=True)
class Paused:
    """The release stays where it is."""

    release: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The release goes on by itself, or step by step."""

    release: str
    step_by_step: bool = False


@dataclass(frozen=True, slots=True)
class Waved:
    """A person let one step go on: start it, or end its hold."""

    release: str
    index: int


@dataclass(frozen=True, slots=True)
class TurnedBack:
    """All traffic returns to what served before. `asked_at` is when the key went down, if one did."""

    release: str
    outcome: Outcome
    why: str
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class TurnedForward:
    """A rollback is taken back: traffic returns to the release."""

    release: str
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """A failed release goes on from the step that failed."""

    release: str


@dataclass(frozen=True, slots=True)
class Applied:
    """The target accepted replicas for a slot on the way back or forward."""

    release: str
    slot: Slot


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
class Aliased:
    """The registry's aliases follow the traffic: forward after a promotion, back after a rollback."""

    release: str
    back: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The release is over. `folder` holds its report."""

    release: str
    outcome: Outcome
    why: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """The release's run folder is written."""

    release: str
    folder: str


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


@dataclass(frozen=True, slots=True)
class Opened:
    """Where an endpoint answers."""

    endpoint: str
    url: str
    environment: str = ""
    target: str = "local"
    production: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """What a target's watch saw of a slot."""

    endpoint: str
    observation: Observation


@dataclass(frozen=True, slots=True)
class Sampled:
    """One second of answers of an endpoint."""

    endpoint: str
    sample: Sample


@dataclass(frozen=True, slots=True)
class Looked:
    """An autoscaler looked."""

    endpoint: str
    scaled: Scaled


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
    """Load began. `kind` is `background`, `test` or `manual`; `label` says what sends it."""

    endpoint: str
    kind: str
    profile: LoadProfile
    label: str = ""
    web_url: str = ""
    source: LoadSource = field(default_factory=LoadSource)


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
    """Load is over."""

    endpoint: str
    kind: str
    why: str = ""
    artifacts: tuple[str, ...] = ()


Body: TypeAlias = (
    Began
    | Drove
    | StepStarted
    | StepAsked
    | StepMoved
    | StepDone
    | StepFailed
    | Chose
    | Placed
    | Judged
    | Asked
    | Answered
    | Paused
    | Resumed
    | Waved
    | TurnedBack
    | TurnedForward
    | Retried
    | Applied
    | Routed
    | Verified
    | Aliased
    | Ended
    | Reported
    | RetireDue
    | Removed
    | Opened
    | Observed
    | Sampled
    | Looked
    | Remarked
    | Logged
    | Tailed
    | LoadStarted
    | LoadWanted
    | LoadEnded
)

TELEMETRY = ("Observed", "Sampled", "Looked", "Logged", "StepMoved")
"""Facts that stop mattering after a while; what they led to has facts of its own."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact: its place in the journal, when (seconds since the epoch), by whom, and what."""

    seq: int
    at: float
    who: str
    body: Body
