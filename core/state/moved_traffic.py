"""Traffic that goes elsewhere than it was proved to go, though nothing of ours is under way. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.domain.hints import typed
from core.domain.model import Slot
from core.state import events as ev
from core.state.astray import answered, same_shares, was_proved
from core.state.endpoint import Endpoint
from core.state.reversal import refused_rollback, rollback_of
from core.state.snapshot import Snapshot

UNPROVED_S = 20.0
"""A proof takes its time to be made anew; after longer than that there is none."""


@dataclass(frozen=True, slots=True)
class MovedTraffic:
    """Where it goes now and where it was sent, in percent; `since` when that was seen, None: just now.

    `unproved` is why no answer proves any more where it goes: then `weights` are those that were proved last.
    """

    weights: Mapping[Slot, float]
    sent: Mapping[Slot, float]
    since: float | None
    todo: str = ""
    unproved: str = ""


def moved_traffic(
    snapshot: Snapshot, endpoint: Endpoint, now: float, shown: Mapping[Slot, float] | None = None
) -> MovedTraffic | None:
    """Traffic that was moved from elsewhere; None where it is as it was sent, or not to be known.

    `shown` is what somebody saw just now, else what the watch knows. What is under way has traffic in its own hands.
    """
    if shown is None and endpoint.astray_at is None:
        return None
    release = snapshot.release_of(endpoint.name)
    if (release is not None and release.live) or endpoint.other is not None or not was_proved(endpoint):
        return None
    seen = {slot: one.weight for slot, one in endpoint.slots.items()} if shown is None else shown
    if any(weight > 0 and slot not in seen for slot, weight in endpoint.weights.items()):
        return None  # What it was sent to was deleted, which is another matter.
    goes = {slot: weight for slot, weight in seen.items() if weight > 0}
    if not same_shares(goes, endpoint.weights, release.plan.tolerance if release is not None else 0.0):
        return MovedTraffic(goes, endpoint.weights, endpoint.astray_at, _todo(snapshot, endpoint, goes))
    since = endpoint.astray_at if shown is None else None
    if since is None or now - since < UNPROVED_S or answered(endpoint):
        return None
    why = next((one.why for one in endpoint.slots.values() if one.weight > 0 and one.why), "no answer proves it")
    return MovedTraffic(goes, endpoint.weights, since, unproved=why)


def _todo(snapshot: Snapshot, endpoint: Endpoint, goes: Mapping[Slot, float]) -> str:
    """What brings it back; empty where no command does."""
    release = rollback_of(snapshot, endpoint.name)
    if release is None or release.old_version is None or refused_rollback(endpoint, release) is not None:
        return ""
    old, new = release.old_version, release.version
    back = f"{typed('rollback', release.environment)} sends all of it to {old.label}"
    if release.outcome is not ev.Outcome.DONE:
        return f"{back} again"
    if new is None or len(goes) != 1 or release.slot in goes:
        return back
    return f"{back}, {typed(f'rollback --to {new.number}', release.environment)} to {new.label} again"
