"""What an operator may ask.

`core.state.acceptance` says what comes of it, `core.state.confirmation` what is asked of a person first. A `reason` is
in the asker's words, and nothing waits for one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from core.domain.figures import RightAnswers
from core.domain.gates import Gate
from core.domain.load_profile import LoadProfile, LoadSource
from core.domain.model import Slot, Version
from core.domain.plan import Plan
from core.state.alert import OpenQuestion
from core.system.processes import whoami


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a release, of `version` where it is known already. `options`: what the work and the report need.

    `others` begin with it, in the same moment, and go on and back as one with it.
    """

    endpoint: str
    release: str
    environment: str
    plan: Plan
    production: bool = False
    target: str = "local"
    step_by_step: bool = False
    auto_approve: bool = False
    ask_s: float = 600.0
    options: Mapping[str, object] = field(default_factory=dict)
    version: Version | None = None
    others: tuple["Begin", ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RetireSlot:
    """A slot without traffic goes now, whatever it was kept for."""

    endpoint: str
    slot: Slot
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ScaleSlot:
    """A slot gets so many replicas now; its autoscaler goes on from there. Without a name it is the one that serves.

    `least` is how few a slot may have where it stands.
    """

    endpoint: str
    replicas: int
    slot: Slot = ""
    reason: str = ""
    least: int = 1


@dataclass(frozen=True, slots=True)
class Next:
    """Let it go one step on: start it, end its hold, say yes, resume it, or try a failed release again."""

    endpoint: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the open question; with `question` that one alone, of this release alone, where it is still open."""

    endpoint: str
    yes: bool
    reason: str = ""
    question: OpenQuestion | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Stay where it is; asked again, go on. `step_by_step` says how it goes on: what is paused stays so."""

    endpoint: str
    step_by_step: bool | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Abort:
    """Give the release up: traffic returns, as by a rollback, and it can be taken back as one."""

    endpoint: str
    asked_at: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rollback:
    """All traffic back to the version before, now. `asked_at`: when the key went down, seconds since the epoch.

    With `shares` it goes in steps: the newer version keeps each of them, in percent, for `pause_s`. `delete`: its slot
    goes at the end, and the rollback can't be taken back. `drill`: it will be, and says nothing about the release.
    """

    endpoint: str
    asked_at: float | None = None
    reason: str = ""
    shares: tuple[float, ...] = ()
    pause_s: float = 0.0
    delete: bool = False
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the last rollback or abort back."""

    endpoint: str
    asked_at: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Say afterwards why the last way back was taken."""

    endpoint: str
    text: str


@dataclass(frozen=True, slots=True)
class TellTruth:
    """How many answers of each version, by its number, turned out to be right; `source` says where that stands."""

    endpoint: str
    sides: Mapping[str, RightAnswers]
    source: str = ""


@dataclass(frozen=True, slots=True)
class RecordDrill:
    """Write down that the way back was tried, and what it took: see `core.state.events.Drilled`."""

    endpoint: str
    to: Version
    back_ms: float
    forward_ms: float
    requests: int
    failed: int
    copy: str = ""


@dataclass(frozen=True, slots=True)
class StartLoad:
    """Send load by hand; users can be changed while it runs. It ends with the process that asked, unless it `stay`s.

    `limits` are what it is judged by; `by` is the asker.
    """

    endpoint: str
    profile: LoadProfile
    source: LoadSource = field(default_factory=LoadSource)
    limits: tuple[Gate, ...] = ()
    stay: bool = False
    by: str = field(default_factory=whoami, compare=False)


@dataclass(frozen=True, slots=True)
class SetLoad:
    """Other load: users by a difference or as a number, users a second, pause, reset, stop."""

    endpoint: str
    change: int = 0
    users: int | None = None
    spawn_rate: float | None = None
    paused: bool | None = None
    reset: bool = False
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Tail:
    """Follow a replica's log for `seconds`, or stop (0). `source` is a slot or a replica's name."""

    endpoint: str
    source: str
    seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class SilenceAlert:
    """An alert rule does and tells nothing for `seconds`; 0: it does again."""

    endpoint: str
    rule: str
    seconds: float
    reason: str = ""


Command: TypeAlias = (
    Begin
    | Next
    | Answer
    | Pause
    | Abort
    | Rollback
    | Undo
    | RetireSlot
    | ScaleSlot
    | Reason
    | TellTruth
    | RecordDrill
    | StartLoad
    | SetLoad
    | Tail
    | SilenceAlert
)
