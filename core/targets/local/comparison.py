"""While requests are copied, each second: asks replicas what they answered to those, and puts pairs side by side."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from core.domain.model import Noted, Slot
from core.targets.local.pairs import Compared, Pairs
from core.targets.local.routes import PROBE_HEADER
from core.targets.local.scraped import AT_ONCE, Scraped, scrape

EVERY_S = 1.0
SAID_S = 60.0
"""What differs is said at once, and then so often."""
PATH = "/pairs"


class Comparison:
    """Compares what two slots answer. `replicas` are those to be asked, `mirrored` is the slot that gets copies."""

    def __init__(
        self,
        replicas: Callable[[], Iterable[Scraped]],
        mirrored: Callable[[], Slot | None],
        note: Callable[[Noted], None],
    ) -> None:
        self._replicas = replicas
        self._mirrored = mirrored
        self._note = note
        self._pairs = Pairs()
        self._untold = Compared()
        self._unsaid = Compared()
        self._said_s = 0.0

    async def run(self) -> None:
        """Go round until cancelled; nobody is asked while nothing is copied."""
        while True:
            await asyncio.sleep(EVERY_S)
            if slot := self._mirrored():
                await self.once(slot)
            else:
                self._pairs, self._unsaid, self._said_s = Pairs(), Compared(), 0.0

    async def once(self, slot: Slot) -> None:
        """Ask everybody, compare what has come together, say what differs."""
        turns = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._ask(one, turns) for one in self._replicas()))
        found = self._pairs.taken()
        self._untold, self._unsaid = self._untold + found, self._unsaid + found
        said, now_s = self._unsaid, time.monotonic()
        if said.differing and (not self._said_s or now_s - self._said_s >= SAID_S):
            what = f"{said.differing:,} of {said.compared:,} compared, such as {said.example}"
            self._note(Noted(f"{slot} answers otherwise than the live version: {what}", slot=slot, source="mirror"))
            self._unsaid, self._said_s = Compared(), now_s

    async def _ask(self, replica: Scraped, turns: asyncio.Semaphore) -> None:
        body = await scrape(replica, PATH, turns, {PROBE_HEADER: "pairs"})
        with suppress(ValueError, KeyError, TypeError):
            self._pairs.take(json.loads(body), time.monotonic(), copies=replica.copies)

    def taken(self) -> Compared:
        """What was compared since this was asked last."""
        found, self._untold = self._untold, Compared()
        return found
