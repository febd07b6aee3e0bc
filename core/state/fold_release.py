"""What a fact makes of a release. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from core.domain.gates import GateResult
from core.domain.model import Slot
from core.domain.plan import Deploy, Hold, moves_aliases
from core.state import events as ev
from core.state.release import Ending, Release, ReleaseState, Status, StepState, Way


def stopped(steps: tuple[StepState, ...]) -> tuple[StepState, ...]:
    """What was under way is so no longer, and starts again if the release comes back to it."""
    return tuple(replace(s, status=Status.INTERRUPTED, asked=False) if s.status is Status.RUNNING else s for s in steps)


def _again(release: Release) -> Release:
    """From the step that failed; from the deployment when that was done, for going back took it away."""
    first = release.index
    for at, step in enumerate(release.steps[:first]):
        if isinstance(step.step, Deploy):
            first = at
            break
    steps = tuple(s if at < first else StepState(s.step) for at, s in enumerate(release.steps))
    return replace(release, state=ReleaseState.RUNNING, steps=steps, way=None, outcome=None, why="", ended_at=None)


def _step(release: Release, index: int, **changes: object) -> Release:
    steps = list(release.steps)
    steps[index] = replace(steps[index], **changes)  # type: ignore[arg-type]
    return replace(release, steps=tuple(steps))


def _held_longer(release: Release, at: float) -> Release:
    """What a pause took does not count into a hold."""
    step = release.current
    if release.paused_at is None or step is None or not isinstance(step.step, Hold) or step.started_at is None:
        return release
    return _step(release, release.index, started_at=step.started_at + max(0.0, at - release.paused_at))


def of_release(release: Release, event: ev.Event) -> Release:
    """The release after one more fact about it."""
    at, body = event.at, event.body
    index = getattr(body, "index", None)
    if index is not None and not 0 <= index < len(release.steps):
        return release
    match body:
        case ev.Chose(version=version):
            return replace(release, version=version)
        case ev.Placed(slot=slot, old=old, old_version=old_version, old_replicas=replicas):
            placed = replace(release, slot=slot, old=old, old_version=old_version)
            return replace(placed, old_replicas=replicas, placed_replicas=replicas)
        case ev.Grew(replicas=replicas):
            return replace(release, old_replicas=max(release.old_replicas, replicas))
        case ev.Paused():
            return replace(release, paused=True, paused_at=at if release.paused_at is None else release.paused_at)
        case ev.Resumed(step_by_step=step_by_step):
            state = ReleaseState.RUNNING if release.state is ReleaseState.FORWARD else release.state
            on = replace(_held_longer(release, at), state=state, step_by_step=step_by_step)
            return replace(on, paused=False, paused_at=None)
        case ev.Reasoned(reason=reason):
            return replace(release, reason=reason)
        case ev.TruthTold(sides=sides):
            return replace(release, truth=sides)
        case _:
            return _of_step(release, event)


def _of_step(release: Release, event: ev.Event) -> Release:
    """The same, of what a fact says of one step."""
    at, body = event.at, event.body
    match body:
        case ev.StepStarted(index=i):
            return _started(release, i, at)
        case ev.StepAsked(index=i):
            return _step(release, i, asked=True, refusal="")
        case ev.AskFailed(index=int() as i, why=why):
            return _step(release, i, refusal=why)
        case ev.StepMoved(index=i, text=text, fraction=fraction, figures=figures):
            merged = {**release.steps[i].figures, **figures}
            return _step(release, i, text=text, fraction=fraction, figures=merged)
        case ev.StepDone(index=i, figure=figure, result=result):
            done = _step(release, i, status=Status.DONE, ended_at=at, figure=figure, result=result, fraction=1.0)
            return replace(done, aliases_moved=True) if moves_aliases(release.steps[i].step) else done
        case ev.StepFailed(index=i, why=why, result=result):
            return _step(release, i, status=Status.FAILED, ended_at=at, why=why, result=result)
        case ev.Judged(index=i, verdicts=verdicts):
            return _step(release, i, verdicts=verdicts, looked_at=at, fails=_fails(release.steps[i], body))
        case ev.Reached(index=i):
            return _step(release, i, reached_at=at)
        case ev.Asked(index=i):
            return _step(release, i, question=body, answer=None)
        case ev.Answered(index=i, yes=yes):
            return _step(release, i, answer=yes)
        case ev.Waved(index=i):
            return _step(release, i, waved=True)
        case _:
            return _of_way(release, event)


def _started(release: Release, index: int, at: float) -> Release:
    kept = release.steps[index]
    fresh = StepState(kept.step, Status.RUNNING, at)
    if kept.status is Status.INTERRUPTED and kept.started_at is not None:
        # What a group agreed on stands, whoever drives.
        fresh = replace(fresh, question=kept.question, answer=kept.answer, reached_at=kept.reached_at)
    return replace(release, steps=(*release.steps[:index], fresh, *release.steps[index + 1 :]))


def follows_back(release: Release) -> bool:
    """Whether a release still has a way back to go with the others of its group, at once."""
    if release.state is ReleaseState.ENDED:
        return release.outcome is ev.Outcome.DONE
    return release.state is not ReleaseState.BACK or (release.way is not None and bool(release.way.shares))


def ending(release: Release) -> Ending | None:
    """How a release has ended; None where it has not."""
    if release.outcome is None or release.ended_at is None:
        return None
    return Ending(release.outcome, release.why, release.ended_at, release.reason)


def _of_way(release: Release, event: ev.Event) -> Release:  # noqa: C901, PLR0912
    """The same, of the way back or forward and of the end."""
    at, body = event.at, event.body
    match body:
        case ev.TurnedBack(follows=follows) if follows and not follows_back(release):
            return release
        case ev.TurnedBack():
            return _turned_back(release, body, at)
        case ev.SteppedBack(left=left, why=why) if release.way is not None:
            # Its deadlines count from where the next step begins.
            begins = at if why else at + release.way.pause_s
            on = replace(release.way, shares=left, rests_until=begins, driven_at=begins, routed=False)
            return replace(release, way=on)
        case ev.TurnedForward(asked_at=asked_at) if release.way is not None:
            return _turned_forward(release, release.way, asked_at, at)
        case ev.AskFailed(why=why) if release.way is not None:
            return replace(release, way=replace(release.way, refusal=why))
        case ev.Pended() if release.way is not None and release.live:
            return replace(release, way=_left(release.way, body, release.state))
        case ev.Applied(slot=slot):
            return _applied(release, slot, at)
        case ev.Removed() if release.way is not None:
            return replace(release, way=replace(release.way, dropped=True))
        case ev.Routed() if release.way is not None:
            return replace(release, way=replace(release.way, routed=True))
        case ev.Aliased(back=back):
            mine = release.way is not None and back is (release.state is not ReleaseState.FORWARD)
            moved = replace(release.way, aliased=True) if release.way is not None and mine else release.way
            return replace(release, way=moved, aliases_moved=not back)
        case ev.Retried():
            return replace(_again(release), again_at=at)
        case ev.Ended():
            return _over(release, body, event)
        case ev.Reported(folder=folder):
            return replace(release, folder=folder)
        case _:
            return release


def _turned_back(release: Release, body: ev.TurnedBack, at: float) -> Release:
    ended = release.state is ReleaseState.ENDED
    # What a way that was stuck took away a second one takes away too.
    reached = max(release.reached, release.way.reached if release.way is not None else 0.0)
    overtaken = release.way is not None and release.state is ReleaseState.BACK and release.way.after_end
    way = Way(body.outcome, body.why, at, at, body.asked_at, after_end=ended or overtaken, reached=reached)
    drills = ending(release) if body.drill else None
    way = replace(way, shares=body.shares, pause_s=body.pause_s, delete=body.delete, drills=drills)
    back = replace(release, state=ReleaseState.BACK, way=way, steps=stopped(release.steps), reason=body.reason)
    return replace(back, paused=False, paused_at=None, outcome=None, ended_at=None)


def _turned_forward(release: Release, before: Way, asked_at: float | None, at: float) -> Release:
    asked = replace(before, began_at=at, driven_at=at, asked_at=asked_at, refusal="")
    way = replace(asked, applied_at=None, routed=False, resized=False, aliased=False, dropped=False)
    steps = tuple(replace(s, question=None, answer=None) if s.answer is False else s for s in release.steps)
    return replace(release, state=ReleaseState.FORWARD, way=way, steps=steps, outcome=None, ended_at=None)


def _over(release: Release, body: ev.Ended, event: ev.Event) -> Release:
    """It has ended; one that came forward again from a drill as it had ended before that."""
    folder = body.folder or release.folder
    over = replace(release, state=ReleaseState.ENDED, ended_seq=event.seq, folder=folder)
    if release.state is ReleaseState.FORWARD and release.way is not None and (before := release.way.drills):
        as_it_was = replace(over, outcome=before.outcome, why=before.why, reason=before.reason)
        return replace(as_it_was, ended_at=before.at)
    return replace(over, outcome=body.outcome, why=body.why, ended_at=event.at)


def _applied(release: Release, slot: Slot, at: float) -> Release:
    """Replicas were accepted: on a way, or for the share that the step at hand gives the new slot."""
    if release.way is not None:
        return replace(release, way=replace(release.way, applied_at=at))
    return _step(release, release.index, sized=True) if slot == release.slot and release.current else release


def _left(way: Way, body: ev.Pended, state: ReleaseState) -> Way:
    """The way goes on without what stays pending."""
    match body.kind:
        case ev.PendingKind.ALIASES:
            return replace(way, aliased=way.aliased or body.back is (state is not ReleaseState.FORWARD))
        case ev.PendingKind.REMOVAL:
            return replace(way, dropped=True)
        case ev.PendingKind.REPLICAS:
            return replace(way, resized=True)
        case ev.PendingKind.REPORT | ev.PendingKind.SIZE:
            return way


def _fails(step: StepState, body: ev.Judged) -> Mapping[str, int]:
    """How often in a row each gate failed (its place in the hold) or could not measure (its place and `!`).

    What a source elsewhere said once is looked at again and again, and counts once.
    """
    fails: dict[str, int] = {}
    for place, verdict in enumerate(body.verdicts):
        before = step.verdicts[place] if place < len(step.verdicts) else None
        heard = before is not None and verdict.asked > 0 and before.asked == verdict.asked
        for outcome, key in ((GateResult.FAIL, f"{place}"), (GateResult.ERROR, f"{place}!")):
            if verdict.outcome is outcome:
                fails[key] = step.fails.get(key, 0) + (not (heard and before and before.outcome is outcome))
    return fails
