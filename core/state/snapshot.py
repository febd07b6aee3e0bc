"""What is true after all that happened; `core.state.fold` alone makes it, out of events.

A snapshot shares with the one before it everything that an event did not touch, so that a reader compares
identity to know what to draw again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from core.domain.gates import Gate, Verdict
from core.domain.model import LoadOutcome, LoadProfile, LoadSource, Observation, Scaled, Series, Slot, Version
from core.domain.plan import Plan, Shift, Step, Work
from core.state import events as ev
from core.state.measured import Measured

KEEP_LINES = 500
KEEP_MARKS = 100
KEEP_RELEASES = 200
"""So many of the newest releases a snapshot holds at least; up to twice as many before older ones go."""


class Status(StrEnum):
    """How far a step is. INTERRUPTED: its driver died; it starts again."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class ReleaseState(StrEnum):
    """Where a release is going: on, back to what served before, forward again, or nowhere any more."""

    RUNNING = "running"
    BACK = "back"
    FORWARD = "forward"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class StepState:
    """One step of a release and how far it is. Times are in seconds since the epoch."""

    step: Step
    status: Status = Status.WAITING
    started_at: float | None = None
    ended_at: float | None = None
    asked: bool = False
    fraction: float | None = None
    text: str = ""
    figure: str = ""
    why: str = ""
    figures: ev.Result = field(default_factory=dict)
    result: ev.Result = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    looked_at: float | None = None
    fails: Mapping[str, int] = field(default_factory=dict)
    question: ev.Asked | None = None
    answer: bool | None = None
    waved: bool = False
    refusal: str = ""
    """What the target last said when it did not take what the step asks."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way back or forward: what was asked of the target so far, and for what outcome.

    `driven_at` is when the present driver began with it: deadlines count from there. `resized`: as many replicas as
    before were asked for beside the route. `refusal` is what the target last said when it did not take something.
    """

    outcome: ev.Outcome
    why: str
    began_at: float
    driven_at: float
    asked_at: float | None = None
    applied_at: float | None = None
    routed: bool = False
    aliased: bool = False
    dropped: bool = False
    after_end: bool = False
    reached: float = 0.0
    resized: bool = False
    refusal: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """One release: its plan, how far each step is, and where it is going.

    `old_replicas` is the most that `old` had while it served, `placed_replicas` what it had when the slot was chosen.
    `began_seq` and `ended_seq` are places in the journal: what came later is decided by them, never by a clock.
    """

    id: str
    endpoint: str
    environment: str
    target: str
    plan: Plan
    steps: tuple[StepState, ...]
    by: str
    began_at: float
    production: bool = False
    auto_approve: bool = False
    step_by_step: bool = False
    ask_s: float = 600.0
    options: ev.Result = field(default_factory=dict)
    version: Version | None = None
    slot: Slot | None = None
    old: Slot | None = None
    old_version: Version | None = None
    old_replicas: int = 0
    state: ReleaseState = ReleaseState.RUNNING
    paused: bool = False
    paused_at: float | None = None
    way: Way | None = None
    undone: Way | None = None
    promoted: bool = False
    outcome: ev.Outcome | None = None
    why: str = ""
    ended_at: float | None = None
    folder: str = ""
    placed_replicas: int = 0
    began_seq: int = 0
    ended_seq: int = 0

    @property
    def index(self) -> int:
        """The first step that is not done; `len(steps)` when all are."""
        for at, step in enumerate(self.steps):
            if step.status is not Status.DONE:
                return at
        return len(self.steps)

    @property
    def current(self) -> StepState | None:
        """The step that the release is at."""
        return self.steps[self.index] if self.index < len(self.steps) else None

    @property
    def reached(self) -> float:
        """The share of the traffic that the release was given so far, in percent."""
        shares = [s.step.percent for s in self.steps if isinstance(s.step, Shift) and s.asked]
        return shares[-1] if shares else 0.0

    @property
    def touched(self) -> bool:
        """Whether traffic may have moved: what a shift asked for can land without its answer."""
        return any(isinstance(s.step, Shift) and s.status is not Status.WAITING for s in self.steps)

    @property
    def promotes(self) -> bool:
        """Whether aliases may have moved: their step has begun, whatever became of it."""
        return any(s.step == Work("promote") and s.status is not Status.WAITING for s in self.steps)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The latest verdicts on traffic or, before there is any, on the model."""
        for step in reversed(self.steps):
            if step.verdicts:
                return step.verdicts
        return ()

    @property
    def live(self) -> bool:
        """Whether it is still going somewhere."""
        return self.state is not ReleaseState.ENDED


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
    """The load that runs, or the last one that did."""

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
                return f"{self.replicas} replicas of {self.slot}"


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """What serves: slots by name, the weights that were asked for, and what happened to it."""

    name: str
    environment: str = ""
    target: str = "local"
    production: bool = False
    url: str = ""
    driver: str = ""
    slots: Mapping[Slot, Observation] = field(default_factory=dict)
    weights: Mapping[Slot, float] = field(default_factory=dict)
    verified: ev.Verified | None = None
    verified_at: float | None = None
    load: LoadState | None = None
    scaled: Mapping[Slot, Scaled] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    retire: Mapping[Slot, float] = field(default_factory=dict)
    tails: Mapping[str, float] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()

    @property
    def serving(self) -> Slot | None:
        """The slot that takes most of the traffic; None while nothing does."""
        best = max(self.slots.values(), key=lambda seen: seen.weight, default=None)
        return best.slot if best is not None and best.weight > 0 else None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log pane. `source` is what it is about."""

    seq: int
    at: float
    who: str
    endpoint: str
    source: str
    text: str
    level: str = "info"


SeriesKey: TypeAlias = tuple[str, Slot | None]


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything that is true at `at`. `series` is keyed by endpoint and slot; slot None is the load's own.

    `measured` is what the hold under way at an endpoint has to judge by.
    """

    seq: int = 0
    at: float = 0.0
    releases: Mapping[str, Release] = field(default_factory=dict)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    series: Mapping[SeriesKey, Series] = field(default_factory=dict)
    log: tuple[LogLine, ...] = ()
    measured: Mapping[str, Measured] = field(default_factory=dict)

    def endpoint(self, name: str) -> Endpoint:
        """An endpoint, also one that nothing is known of yet."""
        return self.endpoints.get(name) or Endpoint(name)

    def release_of(self, endpoint: str) -> Release | None:
        """The endpoint's release that is going somewhere or, when none is, the one that ended last in the journal."""
        mine = [release for release in self.releases.values() if release.endpoint == endpoint]
        return max(mine, key=lambda release: (release.live, release.ended_seq, release.began_seq), default=None)

    def live_release(self, endpoint: str) -> Release | None:
        """The endpoint's release that is still going somewhere."""
        release = self.release_of(endpoint)
        return release if release is not None and release.live else None


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A snapshot as it is kept: without its series, and without its releases, which are kept one by one."""

    seq: int
    at: float
    endpoints: Mapping[str, Endpoint]
    log: tuple[LogLine, ...]
    measured: Mapping[str, Measured]


def at_hand(releases: Mapping[str, Release]) -> Mapping[str, Release]:
    """The releases that matter: the newest, what is under way, and what a way back may be asked of."""
    if len(releases) <= 2 * KEEP_RELEASES:
        return releases
    needed = set(list(releases)[-KEEP_RELEASES:])
    newest: dict[tuple[str, bool], Release] = {}
    for release in releases.values():
        if release.live:
            needed.add(release.id)
        for key in ((release.endpoint, False), (release.endpoint, release.outcome is ev.Outcome.DONE)):
            if key not in newest or release.ended_seq > newest[key].ended_seq:
                newest[key] = release
    needed |= {release.id for release in newest.values()}
    return {name: release for name, release in releases.items() if name in needed}
