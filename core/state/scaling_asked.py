"""What comes of asking for a number of replicas by hand. Pure."""

from core.domain.errors import Refused
from core.domain.hints import typed
from core.domain.model import Scaled, Slot
from core.domain.obstacles import Cause, bounded_by
from core.domain.scaling import outside
from core.state import events as ev
from core.state.commands import ScaleSlot
from core.state.endpoint import Endpoint
from core.state.events import PendingKind
from core.state.release import Release, ReleaseState
from core.system.text import counted


def scaled_slot(endpoint: Endpoint, slot: Slot) -> Slot:
    """The slot that is meant: the one named, else the one that serves, else the only one; raises Refused."""
    there = ", ".join(sorted(endpoint.slots))
    if not endpoint.slots:
        raise Refused(f"{endpoint.name}: nothing is served yet; run a release first")
    meant = slot or endpoint.serving or (there if len(endpoint.slots) == 1 else "")
    if meant not in endpoint.slots:
        raise Refused(f"{endpoint.name}: {f'there is no slot {slot}' if slot else 'no slot serves'}; there is {there}")
    return meant


def lacks_autoscaler(look: Scaled | None) -> bool:
    """Whether somebody deleted the autoscaler of a slot, as far as that was seen."""
    return look is not None and any(one.cause is Cause.MISSING for one in look.obstacles)


def asked_scale(
    command: ScaleSlot, endpoint: Endpoint | None, release: Release | None, now: float
) -> tuple[ev.Body, ...]:
    """A slot gets another size; nothing where it has it already, and an autoscaler too if it should. Raises Refused."""
    endpoint = endpoint or Endpoint(command.endpoint)
    slot, replicas = scaled_slot(endpoint, command.slot), command.replicas
    seen, look = endpoint.slots[slot], endpoint.scaled.get(slot)
    bounds = (look.min, look.max) if look is not None else None
    instead = f"{typed(f'retire {slot}', endpoint.environment)} removes it, for it has no traffic"
    if seen.weight > 0:
        instead = f"{slot} gets {seen.weight:g} % of the traffic"
    said_by = bounded_by(look.obstacles if look is not None else ())
    if why_not := outside(slot, replicas, bounds, command.least, instead, said_by):
        raise Refused(f"{command.endpoint}: {why_not}")
    if replicas == 0 and seen.weight > 0:
        why = f"{slot}: it gets {seen.weight:g} % of the traffic, which nobody would answer; move that away first"
        raise Refused(f"{command.endpoint}: {why}")
    if release is not None and release.live and slot in (release.slot, release.old):
        if release.state is not ReleaseState.RUNNING:
            raise Refused(f"{command.endpoint}: {release.id} is on its way {release.state.value}; wait for it")
        if replicas < seen.wanted:
            why = f"{release.id} is under way and may need the {seen.wanted} replicas of {slot}"
            raise Refused(f"{command.endpoint}: {why}; wait for its end, or ask for more")
    asked = next((p.replicas for p in endpoint.pending if (p.kind, p.slot) == (PendingKind.SIZE, slot)), seen.wanted)
    if replicas == asked and not lacks_autoscaler(look):
        return ()
    did = f"scales {slot} from {seen.wanted} to {counted(replicas, 'replica')}"
    if replicas == asked:
        did = f"asks for the autoscaler of {slot} anew, at {counted(replicas, 'replica')}"
    acted = ev.Acted(command.endpoint, did)
    return acted, ev.Pended(command.endpoint, PendingKind.SIZE, "", now, slot, replicas)
