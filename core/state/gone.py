"""Slots that are away though nobody here removed them: what they held was deleted where they stand. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from core.domain.hints import typed
from core.domain.model import Slot, Version
from core.state.endpoint import Endpoint
from core.state.release import Release
from core.state.reversal import refused_rollback, rollback_of
from core.state.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class GoneSlot:
    """A slot that should be there. `weight` is the share of the traffic that is still sent to it, in percent."""

    slot: Slot
    version: Version | None
    weight: float
    todo: str

    @property
    def held(self) -> str:
        """The slot with the version that it should hold."""
        return f"{self.slot} with {self.version.label}" if self.version is not None else self.slot

    @property
    def text(self) -> str:
        """What that means to those who call."""
        held = self.held
        if self.weight == 0:
            return f"{held}, kept for the way back, was deleted where it stood"
        whom = "all requests" if self.weight == 100 else f"{self.weight:g} % of the requests"
        return f"{held} was deleted where it stood: nobody answers {whom}"


def gone_slots(
    snapshot: Snapshot, endpoint: Endpoint, now: float, there: Collection[Slot] | None = None
) -> list[GoneSlot]:
    """Each, the one with most traffic first. `there` is what somebody saw just now, else what the watch knows.

    What a release that is under way has in its hands is its own matter.
    """
    release = snapshot.release_of(endpoint.name)
    if not endpoint.weights or (release is not None and release.live):
        return []
    seen = {slot for slot, one in endpoint.slots.items() if one.version is not None} if there is None else set(there)
    kept = {slot for slot, due in endpoint.retire.items() if due > now}
    wanted = {slot for slot, weight in endpoint.weights.items() if weight > 0}
    found = [
        GoneSlot(slot, _held(release, slot), endpoint.weights.get(slot, 0.0), _todo(snapshot, endpoint, slot))
        for slot in sorted((wanted | kept) - seen)
    ]
    return sorted(found, key=lambda one: -one.weight)


def _held(release: Release | None, slot: Slot) -> Version | None:
    """The version that a slot should hold, by the last release."""
    if release is None:
        return None
    return release.version if slot == release.slot else release.old_version if slot == release.old else None


def _todo(snapshot: Snapshot, endpoint: Endpoint, slot: Slot) -> str:
    release = rollback_of(snapshot, endpoint.name)
    held = _held(snapshot.release_of(endpoint.name), slot)
    uri = f" --model-uri {held.uri}" if held is not None and held.uri else ""
    again = f"{typed(f'release{uri}', endpoint.environment)} brings it back"
    if not endpoint.weights.get(slot):
        return "a rollback starts it again first, which takes its time"
    old = release.old_version if release is not None else None
    if release is not None and old is not None and slot == release.slot and not refused_rollback(endpoint, release):
        return f"{typed('rollback', endpoint.environment)} goes to {old.label}; {again}"
    return again
