"""What must be asked of a person before a command, and what it would bring about, in figures. Pure.

The effect decides, not the key: whatever brings more traffic, or other traffic, to a new version in production needs
the environment's name; taking down what nothing served before asks once; nothing else does.
"""

from dataclasses import dataclass

from core.domain.gates import GateResult, Verdict
from core.domain.plan import Hold, Plan, Shift
from core.domain.sample import Series
from core.state.commands import Abort, Answer, Begin, Command, Next, Pause, Rollback, ScaleSlot, Undo
from core.state.release import Release, ReleaseState, Status
from core.state.snapshot import Snapshot
from core.state.together import asked_too
from core.system.text import counted

ERRORS_S = 10.0
"""The errors of now are those of so many seconds."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A question before a command. `typed`: the name of `environment` must be typed; else a yes is enough."""

    environment: str
    text: str
    typed: bool


def confirmation(command: Command, snapshot: Snapshot, now: float) -> Confirmation | None:
    """What to ask before a command that `accept` would take; None when it needs no question."""
    release = snapshot.release_of(command.endpoint)
    match command:
        case Begin(environment=environment, production=True, plan=plan):
            return Confirmation(environment, begins(plan), True)
        case Rollback() | Abort():
            names = (command.endpoint, *asked_too(command, snapshot))
            taken = (down(snapshot.release_of(name), name, snapshot) for name in names)
            return next((wanted for wanted in taken if wanted is not None), None)
        case ScaleSlot() if snapshot.endpoint(command.endpoint).production:
            return _scales(command, snapshot)
        case Next() | Answer(yes=True) | Pause() | Undo() if release is not None and release.production:
            share = _share_after(command, release)
            if share is None or share <= share_now(release, snapshot):
                return None
            return Confirmation(release.environment, _effect(command, release, share, snapshot, now), True)
        case _:
            return None


def _scales(command: ScaleSlot, snapshot: Snapshot) -> Confirmation | None:
    """Another size of what serves in production, with what it carries now; None for a slot that is not there."""
    endpoint = snapshot.endpoint(command.endpoint)
    seen = endpoint.slots.get(command.slot or endpoint.serving or "")
    if seen is None:
        return None
    carries = f"{seen.slot} has {seen.weight:g} % of the traffic"
    goes = f"scales {seen.wanted} → {counted(command.replicas, 'replica')}"
    return Confirmation(endpoint.environment, f"{goes}; {carries}", True)


def _effect(command: Command, release: Release, share: float, snapshot: Snapshot, now: float) -> str:
    """What the command does at once, then what comes of it in figures."""
    if isinstance(command, Next) and release.state is ReleaseState.ENDED:
        return f"tries again: {begins(release.plan)}"
    said = figures(release, share, snapshot, now)
    has = share_now(release, snapshot)
    if release.paused and isinstance(command, Next | Pause):
        return f"goes on at {has:g} %, and then by itself: {said}"
    return said


def _share_after(command: Command, release: Release) -> float | None:
    """The share that the new version gets before anybody is asked again; None when a command lets nothing move."""
    step, by_step = release.current, release.step_by_step
    match command:
        case Undo():
            return release.way.reached if release.way is not None else None
        case Pause(step_by_step=asked) if release.paused and asked is not None:
            return None
        case Pause(step_by_step=asked) if not release.paused and (asked is not False or not by_step):
            return None
        case Pause(step_by_step=False):
            by_step = False
        case Next() if release.state is ReleaseState.ENDED:
            return next((step.percent for step in release.plan.steps if isinstance(step, Shift)), None)
        case _:
            pass
    if step is None:
        return None
    if not by_step:
        return next_share(release)
    # Step by step only the step at hand goes on: a shift that has begun, or one that this very command begins.
    goes_on = step.status is not Status.WAITING or (isinstance(command, Next) and not release.paused)
    return step.step.percent if isinstance(step.step, Shift) and goes_on and not step.asked else None


def down(release: Release | None, endpoint: str, snapshot: Snapshot) -> Confirmation | None:
    """A way back that leaves nothing which answers."""
    if release is None or not release.live or release.state is ReleaseState.BACK or release.slot is None:
        return None
    if release.old is not None or share_now(release, snapshot) == 0:
        return None
    return Confirmation(release.environment, f"takes {endpoint} DOWN: nothing served before it", False)


def share_now(release: Release, snapshot: Snapshot) -> float:
    """The share of the traffic that the new version has or was asked to have, in percent."""
    if release.state is not ReleaseState.RUNNING:
        return 0.0
    seen = snapshot.endpoint(release.endpoint).slots.get(release.slot or "")
    return max(release.reached, seen.weight if seen is not None else 0.0)


def next_share(release: Release) -> float | None:
    """The first share that is still to come."""
    ahead = (s.step.percent for s in release.steps if isinstance(s.step, Shift) and not s.asked)
    return next(ahead, None)


def begins(plan: Plan) -> str:
    """What a release would do with traffic: `canary 0 → 10 → 50 → 100 %, 4 gates`."""
    shares = " → ".join(["0", *(f"{step.percent:g}" for step in plan.steps if isinstance(step, Shift))])
    gates = next((len(step.gates) for step in plan.steps if isinstance(step, Hold) and not step.warm_up), 0)
    if shares == "0":
        return f"{plan.strategy}, no traffic moves"
    return f"{plan.strategy} {shares} %, {_gates(gates)}"


def figures(release: Release, share: float, snapshot: Snapshot, now: float) -> str:
    """What it means, in figures: `10 → 50 %, 4 gates ✔3 ?1, errors now 0.2 %`."""
    has = share_now(release, snapshot)
    slot = release.slot or ""
    series = snapshot.series.get((release.endpoint, slot), Series())
    total = series.since(now - ERRORS_S)
    percent = total.failed_percent if total is not None else None
    errors = "no answers now" if percent is None else f"errors now {percent:.1f} %"
    return f"{has:g} → {share:g} %, {_judged(release.verdicts)}, {errors}"


def _judged(verdicts: tuple[Verdict, ...]) -> str:
    real = [v for v in verdicts if not v.gate.dry_run]
    if not real:
        return "no gate has judged"
    failed = sum(v.outcome in (GateResult.FAIL, GateResult.ERROR) for v in real)
    passed = sum(v.outcome is GateResult.PASS for v in real)
    counts = (("✖", failed), ("✔", passed), ("?", len(real) - failed - passed))
    return f"{_gates(len(real))} " + " ".join(f"{glyph}{count}" for glyph, count in counts if count)


def _gates(count: int) -> str:
    return f"{count} gate" if count == 1 else f"{count} gates"
