"""A share of the traffic as so many pods of so many, where nothing splits requests but their number. Pure."""

from collections.abc import Collection, Mapping
from typing import TypeAlias

from core.config.serving import EndpointSettings
from core.domain.errors import BadInput
from core.domain.model import Slot
from core.domain.plan import FULL

Counts: TypeAlias = Mapping[Slot, int]
MOST = 20
"""So many pods are brought up for a share where no autoscaler has a maximum."""
NEW, LIVE = "the new version", "what serves"
FEW = 100
"""So many pods are worth a hint."""
EXACT = 0.5
"""Percent points that nobody would call a miss."""


def bounds_of(endpoint: EndpointSettings) -> tuple[int, int]:
    """Between how many replicas one slot goes: never under what a release brings up."""
    scaling, replicas = endpoint.autoscaling, endpoint.replicas
    if scaling is None:
        return replicas, replicas
    return min(max(replicas, scaling.min), scaling.max), scaling.max


def planned_counts(percent: float, endpoint: EndpointSettings, tolerance: float) -> tuple[int, int]:
    """How many pods of how many a step of a plan comes to; raises BadInput where so many are not near it."""
    least, high = bounds_of(endpoint)
    most = MOST if endpoint.autoscaling is None else high
    counts = counts_for({NEW: percent, LIVE: FULL - percent}, least, most, tolerance)
    return counts[NEW], sum(counts.values())


def is_shared(weights: Mapping[Slot, float]) -> bool:
    """Whether more than one slot is to get traffic."""
    return sum(weight > 0 for weight in weights.values()) > 1


def counts_for(
    weights: Mapping[Slot, float], least: int, most: int, tolerance: float, floors: Counts | None = None
) -> dict[Slot, int]:
    """How many pods of each slot give these weights, in percent: as few as are exact, and no fewer than `least`.

    Where `most` pods are too few to be exact they come as near as they can; no slot has fewer than its floor. Raises
    BadInput where that is not near.
    """
    shares = {slot: weight for slot, weight in weights.items() if weight > 0}
    best: dict[Slot, int] = {}
    missed = 100.0
    for total in range(max(least, len(shares)), max(least, most) + 1):
        found = _parted(shares, total)
        if any(found.get(slot, 0) < count for slot, count in (floors or {}).items() if slot in shares):
            continue
        off = _off(shares, found)
        if off < missed - 1e-9:
            best, missed = found, off
        if missed <= EXACT:
            break
    if not best or missed > tolerance:
        small, weight = min(shares.items(), key=lambda one: one[1])
        raise BadInput(
            f"{weight:g} % for {small}: with {max(least, most)} pods the nearest share is {missed:.0f} points off"
            f"{_nearest(best, small)}; raise endpoint.autoscaling.max{_enough(shares, most, tolerance)}, move a larger "
            "share, or set kubernetes.traffic to gateway"
        )
    return best


def _off(shares: Mapping[Slot, float], counts: Counts) -> float:
    """By how many points so many pods miss the shares, at the most."""
    total = sum(counts.values())
    return max(abs(100 * counts[slot] / total - weight) for slot, weight in shares.items())


def _nearest(best: Counts, slot: Slot) -> str:
    return f" ({best[slot]} of {sum(best.values())})" if best else ""


def _enough(shares: Mapping[Slot, float], most: int, tolerance: float) -> str:
    """To how many, where that is no great number."""
    found = next((total for total in range(most + 1, FEW + 1) if _off(shares, _parted(shares, total)) <= tolerance), 0)
    return f" to {found}" if found else ""


def _parted(shares: Mapping[Slot, float], total: int) -> dict[Slot, int]:
    """So many pods parted as the shares are; everybody who has a share has a pod."""
    found = {slot: max(1, round(total * weight / 100)) for slot, weight in shares.items()}
    largest = max(shares, key=lambda slot: shares[slot])
    found[largest] = max(1, total - sum(count for slot, count in found.items() if slot != largest))
    return found


def have_come(ready: Counts, counts: Counts, more: Collection[Slot]) -> bool:
    """Whether so many pods of each slot are ready; of those that may have more, at least as many."""
    there = {slot: ready.get(slot, 0) for slot in counts}
    return all(there[slot] == count or (slot in more and there[slot] > count) for slot, count in counts.items())


def shares_of(ready: Counts) -> dict[Slot, float]:
    """The weights, in percent, that so many ready pods of each slot come to."""
    total = sum(ready.values())
    return {slot: round(100 * count / total, 1) for slot, count in ready.items() if count} if total else {}
