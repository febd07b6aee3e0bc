"""Where traffic goes, in words; also traffic that somebody else moved. Pure."""

from collections.abc import Mapping

from core.domain.model import Slot
from core.state.endpoint import Endpoint
from core.state.moved_traffic import MovedTraffic
from tui import format as as_text


def moved_words(endpoint: Endpoint, moved: MovedTraffic) -> tuple[str, ...]:
    """Where traffic goes that somebody else moved, since when, and where it was sent; what matters least is last."""
    since = f" since {as_text.clock(moved.since)}" if moved.since is not None else ""
    if moved.unproved:
        return f"{spoken(endpoint, moved.sent)} is proved no more", since, f": {moved.unproved}"
    how = ", moved from elsewhere" if moved.weights else ""
    return f"{spoken(endpoint, moved.weights)}{how}", since, f"; it was sent {spoken(endpoint, moved.sent)}"


def spoken(endpoint: Endpoint, weights: Mapping[Slot, float]) -> str:
    """Which version gets how much: `all on v7`, `v6 90 %, v7 10 %`."""
    labels = {slot: seen.version.label for slot, seen in endpoint.slots.items() if seen.version}

    def named(slot: Slot) -> str:
        label = labels.get(slot, slot)
        # Two slots may hold one version, where it is released again.
        return f"{label} in {slot}" if list(labels.values()).count(label) > 1 else label

    some = {slot: weight for slot, weight in weights.items() if weight > 0}
    if len(some) == 1:
        return f"all on {named(next(iter(some)))}"
    return ", ".join(f"{named(slot)} {weight:g} %" for slot, weight in sorted(some.items())) or "no traffic"
