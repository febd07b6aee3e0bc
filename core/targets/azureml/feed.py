"""One who reads what a target reports, and threads that hand it over."""

import asyncio

from core.domain.model import Noted, Scaled
from core.domain.sample import Sample


class AzureFeed:
    """One who reads reports on a loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()
        self.queue: list[Noted | Sample | Scaled] = []

    def tell(self, *reports: Noted | Sample | Scaled) -> None:
        """Hand over from any thread; a loop that has ended wants nothing more."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, reports)

    def _take(self, reports: tuple[Noted | Sample | Scaled, ...]) -> None:
        self.queue.extend(reports)
        self.changed.set()
