"""What a fact makes of an endpoint and of its load. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from core.domain.model import Level, Observation, Scaled, Slot
from core.state import events as ev
from core.state.astray import in_force, same_shares, was_proved
from core.state.endpoint import KEEP_MARKS, Endpoint, LoadState, Mark, MarkKind
from core.state.fold_alert import of_alerts
from core.state.fold_pending import holds_another

K = TypeVar("K")
V = TypeVar("V")
SAME_KEY_S = 0.25
"""Two proofs whose keys lie nearer to each other are of one key; nobody presses it twice within that time."""


def with_(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """A mapping with one entry more, or changed."""
    return {**mapping, key: value}


def without(mapping: Mapping[K, V], key: K) -> Mapping[K, V]:
    """A mapping with one entry less."""
    return {k: v for k, v in mapping.items() if k != key}


def of_endpoint(endpoint: Endpoint, event: ev.Event) -> Endpoint:
    """The endpoint after one more fact about it."""
    after = _after(endpoint, event)
    saw = isinstance(event.body, ev.Observed | ev.ReplicasSeen)
    if not saw and not isinstance(event.body, ev.Routed | ev.Verified | ev.OtherDrove):
        return after
    since = endpoint.astray_at
    if in_force(after) or not was_proved(after):
        since = None
    elif since is None and saw and in_force(endpoint):
        since = event.at
    return after if since == after.astray_at else replace(after, astray_at=since)


def _after(endpoint: Endpoint, event: ev.Event) -> Endpoint:  # noqa: C901, PLR0912
    at, body = event.at, event.body
    match body:
        case ev.Opened(url=url, environment=environment, target=target, production=production):
            contact = endpoint.contact if endpoint.target == target else None
            opened = replace(endpoint, url=url, environment=environment, target=target, production=production)
            return replace(opened, contact=contact)
        case ev.Drove(driver=driver):
            # A load by hand goes on under the new driver; any other ended with the one that sent it.
            load = endpoint.load
            orphan = load is not None and load.running and load.kind != "manual"
            ended = replace(load, running=False, why="its driver is gone") if load and orphan else load
            return replace(endpoint, driver=driver, load=ended)
        case ev.OtherDrove(other=other):
            # What goes and what stays is decided where it is driven.
            elsewhere = replace(endpoint, other=other, weights=other.weights, retire={})
            return elsewhere if other.by else replace(endpoint, other=None)
        case ev.ReplicasSeen(observation=seen, gone=gone):
            whole = merged(endpoint.slots.get(seen.slot), seen, gone)
            return replace(endpoint, slots=with_(endpoint.slots, seen.slot, whole))
        case ev.UsageSeen(slot=slot) if slot in endpoint.slots:
            return replace(endpoint, slots=with_(endpoint.slots, slot, _used(endpoint.slots[slot], body)))
        case ev.Observed(observation=seen):
            before = endpoint.slots.get(seen.slot)
            # What an autoscaler said of another version's replicas, within their bounds, holds for these no more.
            anew = seen.slot in endpoint.scaled and before is not None and before.version != seen.version
            scaled = without(endpoint.scaled, seen.slot) if anew else endpoint.scaled
            # A slot is kept for the version that it held: what somebody else put there since is theirs.
            retire = without(endpoint.retire, seen.slot) if holds_another(endpoint, seen) else endpoint.retire
            if seen.version is None and not seen.replicas and seen.weight == 0:
                return replace(endpoint, slots=without(endpoint.slots, seen.slot), scaled=scaled)
            return replace(endpoint, slots=with_(endpoint.slots, seen.slot, seen), scaled=scaled, retire=retire)
        case ev.Routed(weights=weights):
            kept = {slot: due for slot, due in endpoint.retire.items() if not weights.get(slot)}
            unproved = endpoint.unproved or not same_shares(weights, endpoint.weights)
            return replace(endpoint, weights=weights, retire=kept, unproved=unproved)
        case ev.Verified(weights=weights):
            if proved_before(endpoint, body, at):
                return endpoint
            main = max(weights, key=lambda slot: weights[slot], default=None)
            moved = _moved(endpoint.verified, body)
            marked = _mark(endpoint, at, MarkKind.TRAFFIC, moved[1], moved[0] or main)
            return replace(marked, verified=body, verified_at=at, unproved=False)
        case ev.Drilled(copy=copy) if copy:
            return replace(endpoint, copy_drilled=body, copy_drilled_at=at)
        case ev.Drilled():
            return replace(endpoint, drilled=body, drilled_at=at)
        case ev.Looked(scaled=scaled):
            seen_one = replace(endpoint, scaled=with_(endpoint.scaled, scaled.slot, scaled))
            before_it = endpoint.scaled.get(scaled.slot)
            if scaled.before == scaled.after or (before_it is not None and same_change(before_it, scaled)):
                return seen_one
            return _mark(seen_one, at, MarkKind.SCALED, f"{scaled.before} → {scaled.after}", scaled.slot)
        case ev.Contacted(contact=contact):
            return replace(endpoint, contact=contact)
        case ev.Remarked(noted=noted) if noted.level is Level.ERROR:
            return _mark(endpoint, at, MarkKind.DIED, noted.text, noted.slot)
        case ev.RetireDue(slot=slot, at=due):
            return replace(endpoint, retire=with_(endpoint.retire, slot, due))
        case ev.Removed(slot=slot):
            return replace(endpoint, retire=without(endpoint.retire, slot))
        case ev.Tailed(source=source, until=until):
            tails = without(endpoint.tails, source) if until is None else with_(endpoint.tails, source, until)
            return replace(endpoint, tails=tails)
        case ev.Alerted() | ev.Silenced() | ev.Promised() | ev.Told() | ev.TellingFailed() | ev.Overtaken():
            return of_alerts(endpoint, event)
        case _:
            return _of_load(endpoint, event)


def asked_anew(endpoint: Endpoint, slot: Slot | None) -> Endpoint:
    """What a slot failed at before does not count against what it is asked for now."""
    seen = endpoint.slots.get(slot or "")
    if seen is None or not seen.given_up:
        return endpoint
    return replace(endpoint, slots=with_(endpoint.slots, seen.slot, replace(seen, given_up="")))


def merged(known: Observation | None, seen: Observation, gone: tuple[str, ...]) -> Observation:
    """A slot of which only some replicas were told."""
    replicas = {replica.name: replica for replica in known.replicas} if known is not None else {}
    replicas.update((replica.name, replica) for replica in seen.replicas)
    return replace(seen, replicas=tuple(replica for name, replica in replicas.items() if name not in gone))


def same_change(one: Scaled, two: Scaled) -> bool:
    """Whether a look tells of the very change that the one before it told of."""
    return (one.before, one.after) == (two.before, two.after)


def _used(known: Observation, body: ev.UsageSeen) -> Observation:
    usage = body.usage
    replicas = tuple(
        replace(replica, cpu_m=usage[replica.name][0], memory_mb=usage[replica.name][1])
        if replica.name in usage
        else replica
        for replica in known.replicas
    )
    return replace(known, replicas=replicas)


def proved_before(endpoint: Endpoint, now: ev.Verified, at: float) -> bool:
    """Whether the same key was proved before: whoever took over proves it again, and the first proof is what counts."""
    before = endpoint.verified
    if (
        before is None
        or endpoint.unproved
        or now.since != "key"
        or (before.since, before.weights) != (now.since, now.weights)
    ):
        return False
    pressed, pressed_before = at - now.took_ms / 1000, (endpoint.verified_at or 0.0) - before.took_ms / 1000
    return abs(pressed - pressed_before) < SAME_KEY_S


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
            asked = replace(state, limits=body.limits, by=body.by, stay=body.stay)
            return replace(endpoint, load=asked)
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
                stopped_by=event.who if body.stop and not load.stop else load.stopped_by,
            )
            changed = replace(endpoint, load=wanted)
            return _mark(changed, at, MarkKind.USERS, f"{users} users", None) if users != load.users else changed
        case ev.LoadEnded() if load is not None and load.running and load.kind == body.kind:
            ended = replace(load, running=False, ended_at=at, why=body.why, artifacts=body.artifacts)
            return replace(endpoint, load=replace(ended, how=body.how, verdicts=body.verdicts, total=body.total))
        case _:
            return endpoint
