"""A release and how far each of its steps is; `core.state.fold_release` alone makes it, out of events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.domain.figures import RightAnswers
from core.domain.gates import Verdict
from core.domain.model import Slot, Version
from core.domain.plan import Mirror, Plan, Shift, Step, moves_aliases
from core.state import events as ev


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
    sized: bool = False
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
    reached_at: float | None = None
    """Since when the release could go on from here, and waits for the others of its group."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How and when a release had ended before a drill went back from it; moments in seconds since the epoch."""

    outcome: ev.Outcome
    why: str
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Way:
    """The way back or forward: what was asked of the target so far, and for what outcome.

    `driven_at` is when the present driver began with it: deadlines count from there. `resized`: as many replicas as
    before were asked for beside the route. `refusal` is what the target last said when it did not take something.
    `shares` are the steps to come before all of it is back; `rests_until` is when the next one begins.
    `delete`: the slot that was taken back from goes at the end. `drills`: it is a drill's, of a release that ended so.
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
    shares: tuple[float, ...] = ()
    pause_s: float = 0.0
    rests_until: float | None = None
    delete: bool = False
    drills: Ending | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """One release: its plan, how far each step is, and where it is going.

    `old_replicas` is the most that `old` had while it served, `placed_replicas` what it had when the slot was chosen.
    `again_at` is when it was tried again last. `began_seq` and `ended_seq` are places in the journal: what came later
    is decided by them, never by a clock.
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
    aliases_moved: bool = False
    outcome: ev.Outcome | None = None
    why: str = ""
    ended_at: float | None = None
    folder: str = ""
    placed_replicas: int = 0
    began_seq: int = 0
    ended_seq: int = 0
    again_at: float | None = None
    reason: str = ""
    """Why its last way back was taken, in the words of whoever asked for it."""
    truth: Mapping[str, RightAnswers] = field(default_factory=dict)
    """How many answers of its version and of the one before were right, by their numbers, as far as that is known."""
    unread: int = 0
    """The place of what came since it began and can't be read; 0 where all can."""
    together: Mapping[str, str] = field(default_factory=dict)
    """The releases that go on and back as one with it, itself too, by their endpoints."""

    @property
    def since(self) -> float:
        """When what it does now, or did last, began: a release that had ended rests until it goes back or again."""
        if self.way is not None and self.way.after_end:
            return self.way.began_at
        return self.began_at if self.again_at is None else self.again_at

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
    def awaits_next(self) -> bool:
        """Whether it goes step by step and the next step has not been let go."""
        step, going = self.current, self.state is ReleaseState.RUNNING and self.step_by_step and not self.paused
        return going and step is not None and step.status is Status.WAITING and not step.waved

    @property
    def reached(self) -> float:
        """The share of the traffic that the release was given so far, in percent."""
        shares = [s.step.percent for s in self.steps if isinstance(s.step, Shift) and s.asked]
        return shares[-1] if shares else 0.0

    @property
    def touched(self) -> bool:
        """Whether traffic may have moved: what a shift asked for can land without its answer."""
        return any(isinstance(s.step, Shift | Mirror) and s.status is not Status.WAITING for s in self.steps)

    @property
    def aliases_began(self) -> bool:
        """Whether aliases may have moved: their step has begun, whatever became of it."""
        return any(moves_aliases(s.step) and s.status is not Status.WAITING for s in self.steps)

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
