"""What is new in what a watch saw of a slot: one replica that changed does not write all of them down again."""

from dataclasses import replace

from core.domain.model import Observation, Replica, Slot
from core.state import events as ev

WHOLE_S = 600.0
"""So often a slot that changes is written whole: what reads from the middle of a journal finds its feet there."""
USAGE_S = 10.0
"""The figures of a large slot are written so often; those of eight replicas or fewer each second."""
REPLICAS_A_SECOND = 8


class SlotFacts:
    """The facts about the slots of one endpoint. Times are in seconds, on one clock of the caller's choice."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._whole_at: dict[Slot, float] = {}
        self._usage_at: dict[Slot, float] = {}

    def of(self, known: Observation | None, seen: Observation, now_s: float) -> tuple[ev.Body, ...]:
        """What must be written so that what is known becomes what was seen; nothing where nothing is new."""
        if known is None or known.version != seen.version:
            return (self._whole(seen, now_s),)
        before = {replica.name: replica for replica in known.replicas}
        changed = tuple(r for r in seen.replicas if not _same_state(before.get(r.name), r))
        gone = tuple(sorted(before.keys() - {replica.name for replica in seen.replicas}))
        if changed or gone or replace(known, replicas=()) != replace(seen, replicas=()):
            old = now_s - self._whole_at.get(seen.slot, -WHOLE_S) >= WHOLE_S
            if old or 2 * len(changed) > len(seen.replicas):
                return (self._whole(seen, now_s),)
            return (ev.ReplicasSeen(self._endpoint, replace(seen, replicas=changed), gone), *self._usage(seen, now_s))
        return self._usage(seen, now_s, before)

    def _whole(self, seen: Observation, now_s: float) -> ev.Observed:
        self._whole_at[seen.slot] = self._usage_at[seen.slot] = now_s
        return ev.Observed(self._endpoint, seen)

    def _usage(
        self, seen: Observation, now_s: float, before: dict[str, Replica] | None = None
    ) -> tuple[ev.UsageSeen, ...]:
        pace = min(USAGE_S, max(1.0, len(seen.replicas) / REPLICAS_A_SECOND))
        # A report that comes a little early must not wait for the next one.
        if now_s - self._usage_at.get(seen.slot, -USAGE_S) < pace - 0.2:
            return ()
        if before is not None and all(_figures(before[r.name]) == _figures(r) for r in seen.replicas):
            return ()
        self._usage_at[seen.slot] = now_s
        return (ev.UsageSeen(self._endpoint, seen.slot, {r.name: _figures(r) for r in seen.replicas}),)


def _same_state(one: Replica | None, two: Replica) -> bool:
    """Whether two are alike but for what they use. Of a thousand most are the very same object."""
    if one is two:
        return True
    return one is not None and _state(one) == _state(two)


def _state(replica: Replica) -> tuple[object, ...]:
    return (replica.state, replica.restarts, replica.why, replica.node, replica.since)


def _figures(replica: Replica) -> tuple[float | None, float | None]:
    cpu, memory = replica.cpu_m, replica.memory_mb
    return (None if cpu is None else round(cpu, 1), None if memory is None else round(memory, 1))
