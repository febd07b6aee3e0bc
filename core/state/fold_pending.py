"""What a fact makes of what is still to be done for an endpoint. Pure."""

from core.domain.plan import moves_aliases
from core.state import events as ev
from core.state.endpoint import Pending
from core.state.events import PendingKind
from core.state.release import Release

Key = tuple[PendingKind, str | None]


def key_of(what: ev.Pended | Pending) -> Key:
    """Two with the same key are the same thing: aliases point one way at a time, a slot goes once."""
    match what.kind:
        case PendingKind.ALIASES:
            return what.kind, None
        case PendingKind.REPORT:
            return what.kind, what.release
        case PendingKind.REMOVAL | PendingKind.REPLICAS:
            return what.kind, what.slot


def of_pending(pending: tuple[Pending, ...], event: ev.Event, release: Release | None) -> tuple[Pending, ...]:
    """What is still to be done after one more fact; the same tuple where the fact has nothing to do with it."""
    body = event.body
    if isinstance(body, ev.Pended):
        return _with(pending, body, event.at)
    done = _done(body, release)
    if not done or not any(key_of(one) in done for one in pending):
        return pending
    return tuple(one for one in pending if key_of(one) not in done)


def _with(pending: tuple[Pending, ...], body: ev.Pended, at: float) -> tuple[Pending, ...]:
    before = next((one for one in pending if key_of(one) == key_of(body)), None)
    same = before is not None and (before.back, before.release) == (body.back, body.release)
    since, tries = (before.since, before.tries + 1) if before is not None and same else (at, 1)
    new = Pending(body.kind, body.why, since, tries, body.again_at, body.slot, body.replicas, body.back, body.release)
    return (*(one for one in pending if one is not before), new)


def _done(body: ev.Body, release: Release | None) -> set[Key]:
    """What a fact has done, or has made needless."""
    match body:
        case ev.Aliased():
            return {(PendingKind.ALIASES, None)}
        case ev.StepDone(index=index) if release is not None and _moves_aliases(release, index):
            return {(PendingKind.ALIASES, None)}
        case ev.Reported(release=name):
            return {(PendingKind.REPORT, name)}
        case ev.Applied(slot=slot):
            return {(PendingKind.REPLICAS, slot)}
        case ev.Removed(slot=slot) | ev.Placed(slot=slot):
            return {(PendingKind.REMOVAL, slot), (PendingKind.REPLICAS, slot)}
        case ev.Observed(observation=seen) if seen.version is None:
            return {(PendingKind.REMOVAL, seen.slot), (PendingKind.REPLICAS, seen.slot)}
        case ev.Routed(weights=weights):
            return {(PendingKind.REMOVAL, slot) for slot, weight in weights.items() if weight > 0}
        case _:
            return set()


def _moves_aliases(release: Release, index: int) -> bool:
    return 0 <= index < len(release.plan.steps) and moves_aliases(release.plan.steps[index])
