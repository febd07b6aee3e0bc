"""A recording judged anew: what gates would have said of it each second, and when they would have stopped it. Pure.

It folds the recording and asks the same analysis that a driver asks; verdicts that were written then are left out.
Where the recording ends or goes back, nobody knows what would have come after.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.domain.gates import Gate, with_nothing_beside
from core.domain.plan import FULL, Hold, Plan, Step
from core.rollout.actions import Record
from core.rollout.analysis import LOOK_S, held
from core.state import events as ev
from core.state.fold import fold
from core.state.release import ReleaseState, Status
from core.state.snapshot import Snapshot

COARSE_S = 1.5
"""The longest sample, in seconds, that gates which look each second are tried on."""
LATE_S = 60.0
MOST_FACTS = 8
"""So many facts may follow from one look; a second's look makes one or two."""


@dataclass(frozen=True, slots=True)
class BackTest:
    """What became of one recording. Moments in seconds since the epoch.

    `bad`: it had traffic and was not done in the end. `stop_at` None: these gates stop nothing. `coarse_s` is how many
    seconds of traffic the longest sample in the last minute of holds adds up; a moment is as exact as that.
    """

    release: str
    outcome: str
    bad: bool
    looks: int
    served_at: float | None = None
    back_at: float | None = None
    stop_at: float | None = None
    share: float = 0.0
    into_hold_s: float = 0.0
    why: str = ""
    coarse_s: float = 0.0

    @property
    def blurred(self) -> bool:
        """Whether its samples say too little of when: what is not stopped then was not missed."""
        return self.coarse_s > COARSE_S

    @property
    def catch_s(self) -> float | None:
        """From the first traffic to the stop."""
        return None if self.stop_at is None or self.served_at is None else self.stop_at - self.served_at


def with_gates(plan: Plan, gates: Sequence[Gate]) -> Plan:
    """A plan whose holds are watched by other gates; where nothing is beside the new slot, by those that need none."""
    return replace(plan, steps=tuple(_with(plan, at, step, tuple(gates)) for at, step in enumerate(plan.steps)))


def _with(plan: Plan, at: int, step: Step, gates: tuple[Gate, ...]) -> Step:
    if not isinstance(step, Hold) or step.warm_up:
        return step
    return replace(step, gates=with_nothing_beside(gates) if plan.share(at) >= FULL else gates)


class _Judge:
    def __init__(self, release: str, gates: Sequence[Gate] | None) -> None:
        self.release, self.gates = release, gates
        self.snapshot = Snapshot()
        self.looks = 0
        self.samples: list[tuple[float, float]] = []
        self.look_at: float | None = None
        self.served_at: float | None = None
        self.back_at: float | None = None
        self.stop: tuple[float, float, float, str] | None = None

    def hear(self, event: ev.Event) -> None:
        """One more event of the recording, after what gates would have said until then."""
        self._look_until(event.at)
        body = event.body
        mine = getattr(body, "release", None) == self.release
        if mine and isinstance(body, ev.Judged) and self._holds():
            return
        if mine and isinstance(body, ev.Began) and self.gates is not None:
            body = replace(body, plan=with_gates(body.plan, self.gates))
        self.snapshot = fold(self.snapshot, replace(event, body=body))
        release = self.snapshot.releases.get(self.release)
        if release is None:
            return
        if mine and isinstance(body, ev.StepStarted) and self._holds():
            self.look_at = event.at + LOOK_S
        if mine and isinstance(body, ev.Routed) and body.weights.get(release.slot or "") and self.served_at is None:
            self.served_at = event.at
        if mine and isinstance(body, ev.TurnedBack) and not body.drill and self.back_at is None:
            self.back_at = event.at
        if isinstance(body, ev.Sampled) and self._holds():
            self.samples.append((event.at, body.sample.seconds))

    def coarse_s(self) -> float:
        """How long the longest sample in a hold is, of the last ones before it went back or ended."""
        last = self.samples[-1][0] if self.samples else 0.0
        return max((seconds for at, seconds in self.samples if at >= last - LATE_S), default=0.0)

    def _holds(self) -> bool:
        release = self.snapshot.releases.get(self.release)
        step = release.current if release is not None and release.state is ReleaseState.RUNNING else None
        return step is not None and isinstance(step.step, Hold) and step.status is Status.RUNNING

    def _look_until(self, at: float) -> None:
        while self.stop is None and self.look_at is not None and self.look_at <= at and self._holds():
            self._look(self.look_at)
            self.look_at += LOOK_S

    def _look(self, now: float) -> None:
        """One look of a driver's: what it writes down is true here too, but for the end of the hold."""
        self.looks += 1
        for _ in range(MOST_FACTS):
            release = self.snapshot.releases[self.release]
            step = release.current
            if step is None or not isinstance(step.step, Hold):
                return
            action = held(release, step, step.step, self.snapshot, now)
            fact = action.facts[0] if isinstance(action, Record) else None
            if isinstance(fact, ev.StepFailed):
                share = release.plan.share(release.index)
                self.stop = (now, share, now - (step.started_at or now), fact.why)
            if not isinstance(fact, ev.Judged):
                return
            self.snapshot = fold(self.snapshot, ev.Event(self.snapshot.seq, now, "backtest", fact))


def backtest(events: Iterable[ev.Event], release: str, gates: Sequence[Gate] | None = None) -> BackTest:
    """Judge a release's recording with other gates, or with its own where none are given."""
    judge = _Judge(release, gates)
    for event in events:
        judge.hear(event)
    known = judge.snapshot.releases.get(release)
    outcome = known.outcome.value if known is not None and known.outcome is not None else "under way"
    bad = judge.served_at is not None and known is not None and known.outcome not in (None, ev.Outcome.DONE)
    told = BackTest(release, outcome, bad, judge.looks, judge.served_at, judge.back_at, coarse_s=judge.coarse_s())
    if judge.stop is None:
        return told
    stop_at, share, into_hold_s, why = judge.stop
    return replace(told, stop_at=stop_at, share=share, into_hold_s=into_hold_s, why=why)
