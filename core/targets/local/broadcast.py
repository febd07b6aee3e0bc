"""What is true of an endpoint, told to everybody who watches: first all of it, then each change."""

import asyncio

from core.domain.model import Observation, Scaled, Slot, Synced
from core.targets.protocol import Report

MOST = 10_000
"""A watcher this far behind is cut off; it comes back and is told all that is true."""


class Broadcast:
    """The present truth and its readers. A queue that ends with None was cut off."""

    def __init__(self) -> None:
        self.slots: dict[Slot, Observation] = {}
        self._scaled: dict[Slot, Scaled] = {}
        self._readers: set[asyncio.Queue[Report | None]] = set()

    def tell(self, report: Report) -> None:
        """Tell everybody, unless it is an observation that says nothing new."""
        if isinstance(report, Observation):
            if self.slots.get(report.slot) == report:
                return
            if report.version is None:
                if self.slots.pop(report.slot, None) is None:
                    return
                self._scaled.pop(report.slot, None)
            else:
                self.slots[report.slot] = report
        elif isinstance(report, Scaled):
            self._scaled[report.slot] = report
        for reader in list(self._readers):
            if reader.qsize() < MOST:
                reader.put_nowait(report)
            else:
                reader.put_nowait(None)
                self._readers.discard(reader)

    def read(self) -> "asyncio.Queue[Report | None]":
        """A queue that starts with all that is true."""
        queue: asyncio.Queue[Report | None] = asyncio.Queue()
        true: tuple[Report, ...] = (*self.slots.values(), *self._scaled.values(), Synced(tuple(self.slots)))
        for report in true:
            queue.put_nowait(report)
        self._readers.add(queue)
        return queue

    def leave(self, queue: "asyncio.Queue[Report | None]") -> None:
        """Somebody reads no more."""
        self._readers.discard(queue)
