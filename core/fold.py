"""Events into state: the only code that makes a snapshot. Pure; an event about something unknown changes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from core import events as ev
from core.gates import Outcome, Verdict
from core.model import Level, Series, Slot
from core.plan import Deploy, Work, title
from core.snapshot import (
    KEEP_LINES,
    KEEP_MARKS,
    Endpoint,
    LoadState,
    LogLine,
    Mark,
    MarkKind,
    Release,
    Snapshot,
    State,
    Status,
    StepState,
    Way,
)
from core.words import words

K = TypeVar("K")
V = TypeVar("V")


def fold(snapshot: Snapshot, event: ev.Event) -> Snapshot:
    """The snapshot after one more event."""
    body = event.body
    releases, endpoints, series = snapshot.releases, snapshot.endpoints, snapshot.series
    if isinstance(body, ev.Began):
        releases = _with(releases, body.release, _began(event, body))
        endpoints = _met(endpoints, body)
    elif (release := releases.get(getattr(body, "release", None) or "")) is not None:
        changed = _of_release(release, event)
        releases = releases if changed is release else _with(releases, release.id, changed)
    elif isinstance(body, ev.Drove):
        releases = _interrupted(releases, body.endpoint, event.at)
    name = getattr(body, "endpoint", None)
    if name is not None and not isinstance(body, ev.Began):
        endpoint = endpoints.get(name) or Endpoint(name)
        changed_endpoint = _of_endpoint(endpoint, event)
        if changed_endpoint is not endpoints.get(name):
            endpoints = _with(endpoints, name, changed_endpoint)
    if isinstance(body, ev.Sampled):
        key = (body.endpoint, body.sample.slot)
        series = _with(series, key, series.get(key, Series()).plus(body.sample))
    return Snapshot(event.seq, event.at, releases, endpoints, series, _log(snapshot, releases, event))


def fold_all(events: Iterable[ev.Event], start: Snapshot | None = None) -> Snapshot:
    """The snapshot after many events."""
    snapshot = start or Snapshot()
    for event in events:
        snapshot = fold(snapshot, event)
    return snapshot


def _with(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return {**mapping, key: value}


def _without(mapping: Mapping[K, V], key: K) -> Mapping[K, V]:
    return {k: v for k, v in mapping.items() if k != key}


def _began(event: ev.Event, body: ev.Began) -> Release:
    return Release(
        id=body.release,
        endpoint=body.endpoint,
        environment=body.environment,
        target=body.target,
        plan=body.plan,
        steps=tuple(StepState(step) for step in body.plan.steps),
        by=event.who,
        began_at=event.at,
        production=body.production,
        auto_approve=body.auto_approve,
        step_by_step=body.step_by_step,
        ask_s=body.ask_s,
        options=body.options,
    )


def _met(endpoints: Mapping[str, Endpoint], body: ev.Began) -> Mapping[str, Endpoint]:
    endpoint = endpoints.get(body.endpoint) or Endpoint(body.endpoint)
    known = replace(endpoint, environment=body.environment, target=body.target, production=body.production)
    return _with(endpoints, body.endpoint, known)


def _interrupted(releases: Mapping[str, Release], endpoint: str, at: float) -> Mapping[str, Release]:
    """What a dead driver had under way starts again; what was asked of the target is asked again."""
    changed = dict(releases)
    for release in releases.values():
        if release.endpoint != endpoint or not release.live:
            continue
        steps = _stopped(release.steps)
        way = replace(release.way, applied_at=None, routed=False, driven_at=at) if release.way else None
        changed[release.id] = replace(release, steps=steps, way=way)
    return changed


def _stopped(steps: tuple[StepState, ...]) -> tuple[StepState, ...]:
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
    return replace(release, state=State.RUNNING, steps=steps, way=None, outcome=None, why="", ended_at=None)


def _step(release: Release, index: int, **changes: object) -> Release:
    steps = list(release.steps)
    steps[index] = replace(steps[index], **changes)  # type: ignore[arg-type]
    return replace(release, steps=tuple(steps))


def _of_release(release: Release, event: ev.Event) -> Release:  # noqa: C901, PLR0912
    at, body = event.at, event.body
    index = getattr(body, "index", None)
    if index is not None and not 0 <= index < len(release.steps):
        return release
    match body:
        case ev.StepStarted(index=i):
            fresh = StepState(release.steps[i].step, Status.RUNNING, at, waved=release.steps[i].waved)
            kept = release.steps[i]
            if kept.status is Status.INTERRUPTED and kept.started_at is not None:
                fresh = replace(fresh, question=kept.question, answer=kept.answer)
            return replace(release, steps=(*release.steps[:i], replace(fresh, waved=False), *release.steps[i + 1 :]))
        case ev.StepAsked(index=i):
            return _step(release, i, asked=True)
        case ev.StepMoved(index=i, text=text, fraction=fraction, figures=figures):
            merged = {**release.steps[i].figures, **figures}
            return _step(release, i, text=text, fraction=fraction, figures=merged)
        case ev.StepDone(index=i, figure=figure, result=result):
            done = _step(release, i, status=Status.DONE, ended_at=at, figure=figure, result=result, fraction=1.0)
            promoted = isinstance(release.steps[i].step, Work) and title(release.steps[i].step) == "promote"
            return replace(done, promoted=True) if promoted else done
        case ev.StepFailed(index=i, why=why):
            return _step(release, i, status=Status.FAILED, ended_at=at, why=why)
        case ev.Chose(version=version):
            return replace(release, version=version)
        case ev.Placed(slot=slot, old=old, old_version=old_version, old_replicas=replicas):
            return replace(release, slot=slot, old=old, old_version=old_version, old_replicas=replicas)
        case ev.Judged(index=i, verdicts=verdicts):
            return _step(release, i, verdicts=verdicts, looked_at=at, fails=_fails(release.steps[i], body))
        case ev.Asked(index=i):
            return _step(release, i, question=body, answer=None)
        case ev.Answered(index=i, yes=yes):
            return _step(release, i, answer=yes)
        case ev.Paused():
            return replace(release, paused=True)
        case ev.Resumed(step_by_step=step_by_step):
            state = State.RUNNING if release.state is State.FORWARD else release.state
            return replace(release, state=state, paused=False, step_by_step=step_by_step)
        case ev.Waved(index=i):
            return _step(release, i, waved=True)
        case _:
            return _of_way(release, event)


def _of_way(release: Release, event: ev.Event) -> Release:
    at, body = event.at, event.body
    match body:
        case ev.TurnedBack(outcome=outcome, why=why, asked_at=asked_at):
            ended = release.state is State.ENDED
            way = Way(outcome, why, at, at, asked_at, after_end=ended, reached=release.reached)
            steps = _stopped(release.steps)
            return replace(release, state=State.BACK, way=way, steps=steps, paused=False, outcome=None, ended_at=None)
        case ev.TurnedForward(asked_at=asked_at) if release.way is not None:
            asked = replace(release.way, began_at=at, driven_at=at, asked_at=asked_at)
            way = replace(asked, applied_at=None, routed=False, aliased=False, dropped=False)
            return replace(release, state=State.FORWARD, way=way, outcome=None, ended_at=None)
        case ev.Applied():
            return replace(release, way=replace(release.way, applied_at=at) if release.way else None)
        case ev.Removed() if release.way is not None:
            return replace(release, way=replace(release.way, dropped=True))
        case ev.Routed() if release.way is not None:
            return replace(release, way=replace(release.way, routed=True))
        case ev.Aliased(back=back):
            aliased = replace(release.way, aliased=True) if release.way else None
            return replace(release, way=aliased, promoted=not back)
        case ev.Retried():
            return _again(release)
        case ev.Ended(outcome=outcome, why=why, folder=folder):
            return replace(
                release,
                state=State.ENDED,
                outcome=outcome,
                why=why,
                ended_at=at,
                folder=folder or release.folder,
            )
        case ev.Reported(folder=folder):
            return replace(release, folder=folder)
        case _:
            return release


def _fails(step: StepState, body: ev.Judged) -> Mapping[str, int]:
    """How often in a row each gate failed (its place in the hold) or could not measure (its place and `!`)."""
    fails: dict[str, int] = {}
    for place, verdict in enumerate(body.verdicts):
        for outcome, key in ((Outcome.FAIL, f"{place}"), (Outcome.ERROR, f"{place}!")):
            if verdict.outcome is outcome:
                fails[key] = step.fails.get(key, 0) + 1
    return fails


def _of_endpoint(endpoint: Endpoint, event: ev.Event) -> Endpoint:  # noqa: C901, PLR0912
    at, body = event.at, event.body
    match body:
        case ev.Opened(url=url, environment=environment, target=target, production=production):
            return replace(endpoint, url=url, environment=environment, target=target, production=production)
        case ev.Drove(driver=driver):
            # A load by hand goes on under the new driver; any other ended with the one that sent it.
            load = endpoint.load
            orphan = load is not None and load.running and load.kind != "manual"
            ended = replace(load, running=False, why="its driver is gone") if load and orphan else load
            return replace(endpoint, driver=driver, load=ended)
        case ev.Observed(observation=seen):
            if seen.version is None and not seen.replicas and seen.weight == 0:
                return replace(endpoint, slots=_without(endpoint.slots, seen.slot))
            return replace(endpoint, slots=_with(endpoint.slots, seen.slot, seen))
        case ev.Routed(weights=weights):
            kept = {slot: due for slot, due in endpoint.retire.items() if not weights.get(slot)}
            return replace(endpoint, weights=weights, retire=kept)
        case ev.Verified(weights=weights):
            main = max(weights, key=lambda slot: weights[slot], default=None)
            moved = _moved(endpoint.verified, body)
            marked = _mark(endpoint, at, MarkKind.TRAFFIC, moved[1], moved[0] or main)
            return replace(marked, verified=body, verified_at=at)
        case ev.Looked(scaled=scaled):
            seen_one = replace(endpoint, scaled=_with(endpoint.scaled, scaled.slot, scaled))
            if scaled.before == scaled.after:
                return seen_one
            return _mark(seen_one, at, MarkKind.SCALED, f"{scaled.before} → {scaled.after}", scaled.slot)
        case ev.Remarked(noted=noted) if noted.level is Level.ERROR:
            return _mark(endpoint, at, MarkKind.DIED, noted.text, noted.slot)
        case ev.RetireDue(slot=slot, at=due):
            return replace(endpoint, retire=_with(endpoint.retire, slot, due))
        case ev.Removed(slot=slot):
            return replace(endpoint, retire=_without(endpoint.retire, slot))
        case ev.Tailed(source=source, until=until):
            tails = _without(endpoint.tails, source) if until is None else _with(endpoint.tails, source, until)
            return replace(endpoint, tails=tails)
        case _:
            return _of_load(endpoint, event)


def _moved(before: ev.Verified | None, now: ev.Verified) -> tuple[Slot | None, str]:
    """The slot that gained traffic, and how much it has now."""
    old = before.weights if before is not None else {}
    gained = [slot for slot, weight in now.weights.items() if weight > old.get(slot, 0.0)]
    slot = gained[0] if gained else None
    return slot, f"{slot} takes {now.weights[slot]:g} %" if slot else "traffic moved"


def _mark(endpoint: Endpoint, at: float, kind: MarkKind, text: str, slot: Slot | None) -> Endpoint:
    return replace(endpoint, marks=(*endpoint.marks[-KEEP_MARKS + 1 :], Mark(at, kind, text, slot)))


def _of_load(endpoint: Endpoint, event: ev.Event) -> Endpoint:
    at, body, load = event.at, event.body, endpoint.load
    match body:
        case ev.LoadStarted(kind=kind, profile=it, label=label, web_url=web_url, source=source):
            state = LoadState(kind, it, label, at, it.users, it.spawn_rate, web_url=web_url, source=source)
            return replace(endpoint, load=state)
        case ev.LoadWanted() if load is not None:
            users = load.users if body.users is None else body.users
            wanted = replace(
                load,
                users=users,
                spawn_rate=load.spawn_rate if body.spawn_rate is None else body.spawn_rate,
                paused=load.paused if body.paused is None else body.paused,
                wanted_seq=event.seq,
                reset_seq=event.seq if body.reset else load.reset_seq,
                stop=load.stop or body.stop,
            )
            changed = replace(endpoint, load=wanted)
            return _mark(changed, at, MarkKind.USERS, f"{users} users", None) if users != load.users else changed
        case ev.LoadEnded(why=why, artifacts=artifacts) if load is not None:
            return replace(endpoint, load=replace(load, running=False, why=why, artifacts=artifacts))
        case _:
            return endpoint


def _log(snapshot: Snapshot, releases: Mapping[str, Release], event: ev.Event) -> tuple[LogLine, ...]:
    release = releases.get(getattr(event.body, "release", None) or "")
    said = words(event, tuple(title(s.step) for s in release.steps) if release else ())
    if said is None or (isinstance(event.body, ev.Judged) and _same_verdicts(snapshot, event.body)):
        return snapshot.log
    endpoint = release.endpoint if release else getattr(event.body, "endpoint", "")
    line = LogLine(event.seq, event.at, event.who, endpoint, said.source, said.text, said.level)
    return (*snapshot.log[-KEEP_LINES + 1 :], line)


def _same_verdicts(snapshot: Snapshot, body: ev.Judged) -> bool:
    """Whether gates say what they said before: a hold looks every second, and only news is worth a line."""
    release = snapshot.releases.get(body.release)
    known = release is not None and 0 <= body.index < len(release.steps)
    before = release.steps[body.index].verdicts if release is not None and known else ()
    return bool(before) and _gist(before) == _gist(body.verdicts)


def _gist(verdicts: Iterable[Verdict]) -> tuple[frozenset[str], bool]:
    """What fails, and whether anything is still open."""
    failing = frozenset(v.gate.name for v in verdicts if v.outcome in (Outcome.FAIL, Outcome.ERROR))
    return failing, any(v.outcome is Outcome.INCONCLUSIVE and not v.gate.dry_run for v in verdicts)
