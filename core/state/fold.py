"""Events into state: the only code that makes a snapshot. Pure; an event about something unknown changes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from core.domain.gates import GateResult, Verdict
from core.domain.plan import FULL, Ask, Deploy, Hold, title
from core.domain.sample import Series
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.fold_endpoint import asked_anew, of_endpoint, proved_before, same_change, with_, without
from core.state.fold_pending import key_of, of_pending
from core.state.fold_release import of_release, stopped
from core.state.measured import Measured
from core.state.messages import message_of
from core.state.paired import paired
from core.state.release import Release, StepState
from core.state.snapshot import KEEP_LINES, LogLine, Snapshot, at_hand


def fold(snapshot: Snapshot, event: ev.Event) -> Snapshot:
    """The snapshot after one more event."""
    body = event.body
    if isinstance(body, ev.Carried):
        return body.snapshot if isinstance(body.snapshot, Snapshot) else snapshot
    releases, endpoints, series = snapshot.releases, snapshot.endpoints, snapshot.series
    if isinstance(body, ev.Began):
        releases = at_hand(with_(releases, body.release, _began(event, body)))
        endpoints = _met(endpoints, body)
    elif (release := releases.get(getattr(body, "release", None) or "")) is not None:
        changed = of_release(release, event)
        releases = releases if changed is release else with_(releases, release.id, changed)
    elif isinstance(body, ev.Unreadable):
        # Whose it was nobody knows.
        releases = (
            {name: replace(one, unread=event.seq) for name, one in releases.items()} if body.lasting else releases
        )
    elif isinstance(body, ev.Drove):
        releases = _interrupted(releases, body.endpoint, event.at)
    of = releases.get(getattr(body, "release", None) or "")
    name = getattr(body, "endpoint", None) or (of.endpoint if of is not None else None)
    if name is not None:
        endpoint = endpoints.get(name) or Endpoint(name)
        changed_endpoint = of_endpoint(endpoint, event)
        if of is not None and _asks_to_deploy(of, body):
            changed_endpoint = asked_anew(changed_endpoint, of.slot)
        pending = of_pending(endpoint, event, of)
        if pending is not endpoint.pending:
            changed_endpoint = replace(changed_endpoint, pending=pending)
        if changed_endpoint is not endpoints.get(name):
            endpoints = with_(endpoints, name, changed_endpoint)
    if isinstance(body, ev.Sampled):
        key = (body.endpoint, body.sample.slot)
        series = with_(series, key, series.get(key, Series()).plus(body.sample))
    log, measured = _log(snapshot, releases, event), _measured(snapshot, event)
    return Snapshot(event.seq, event.at, releases, endpoints, series, log, measured)


def fold_all(events: Iterable[ev.Event], start: Snapshot | None = None) -> Snapshot:
    """The snapshot after many events."""
    snapshot = start or Snapshot()
    for event in events:
        snapshot = fold(snapshot, event)
    return snapshot


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
        began_seq=event.seq,
        production=body.production,
        auto_approve=body.auto_approve,
        step_by_step=body.step_by_step,
        ask_s=body.ask_s,
        options=body.options,
        together=body.together,
    )


def _met(endpoints: Mapping[str, Endpoint], body: ev.Began) -> Mapping[str, Endpoint]:
    endpoint = endpoints.get(body.endpoint) or Endpoint(body.endpoint)
    known = replace(endpoint, environment=body.environment, target=body.target, production=body.production)
    if body.target != endpoint.target:
        known = replace(known, contact=None)
    return with_(endpoints, body.endpoint, known)


def _asks_to_deploy(release: Release, body: ev.Body) -> bool:
    if not isinstance(body, ev.StepAsked) or not 0 <= body.index < len(release.steps):
        return False
    return isinstance(release.steps[body.index].step, Deploy)


def _interrupted(releases: Mapping[str, Release], endpoint: str, at: float) -> Mapping[str, Release]:
    """What a driver that is gone had under way starts again; what was asked of the target is asked again."""
    changed = dict(releases)
    for release in releases.values():
        if release.endpoint != endpoint or not release.live:
            continue
        steps = stopped(release.steps)
        way = replace(release.way, applied_at=None, routed=False, resized=False, driven_at=at) if release.way else None
        changed[release.id] = replace(release, steps=steps, way=way)
    return changed


def _measured(snapshot: Snapshot, event: ev.Event) -> Mapping[str, Measured]:
    """A hold that begins measures anew; the next step, the way back and the end let go of that."""
    body, measured = event.body, snapshot.measured
    if isinstance(body, ev.Sampled):
        before = measured.get(body.endpoint)
        after = before.plus(body.sample, event.at) if before is not None else None
        return measured if after is None or after is before else with_(measured, body.endpoint, after)
    if isinstance(body, ev.Gauged):
        judged = measured.get(body.endpoint)
        return measured if judged is None else with_(measured, body.endpoint, judged.gauged(body))
    if not isinstance(body, ev.StepStarted | ev.TurnedBack | ev.Ended):
        return measured
    release = snapshot.releases.get(body.release)
    if release is None:
        return measured
    steps = release.plan.steps
    if isinstance(body, ev.StepStarted) and 0 <= body.index < len(steps):
        step = steps[body.index]
        if isinstance(step, Hold) or (isinstance(step, Ask) and step.gates):
            seconds = step.seconds if isinstance(step, Hold) else release.ask_s
            windows = tuple(sorted({gate.window_s for gate in step.gates if gate.window_s}))
            pairs = paired(step.gates, release.slot, release.old, event.at, seconds)
            seen = snapshot.endpoint(release.endpoint).slots.get(release.slot or "")
            restarts = {one.name: one.restarts for one in seen.replicas} if seen is not None else {}
            begun = Measured(release.id, body.index, event.at, windows, paired=pairs, restarts=restarts)
            if release.plan.share(body.index) >= FULL:
                begun = begun.after(_of_live(snapshot, release))
            return with_(measured, release.endpoint, begun)
    return without(measured, release.endpoint) if release.endpoint in measured else measured


def _of_live(snapshot: Snapshot, release: Release) -> Series:
    """What the slot that was live answered since the release began; before that it may have held another version."""
    series = snapshot.series.get((release.endpoint, release.old), Series())
    return Series(tuple(one for one in series.samples if one.at - one.seconds >= release.began_at))


def _log(snapshot: Snapshot, releases: Mapping[str, Release], event: ev.Event) -> tuple[LogLine, ...]:
    release = releases.get(getattr(event.body, "release", None) or "")
    said = message_of(event, tuple(title(s.step) for s in release.steps) if release else ())
    if said is None or _said_before(snapshot, event):
        return snapshot.log
    endpoint = release.endpoint if release else getattr(event.body, "endpoint", "")
    line = LogLine(event.seq, event.at, event.who, endpoint, said.source, said.text, said.level)
    return (*snapshot.log[-KEEP_LINES + 1 :], line)


def _said_before(snapshot: Snapshot, event: ev.Event) -> bool:
    """Whether a line would only say again what the last one of its kind said."""
    match event.body:
        case ev.Judged() as body:
            return _same_verdicts(snapshot, body)
        case ev.Verified(endpoint=endpoint) as body:
            return proved_before(snapshot.endpoint(endpoint), body, event.at)
        case ev.Looked(endpoint=endpoint, scaled=scaled):
            last = snapshot.endpoint(endpoint).scaled.get(scaled.slot)
            return last is not None and same_change(last, scaled)
        case ev.Pended(endpoint=endpoint, why=why) as body:
            pending = snapshot.endpoint(endpoint).pending
            return not why or any(key_of(one) == key_of(body) and one.why == why for one in pending)
        case _:
            return False


def _same_verdicts(snapshot: Snapshot, body: ev.Judged) -> bool:
    """Whether gates say what they said before: a hold looks every second, and only news is worth a line."""
    release = snapshot.releases.get(body.release)
    known = release is not None and 0 <= body.index < len(release.steps)
    before = release.steps[body.index].verdicts if release is not None and known else ()
    return bool(before) and _gist(before) == _gist(body.verdicts)


def _gist(verdicts: Iterable[Verdict]) -> tuple[frozenset[str], bool]:
    """What fails, and whether anything is still open."""
    real = [v for v in verdicts if not v.gate.dry_run]
    failing = frozenset(v.gate.name for v in real if v.outcome in (GateResult.FAIL, GateResult.ERROR))
    return failing, any(v.outcome is GateResult.INCONCLUSIVE for v in real)
