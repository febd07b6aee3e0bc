"""Facts, in the past tense. What is not written here did not happen.

Those of a release stand in `core.state.release_events`, those of an endpoint in `core.state.endpoint_events`, those of
its alerts in `core.state.alert_events`; all are named from here.
"""

from dataclasses import dataclass
from typing import TypeAlias

from core.state.alert_events import (
    Alerted as Alerted,
    Overtaken as Overtaken,
    Promised as Promised,
    Silenced as Silenced,
    TellingFailed as TellingFailed,
    Told as Told,
)
from core.state.endpoint_events import (
    Acted as Acted,
    Contacted as Contacted,
    Drilled as Drilled,
    Drove as Drove,
    Gauged as Gauged,
    LoadEnded as LoadEnded,
    LoadStarted as LoadStarted,
    LoadWanted as LoadWanted,
    Logged as Logged,
    Looked as Looked,
    Observed as Observed,
    Opened as Opened,
    OtherDrove as OtherDrove,
    Pended as Pended,
    PendingKind as PendingKind,
    Remarked as Remarked,
    Removed as Removed,
    ReplicasSeen as ReplicasSeen,
    Resized as Resized,
    RetireDue as RetireDue,
    Routed as Routed,
    Sampled as Sampled,
    Tailed as Tailed,
    UsageSeen as UsageSeen,
    Verified as Verified,
)
from core.state.release_events import (
    Aliased as Aliased,
    Answered as Answered,
    Applied as Applied,
    Asked as Asked,
    AskFailed as AskFailed,
    Began as Began,
    Chose as Chose,
    Ended as Ended,
    Grew as Grew,
    Judged as Judged,
    Outcome as Outcome,
    Paused as Paused,
    Placed as Placed,
    Reached as Reached,
    Reasoned as Reasoned,
    Reported as Reported,
    Result as Result,
    Resumed as Resumed,
    Retried as Retried,
    StepAsked as StepAsked,
    StepDone as StepDone,
    StepFailed as StepFailed,
    StepMoved as StepMoved,
    SteppedBack as SteppedBack,
    StepStarted as StepStarted,
    TruthTold as TruthTold,
    TurnedBack as TurnedBack,
    TurnedForward as TurnedForward,
    Waved as Waved,
)


@dataclass(frozen=True, slots=True)
class Carried:
    """A snapshot of all that came before; told to who begins to follow, never written down."""

    snapshot: object


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place of the journal that holds no fact any more, and why; never written down.

    `lasting`: what stood there was no telemetry, so that something is not known that a decision may need.
    """

    why: str
    lasting: bool = True


Body: TypeAlias = (
    Began
    | Drilled
    | Drove
    | OtherDrove
    | StepStarted
    | StepAsked
    | AskFailed
    | StepMoved
    | StepDone
    | StepFailed
    | Chose
    | Placed
    | Grew
    | Judged
    | Reached
    | Asked
    | Answered
    | Paused
    | Resumed
    | Waved
    | TurnedBack
    | SteppedBack
    | TurnedForward
    | Reasoned
    | TruthTold
    | Retried
    | Applied
    | Routed
    | Verified
    | Aliased
    | Ended
    | Reported
    | RetireDue
    | Removed
    | Resized
    | Pended
    | Opened
    | Acted
    | Observed
    | ReplicasSeen
    | UsageSeen
    | Sampled
    | Gauged
    | Looked
    | Contacted
    | Remarked
    | Logged
    | Tailed
    | LoadStarted
    | LoadWanted
    | LoadEnded
    | Alerted
    | Silenced
    | Promised
    | Told
    | TellingFailed
    | Overtaken
    | Carried
    | Unreadable
)

TELEMETRY = (
    *("Observed", "ReplicasSeen", "UsageSeen", "Sampled", "Gauged", "Looked", "Contacted", "Logged", "StepMoved"),
    "Judged",
)
"""Facts that stop mattering after a while, but for the last of each; what they led to has facts of its own."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact: its place in the journal, when (seconds since the epoch), by whom, and what."""

    seq: int
    at: float
    who: str
    body: Body
