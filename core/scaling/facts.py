"""What is known of the size of one slot: gathered from a snapshot, judged in `core.scaling.reasons`. Pure."""

from dataclasses import dataclass

from core.domain.model import Replica, ReplicaState, Scaled, Slot
from core.domain.sample import Series
from core.state.release import ReleaseState
from core.state.snapshot import Snapshot

BUSY_S = 15.0
"""A slot that answered within so many seconds is busy."""
SERVES = frozenset({ReplicaState.READY, ReplicaState.DRAINING})


@dataclass(frozen=True, slots=True)
class ScalingFacts:
    """One slot: what is asked for, what serves, what its autoscaler saw last.

    `looked_s` is how long ago that was, `late` are its replicas that do not serve, `why` says why `missing` ones are
    not even made, `held_by` is the release that keeps a slot without traffic as it is. `busy`: it is asked for answers,
    so that somebody may expect more replicas. `environment` is the one that commands must name to mean it.
    """

    slot: Slot
    wanted: int
    ready: int
    weight: float = 100.0
    look: Scaled | None = None
    looked_s: float = 0.0
    late: tuple[Replica, ...] = ()
    held_by: str = ""
    busy: bool = False
    why: str = ""
    missing: int = 0
    environment: str = ""


def facts_of(snapshot: Snapshot, name: str, now: float) -> tuple[ScalingFacts, ...]:
    """Of each slot of an endpoint, the one with most traffic first."""
    endpoint, release = snapshot.endpoint(name), snapshot.live_release(name)
    mine = (release.slot, release.old) if release is not None and release.state is ReleaseState.RUNNING else ()
    seen = sorted(endpoint.slots.values(), key=lambda one: (-one.weight, one.slot))
    found = []
    for one in seen:
        if one.version is None:
            continue
        look, waits = endpoint.scaled.get(one.slot), one.slot in mine and one.weight == 0
        facts = ScalingFacts(
            slot=one.slot,
            wanted=one.due,
            ready=one.ready,
            weight=one.weight,
            look=look,
            looked_s=max(0.0, now - look.at) if look is not None else 0.0,
            late=tuple(each for each in one.replicas if each.state not in SERVES),
            held_by=release.id if release is not None and waits else "",
            busy=_busy(snapshot, name, one.slot, now),
            why=one.why if len(one.replicas) < one.due else "",
            missing=max(0, one.due - len(one.replicas)),
            environment=endpoint.environment,
        )
        found.append(facts)
    return tuple(found)


def _busy(snapshot: Snapshot, name: str, slot: Slot, now: float) -> bool:
    samples = snapshot.series.get((name, slot), Series()).samples
    return any(sample.requests > 0 for sample in samples[-20:] if sample.at >= now - BUSY_S)
