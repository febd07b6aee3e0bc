"""What a fact makes of what is still to be done for an endpoint. Pure."""

from core.domain.model import Observation
from core.domain.plan import moves_aliases
from core.state import events as ev
from core.state.endpoint import Endpoint, Pending
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
        case PendingKind.REMOVAL | PendingKind.REPLICAS | PendingKind.SIZE:
            return what.kind, what.slot


def of_pending(endpoint: Endpoint, event: ev.Event, release: Release | None) -> tuple[Pending, ...]:
    """What is still to be done after one more fact; the same tuple where the fact has nothing to do with it."""
    body, pending = event.body, endpoint.pending
    if isinstance(body, ev.Pended):
        return _with(pending, body, event.at)
    done = _done(body, release)
    if isinstance(body, ev.Observed) and holds_another(endpoint, body.observation):
        # What was to go is not what stands there now.
        done |= {(PendingKind.REMOVAL, body.observation.slot)}
    left = tuple(one for one in pending if key_of(one) not in done or _asked_since(one, body))
    return pending if len(left) == len(pending) else left


def holds_another(endpoint: Endpoint, seen: Observation) -> bool:
    """Whether a slot is seen to hold another version than it was seen to hold before."""
    before = endpoint.slots.get(seen.slot)
    return before is not None and before.version is not None and seen.version not in (None, before.version)


def _asked_since(one: Pending, body: ev.Body) -> bool:
    """Whether somebody asked for another size than the one that the target took."""
    return isinstance(body, ev.Resized) and one.replicas != body.replicas


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
        case ev.Resized(slot=slot):
            return {(PendingKind.SIZE, slot)}
        case ev.TurnedBack() if release is not None:
            # What a way back needs is another size than what somebody asked for before.
            return {(PendingKind.SIZE, release.old)}
        case ev.Removed(slot=slot) | ev.Placed(slot=slot):
            return _of_slot(slot)
        case ev.Observed(observation=seen) if seen.version is None:
            return _of_slot(seen.slot)
        case ev.Routed(weights=weights):
            return {(PendingKind.REMOVAL, slot) for slot, weight in weights.items() if weight > 0}
        case _:
            return set()


def _of_slot(slot: str) -> set[Key]:
    """What is needless once a slot is gone, or is another's."""
    return {(kind, slot) for kind in (PendingKind.REMOVAL, PendingKind.REPLICAS, PendingKind.SIZE)}


def _moves_aliases(release: Release, index: int) -> bool:
    return 0 <= index < len(release.plan.steps) and moves_aliases(release.plan.steps[index])
