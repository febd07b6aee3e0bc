"""What is true of an endpoint now, for who looks once: its place is asked, and where it can't be, that is said."""

from collections.abc import Mapping
from dataclasses import replace

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.domain.errors import QuarterdeckError
from core.domain.model import Scaled, Slot
from core.domain.plan import Plan
from core.engine.as_it_stands import with_slots
from core.state.endpoint import Endpoint
from core.state.moved_place import serves_elsewhere
from core.state.scaling_asked import lacks_autoscaler
from core.state.snapshot import Snapshot
from core.targets.kinds import DEFAULT, standing_at
from tui.foreseen import refused_there

STALE_LOOKS = 2.0
"""A look that the journal has is as good as one of now for so many times as long as until the next one."""


async def asked(settings: Settings, snapshot: Snapshot, now: float) -> tuple[Snapshot, str]:
    """The state as the endpoint's place has it now, and why it could not be asked, where it could not.

    On this machine the watch writes down what changes, as it changes: nobody is asked.
    """
    name = endpoint_name(settings)
    endpoint = snapshot.endpoint(name)
    if moved := serves_elsewhere(endpoint, settings.where):
        return snapshot, moved
    if settings.target == DEFAULT:
        return snapshot, ""
    place = await standing_at(settings)
    if place.unknown:
        return snapshot, place.unknown
    there = with_slots(snapshot, place)
    if place.looks is None:
        return there, ""
    known = replace(there.endpoint(name), scaled=_looks(endpoint, place.looks, now))
    return replace(there, endpoints={**there.endpoints, name: known}), ""


async def why_nothing(settings: Settings) -> str:
    """Why nothing can stand at a place where nothing does, such as a namespace that is gone; empty where it could."""
    try:
        return "; ".join(await refused_there(settings, Plan("nothing", ())))
    except QuarterdeckError as error:
        return str(error)


def as_of(snapshot: Snapshot, name: str) -> float:
    """When an endpoint's place was last heard of, as far as the journal knows."""
    endpoint = snapshot.endpoint(name)
    heard = [one.at for one in endpoint.scaled.values()] + [endpoint.verified_at or 0.0]
    heard += [one.last.at for (of, slot), one in snapshot.series.items() if of == name and slot and one.last]
    heard += [endpoint.contact.at] if endpoint.contact is not None else []
    return max(heard) or snapshot.at


def _looks(endpoint: Endpoint, seen: Mapping[Slot, Scaled], now: float) -> Mapping[Slot, Scaled]:
    """What the autoscalers came to; the watch's own look, while it is fresh, knows how long a window has been open."""
    known = endpoint.scaled
    young = {slot: known[slot] for slot, look in seen.items() if slot in known and _fresh(known[slot], look, now)}
    return {**seen, **young}


def _fresh(known: Scaled, look: Scaled, now: float) -> bool:
    """Whether a look of the watch is young, and of the size and the autoscaler that the place has now."""
    same = (known.after, known.min, known.max) == (look.after, look.min, look.max)
    young = now - known.at < STALE_LOOKS * known.next_look_s
    return young and same and lacks_autoscaler(known) == lacks_autoscaler(look)
