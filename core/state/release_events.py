"""Facts about a release: how far its steps are, what its gates said, and where it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from core.domain.figures import RightAnswers
from core.domain.gates import Verdict
from core.domain.model import Slot, Version
from core.domain.plan import Plan

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
    """A release began. `ask_s` is how long a question may wait for an answer; `options` are the flags it was given.

    `together`: the releases that begin, go on and go back as one with this one, itself too, by their endpoints.
    """

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
    together: Mapping[str, str] = field(default_factory=dict)


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
class AskFailed:
    """The target did not take what a release asks of it, and why; it is asked again.

    `times` counts the tries that ended in these words. `index` None: on the way back or forward.
    """

    release: str
    why: str
    times: int = 1
    index: int | None = None


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
    """A step failed, and why. `given`: a file, a setting or a flag must change before it is tried again.

    `result` is what it came to all the same, such as the figures of a load test.
    """

    release: str
    index: int
    why: str
    given: bool = False
    result: Result = field(default_factory=dict)


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
class Grew:
    """What serves beside the release has more replicas than before; a way back brings as many."""

    release: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Judged:
    """Gates looked. For a hold, of the traffic; for the step `gate`, of the model."""

    release: str
    index: int
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """A release could go on from a step and stays there until the others of its group can too; `waits_for` in words."""

    release: str
    index: int
    waits_for: str


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
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Paused:
    """The release stays where it is."""

    release: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The release goes on by itself, or step by step."""

    release: str
    step_by_step: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Waved:
    """A person let one step go on: start it, or end its hold."""

    release: str
    index: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TurnedBack:
    """All traffic returns to what served before. `asked_at` is when the key went down, if one did.

    `why` is what happened, `reason` what whoever asked for it says. With `shares` it goes in steps: the release
    keeps each of them, in percent, for `pause_s`. `follows` is the release of its group that it goes back with.
    `delete`: its slot is not kept for a while, in case that is taken back. `drill`: once that is taken back, it has
    ended as it had before.
    """

    release: str
    outcome: Outcome
    why: str
    asked_at: float | None = None
    reason: str = ""
    shares: tuple[float, ...] = ()
    pause_s: float = 0.0
    follows: str = ""
    delete: bool = False
    drill: bool = False


@dataclass(frozen=True, slots=True)
class SteppedBack:
    """A step of the way back is over: answers proved its share, or `why` it is not waited for; `left` are to come."""

    release: str
    share: float
    left: tuple[float, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class TurnedForward:
    """A rollback is taken back: traffic returns to the release."""

    release: str
    asked_at: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reasoned:
    """Somebody said afterwards why the last way back was taken."""

    release: str
    reason: str


@dataclass(frozen=True, slots=True)
class TruthTold:
    """The truth about answers came later: of each version, by its number, how many were right. The newest counts."""

    release: str
    sides: Mapping[str, RightAnswers]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Retried:
    """A failed release goes on from the step that failed."""

    release: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """The target accepted replicas for a slot on the way back or forward."""

    release: str
    slot: Slot


@dataclass(frozen=True, slots=True)
class Aliased:
    """The registry's aliases follow the traffic: forward after full traffic, back after a rollback.

    `why` says where somebody else had moved them meanwhile.
    """

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
