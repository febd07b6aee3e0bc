"""An endpoint: what serves, its load and what is pending; `core.state.fold_endpoint` alone makes it, out of events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.domain.gates import Gate, Verdict
from core.domain.load_profile import LoadOutcome, LoadProfile, LoadSource
from core.domain.model import Contact, Observation, OtherDriver, Scaled, Slot, Version
from core.domain.sample import Sample
from core.state import events as ev
from core.state.alert import Alert, FailingReceiver, Hush, Untold
from core.system.text import counted

KEEP_MARKS = 100


class MarkKind(StrEnum):
    """Why a line runs through the charts."""

    SCALED = "scaled"
    TRAFFIC = "traffic"
    DIED = "died"
    USERS = "users"


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that all charts show. `slot` gives it its colour, if it has one."""

    at: float
    kind: MarkKind
    text: str
    slot: Slot | None = None


@dataclass(frozen=True, slots=True)
class LoadState:
    """The load that runs, or the last one that did; `total` is all that one measured, once it is over at `ended_at`."""

    kind: str
    profile: LoadProfile
    label: str
    started_at: float
    users: int
    spawn_rate: float
    paused: bool = False
    running: bool = True
    web_url: str = ""
    why: str = ""
    wanted_seq: int = 0
    reset_seq: int = 0
    stop: bool = False
    source: LoadSource = field(default_factory=LoadSource)
    artifacts: tuple[str, ...] = ()
    limits: tuple[Gate, ...] = ()
    by: str = ""
    stay: bool = False
    stopped_by: str = ""
    how: LoadOutcome | None = None
    verdicts: tuple[Verdict, ...] = ()
    total: Sample | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Something promised that has not come true yet. It is tried again at `again_at`, until it has.

    `why` is how the last try ended; empty while the first one is under way.
    """

    kind: ev.PendingKind
    why: str
    since: float
    tries: int
    again_at: float
    slot: Slot | None = None
    replicas: int = 0
    back: bool = False
    release: str | None = None

    @property
    def what(self) -> str:
        """In words, to stand before `: why`."""
        match self.kind:
            case ev.PendingKind.ALIASES:
                return f"aliases {'back' if self.back else 'forward'}"
            case ev.PendingKind.REPORT:
                return f"report of {self.release}"
            case ev.PendingKind.REMOVAL:
                return f"removal of {self.slot}"
            case ev.PendingKind.REPLICAS:
                return f"{counted(self.replicas, 'replica')} of {self.slot}"
            case ev.PendingKind.SIZE:
                return f"{self.slot} at {counted(self.replicas, 'replica')}"


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """What serves: slots by name, the weights that were asked for, and what happened to it.

    `other` is who drives it from another machine.
    `alerts` and `hushed` are by rule, `failing` by receiver; `told_seq` is the last fact that people were promised to
    be told of.
    `contact`: when its place was last heard of, where that place says so. `unproved`: traffic was sent elsewhere since
    answers proved it last, so that a proof of the same shares is none of these. `astray_at`: since when its traffic is
    seen to go elsewhere than it was proved to go, or no answer proves it any more.
    """

    name: str
    environment: str = ""
    target: str = "local"
    production: bool = False
    url: str = ""
    driver: str = ""
    other: OtherDriver | None = None
    slots: Mapping[Slot, Observation] = field(default_factory=dict)
    weights: Mapping[Slot, float] = field(default_factory=dict)
    verified: ev.Verified | None = None
    verified_at: float | None = None
    unproved: bool = False
    astray_at: float | None = None
    drilled: ev.Drilled | None = None
    drilled_at: float | None = None
    copy_drilled: ev.Drilled | None = None
    copy_drilled_at: float | None = None
    load: LoadState | None = None
    scaled: Mapping[Slot, Scaled] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    retire: Mapping[Slot, float] = field(default_factory=dict)
    tails: Mapping[str, float] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    hushed: Mapping[str, Hush] = field(default_factory=dict)
    untold: tuple[Untold, ...] = ()
    failing: Mapping[str, FailingReceiver] = field(default_factory=dict)
    told_seq: int = 0
    contact: Contact | None = None

    @property
    def serving(self) -> Slot | None:
        """The slot that takes most of the traffic; None while nothing does."""
        best = max(self.slots.values(), key=lambda seen: seen.weight, default=None)
        return best.slot if best is not None and best.weight > 0 else None

    @property
    def served(self) -> Version | None:
        """The version in that slot."""
        seen = self.slots.get(self.serving or "")
        return seen.version if seen is not None else None
