"""Whether traffic goes elsewhere than answers proved it to go. Pure."""

from collections.abc import Mapping

from core.domain.hints import typed
from core.domain.model import Observation, Slot
from core.state.endpoint import Endpoint
from core.state.events import Outcome
from core.state.release import Release


def in_force(endpoint: Endpoint) -> bool:
    """Whether answers prove now that traffic goes where they proved last that it was sent."""
    return was_proved(endpoint) and _as_sent(endpoint) and answered(endpoint)


def moved_away(endpoint: Endpoint | None, release: Release | None) -> bool:
    """Whether traffic of a release that is over goes elsewhere than it was sent, by whoever's doing."""
    if endpoint is None or endpoint.astray_at is None or release is None or release.live or endpoint.other is not None:
        return False
    return not _as_sent(endpoint, release.plan.tolerance)


def led_away(endpoint: Endpoint | None, release: Release | None) -> bool:
    """Whether traffic that was taken back to what served before a release is there no longer, by somebody else's doing:
    moved by nobody who is known, or by a driver of another machine."""
    if endpoint is None or release is None or endpoint.other is None:
        return moved_away(endpoint, release)
    held = endpoint.slots.get(release.old or "")
    return held is not None and held.version == release.old_version and held.weight < 100 - release.plan.tolerance


def unknown_version(endpoint: Endpoint | None, release: Release) -> Observation | None:
    """The slot with traffic that holds another version than this release left there: somebody else released it."""
    if endpoint is None:
        return None
    held = {release.old: release.old_version, release.slot: release.version}
    taking = (endpoint.slots[slot] for slot in sorted(endpoint.slots) if endpoint.slots[slot].weight > 0)
    return next((one for one in taking if one.version is not None and held.get(one.slot) != one.version), None)


def unknown_words(seen: Observation, release: Release, endpoint: Endpoint) -> str:
    """That such a slot serves, and what can be done."""
    label = seen.version.label if seen.version is not None else "another version"
    how = f"name what is to serve with {typed('rollback --to VERSION', release.environment)}"
    known = release.version
    if known is not None and any(one.version == known for one in endpoint.slots.values()):
        how = f"call {typed(f'rollback --to {known.number}', release.environment)} for {known.label}"
    return (
        f"{label} serves in {seen.slot}, and {release.id}, the last release known here, did not bring it: go back "
        f"where it was released, or {how}"
    )


def followed(endpoint: Endpoint | None, release: Release | None) -> bool:
    """Whether another machine's driver sent most of the traffic elsewhere than a release that is over left it."""
    if endpoint is None or release is None or release.live or not any(endpoint.weights.values()):
        return False
    done, back = release.outcome is Outcome.DONE, release.outcome in (Outcome.ROLLED_BACK, Outcome.ABORTED)
    slot, version = (release.slot, release.version) if done else (release.old, release.old_version)
    if slot is None or version is None or not (done or back):
        return False
    held = endpoint.slots.get(slot)
    if held is not None and held.version not in (None, version):
        return True
    least = endpoint.weights.get(slot, 0.0) < max(endpoint.weights.values())
    return least and (endpoint.other is not None or not was_proved(endpoint))


def was_proved(endpoint: Endpoint) -> bool:
    """Whether answers proved the traffic that was asked for last."""
    verified = endpoint.verified
    if verified is None or endpoint.unproved or not endpoint.weights:
        return False
    return same_shares(verified.weights, endpoint.weights)


def answered(endpoint: Endpoint) -> bool:
    """Whether answers prove where traffic goes now."""
    return any(one.proved_by > 0 for one in endpoint.slots.values() if one.weight > 0)


def same_shares(one: Mapping[Slot, float], two: Mapping[Slot, float], tolerance: float = 0.0) -> bool:
    """Whether two sets of weights say the same, up to so many points; a slot that is not named has none."""
    return all(abs(one.get(slot, 0.0) - two.get(slot, 0.0)) <= tolerance for slot in {*one, *two})


def _as_sent(endpoint: Endpoint, tolerance: float = 0.0) -> bool:
    return same_shares({slot: one.weight for slot, one in endpoint.slots.items()}, endpoint.weights, tolerance)
