"""Staying at a share of the traffic: gates that watch it, and people who are asked. Pure."""

from core.domain.gates import Gate, GateResult, Verdict, judge
from core.domain.model import Sample, Series, Slot
from core.domain.plan import Hold
from core.rollout.actions import Action, Record, Wait
from core.state import events as ev
from core.state.snapshot import Release, Snapshot, Status, StepState

ERRORS_IN_A_ROW = 4
"""So often in a row a gate may fail to measure."""
LOOK_S = 1.0
"""Gates look so often, and at once when one of them changes its mind."""


def verdicts(release: Release, hold: Hold, snapshot: Snapshot, since: float, now: float) -> tuple[Verdict, ...]:
    """What the gates of a hold say now, of what was measured since it began."""

    def over(slot: Slot | None, gate: Gate) -> Sample | None:
        series = snapshot.series.get((release.endpoint, slot), Series()) if slot else Series()
        return series.since(max(since, now - gate.window_s) if gate.window_s else since)

    return tuple(judge(gate, over(release.slot, gate), over(release.old, gate)) for gate in hold.gates)


def held(release: Release, step: StepState, hold: Hold, snapshot: Snapshot, now: float) -> Action:
    """What comes of a hold now: a look, its end, a question, or nothing yet."""
    began = step.started_at or now
    said = verdicts(release, hold, snapshot, began, now)
    real = [v for v in said if not v.gate.dry_run]
    failing = [v for v in real if v.outcome in (GateResult.FAIL, GateResult.ERROR)]
    broken = _broken(step)
    if broken is not None:
        return Record((ev.StepFailed(release.id, release.index, broken),))
    if _look_due(step, said, bool(failing), now):
        return Record((ev.Judged(release.id, release.index, said),))
    if step.waved and not failing:
        return Record((ev.StepDone(release.id, release.index, "let go on"),))
    if now < began + hold.seconds:
        look = (step.looked_at or now) + LOOK_S
        return Wait("the hold to end", min(look, began + hold.seconds) if failing else began + hold.seconds)
    opened = [v for v in real if v.outcome is not GateResult.PASS]
    if not opened:
        return Record((ev.StepDone(release.id, release.index, f"{len(real)} gates hold"),))
    if now < began + hold.seconds + hold.patience_s:
        return Wait(f"{opened[0].gate.name}: {opened[0].why}", began + hold.seconds + hold.patience_s)
    names = ", ".join(f"{v.gate.name} ({v.why})" for v in opened[:3])
    return ask(release, step, f"too little data for {names}: go on?", now)


def _broken(step: StepState) -> str | None:
    """What has failed more often in a row than it may, as it was written down; None when nothing has."""
    for place, verdict in enumerate(step.verdicts):
        gate = verdict.gate
        if gate.dry_run:
            continue
        if step.fails.get(f"{place}", 0) > gate.failures:
            return f"{gate.name} {verdict.why}"
        if step.fails.get(f"{place}!", 0) > ERRORS_IN_A_ROW:
            return f"{gate.name} could not be measured: {verdict.why}"
    return None


def _look_due(step: StepState, said: tuple[Verdict, ...], failing: bool, now: float) -> bool:
    """Whether verdicts are written down: at once when an outcome changed, else once a second where there is news.

    What fails is news each second, for it is counted; more often would count the same second twice.
    """
    if [v.outcome for v in said] != [v.outcome for v in step.verdicts]:
        return True
    return now >= (step.looked_at or 0.0) + LOOK_S and (failing or said != step.verdicts)


def ask(release: Release, step: StepState, question: str, now: float) -> Action:
    """Ask a person, wait, and do as she says; nobody is a no."""
    at = release.index
    if step.answer is True:
        return Record((ev.StepDone(release.id, at, "a person said yes"),))
    if step.answer is False:
        return Record((ev.TurnedBack(release.id, ev.Outcome.ABORTED, f"a person said no to: {question}"),))
    if release.auto_approve:
        return Record((ev.StepDone(release.id, at, f"approved beforehand: {question}"),))
    if step.question is None:
        return Record((ev.Asked(release.id, at, question, now + release.ask_s),))
    if now >= step.question.until:
        why = f"nobody answered within {release.ask_s:g} s: {question}"
        return Record((ev.StepFailed(release.id, at, why),))
    return Wait(f"a person to answer: {question}", step.question.until)


def paused(release: Release, step: StepState, snapshot: Snapshot, now: float) -> Action:
    """It stays where it is, but gates go on watching the traffic that the new slot has."""
    stay = Wait("somebody to resume it")
    if not isinstance(step.step, Hold) or step.status is not Status.RUNNING:
        return stay
    action = held(release, step, step.step, snapshot, now)
    watching = isinstance(action, Record) and isinstance(action.facts[0], ev.Judged | ev.StepFailed)
    return action if watching and step.question is None else stay
