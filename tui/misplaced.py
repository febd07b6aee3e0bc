"""What `status` says of traffic that nobody answers or that goes elsewhere than it was sent. Pure."""

from core.domain.hints import typed
from core.domain.obstacles import Cause
from core.scaling.sentences import sentence
from core.state.gone import gone_slots
from core.state.moved_traffic import moved_traffic
from core.state.snapshot import Snapshot
from core.targets.kinds import Standing
from tui.moved import moved_words

ALL_PERCENT = 99.0
"""Where slots that are there get more than that, no request goes to one that is not."""


def gone_lines(place: Standing | None, snapshot: Snapshot, name: str, now: float) -> list[str]:
    """What somebody deleted of it; where the place could not be asked, as the watch knows it."""
    seen = () if place is None else place.slots
    there = None if place is not None and not seen else [one.slot for one in seen if one.version is not None]
    found = gone_slots(snapshot, snapshot.endpoint(name), now, there)
    answer = () if place is None or place.assumed else [one for one in seen if one.weight > 0 and one.ready > 0]
    if found and found[0].weight > 0 and sum(one.weight for one in answer) > ALL_PERCENT:
        who = " and ".join(f"{one.slot} with {one.version.label if one.version else 'nothing'}" for one in answer)
        return [f"  ! moved  {found[0].held} is gone, and {who} answers all requests, which was not done from here"]
    return [line for one in found for line in (f"  ! gone   {one.text}", f"           → {one.todo}")]


def moved_lines(place: Standing | None, snapshot: Snapshot, name: str, now: float) -> list[str]:
    """That traffic goes elsewhere than it was sent, where to, and what ends that."""
    seen = () if place is None or place.unknown or place.assumed else place.slots
    shown = {one.slot: one.weight for one in seen} if seen else None
    endpoint = snapshot.endpoint(name)
    elsewhere, known = moved_traffic(snapshot, endpoint, now, shown), moved_traffic(snapshot, endpoint, now)
    if known is not None and (shown is None or (elsewhere is None and known.unproved)):
        elsewhere = known
    if elsewhere is None:
        return []
    todo = [f"           → {elsewhere.todo}"] if elsewhere.todo else []
    return [f"  ! moved  {''.join(moved_words(endpoint, elsewhere))}", *todo]


def idle_lines(place: Standing | None, environment: str) -> list[str]:
    """That a slot with traffic was scaled to nothing, and what ends that."""
    seen = () if place is None or place.unknown else place.slots
    looks = {} if place is None or place.looks is None else place.looks
    least = {slot: max(1, look.min) for slot, look in looks.items()}
    idle = [one for one in seen if one.version is not None and one.weight > 0 and one.due == 0]
    return [
        line
        for one in idle
        for line in (
            f"  ! size   {one.slot} was scaled to 0 replicas: nobody answers its {one.weight:g} % of the traffic",
            f"           → {typed(f'scale {least.get(one.slot, 1)} --slot {one.slot}', environment)} starts it again",
        )
    ]


def unscaled_lines(place: Standing | None, environment: str) -> list[str]:
    """That somebody deleted a slot's autoscaler, and what makes it anew."""
    looks = {} if place is None or place.unknown or place.looks is None else place.looks
    missing = [(look, one) for _, look in sorted(looks.items()) for one in look.obstacles if one.cause is Cause.MISSING]
    said = [(look.slot, sentence(one, look, environment=environment)) for look, one in missing]
    return [
        line for slot, reason in said for line in (f"  ! size   {slot}: {reason.text}", f"           → {reason.todo}")
    ]
