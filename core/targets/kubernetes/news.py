"""What is new in what a cluster says, beside what was told of it before; and, now and then, that it is still so."""

import time
from collections.abc import Iterator, Mapping

from core.domain.model import Contact, Level, Noted, Observation, OtherDriver, Scaled, Slot, Synced
from core.targets.kubernetes.looks import alike
from core.targets.kubernetes.watching import ClusterView
from core.targets.protocol import Report

CONTACT_S = 5.0
"""So often it is said that the cluster is heard of. A look that says nothing new is told once its next one is due."""


class ClusterNews:
    """What one reader was told. `looks` are the last ones of each slot's autoscaler."""

    def __init__(self) -> None:
        self.looks: dict[Slot, Scaled] = {}
        self._slots: dict[Slot, Observation] = {}
        self._looked_at: dict[Slot, float] = {}
        self._contact: Contact | None = None
        self._other: OtherDriver | None = None
        self._synced = self._stale = False

    def of(
        self, view: ClusterView, slots: Mapping[Slot, Observation], looks: Mapping[Slot, Scaled], other: OtherDriver
    ) -> Iterator[Report]:
        """Whatever is other than before; with the first of it, that this is all."""
        if other != self._other:
            self._other = other
            yield other
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
        contact = Contact(time.time() - view.silent_s, _lost(view))
        if self._contact is None or self._contact.lost != contact.lost or self._due(contact):
            self._contact = contact
            yield contact
        if self._stale != bool(view.stale_s):
            self._stale = not self._stale
            yield _staleness(view)
        for slot, look in looks.items():
            known, self.looks[slot] = self.looks.get(slot), look
            due = not view.stale_s and look.at - self._looked_at.get(slot, 0.0) >= look.next_look_s
            if due or not alike(known, look):
                self._looked_at[slot] = look.at
                yield look

    def _due(self, contact: Contact) -> bool:
        return self._contact is not None and not contact.lost and contact.at - self._contact.at >= CONTACT_S


def _lost(view: ClusterView) -> str:
    """Why nothing is heard of the cluster; empty while it is."""
    return (view.trouble or "the API server does not answer") if view.stale_s else ""


def _staleness(view: ClusterView) -> Noted:
    if not view.stale_s:
        return Noted("the API server answers again", source="kubernetes")
    because = f" ({view.trouble})" if view.trouble else ""
    return Noted(
        f"nothing was heard of the cluster for {view.stale_s:.0f} s; what is shown is from before{because}",
        Level.WARNING,
        source="kubernetes",
    )
