"""What is new in what a cluster says, beside what was told of it before."""

from collections.abc import Iterator, Mapping

from core.domain.model import Level, Noted, Observation, Scaled, Slot, Synced
from core.targets.kubernetes.looks import alike
from core.targets.kubernetes.watching import STALE_S, ClusterView
from core.targets.protocol import Report


class ClusterNews:
    """What one reader was told. `looks` are the last ones of each slot's autoscaler."""

    def __init__(self) -> None:
        self.looks: dict[Slot, Scaled] = {}
        self._slots: dict[Slot, Observation] = {}
        self._synced = self._stale = False

    def of(
        self, view: ClusterView, slots: Mapping[Slot, Observation], looks: Mapping[Slot, Scaled]
    ) -> Iterator[Report]:
        """Whatever is other than before; with the first of it, that this is all."""
        for slot in [one for one in self._slots if one not in slots]:
            del self._slots[slot]
            self.looks.pop(slot, None)
            yield Observation(slot, None, 0, 0, 0.0)
        for slot, seen in slots.items():
            before = self._slots.get(slot)
            if before != seen:
                if before is None or before.version != seen.version:
                    # What was said of another version's replicas is forgotten with them.
                    self.looks.pop(slot, None)
                self._slots[slot] = seen
                yield seen
        if not self._synced:
            self._synced = True
            yield Synced(tuple(slots))
        if self._stale != bool(view.stale_s):
            self._stale = not self._stale
            yield _staleness(view)
        for slot, look in looks.items():
            known, self.looks[slot] = self.looks.get(slot), look
            if not alike(known, look):
                yield look


def _staleness(view: ClusterView) -> Noted:
    if not view.stale_s:
        return Noted("the API server answers again", source="kubernetes")
    because = f" ({view.trouble})" if view.trouble else ""
    return Noted(
        f"nothing was heard of the cluster for {STALE_S:g} s; what is shown is from before{because}",
        Level.WARNING,
        source="kubernetes",
    )
