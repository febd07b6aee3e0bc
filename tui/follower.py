"""Follows a link: what it says is folded into a snapshot, in batches, so that a burst never holds up the screen."""

import asyncio
import logging

from core.domain.errors import QuarterdeckError
from core.state.fold import fold
from core.state.link import Link
from core.state.snapshot import Snapshot
from tui.history import History

BATCH = 200
"""So many events are folded before the screen gets its turn."""
AGAIN_S = 1.0
"""So long after a lost journal it is asked again."""
log = logging.getLogger("quarterdeck")


class Follower:
    """What a link has told so far. `lost` says why nothing more comes, if nothing does."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.snapshot = Snapshot()
        self.history = History()
        self.lost = ""

    async def run(self) -> None:
        """Until the link has no more to say. A lost journal is asked again, from the place where it was lost."""
        while True:
            try:
                await self._fold(self.snapshot.seq or None)
            except QuarterdeckError as error:
                self.lost = str(error)
            except Exception as error:
                said = f"{type(error).__name__}; see quarterdeck.log"
                if said != self.lost:
                    log.exception("following the journal")
                self.lost = said
            else:
                return
            await asyncio.sleep(AGAIN_S)

    async def _fold(self, after: int | None) -> None:
        count = 0
        async for event in self._link.events(after):
            self.snapshot, self.history = fold(self.snapshot, event), self.history.plus(event)
            self.lost = ""
            count += 1
            if count % BATCH == 0:
                await asyncio.sleep(0)
