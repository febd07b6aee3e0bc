"""The samples of one run, for any number of followers."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from core.domain.sample import Sample

KEEP = 900
NOTHING = Sample(None, at=0.0, seconds=0.0)


class Feed:
    """Filled by one task. Followers are cursors into it, so none of them can hold it up."""

    def __init__(self) -> None:
        self.total = NOTHING
        self._kept: deque[Sample] = deque(maxlen=KEEP)
        self._count = 0
        self._news = asyncio.Event()
        self._over = asyncio.Event()

    def add(self, sample: Sample) -> None:
        """One sample more."""
        self.total = self.total + sample
        self._kept.append(sample)
        self._count += 1
        self._tell()

    def reset(self) -> None:
        """Add up anew from here on; the samples stay."""
        self.total = NOTHING

    def end(self) -> None:
        """There will be no more."""
        self._over.set()
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @property
    def over(self) -> bool:
        """There will be no more."""
        return self._over.is_set()

    async def wait(self) -> None:
        """Until there will be no more; how long that takes is for the load to say."""
        await self._over.wait()

    async def samples(self) -> AsyncIterator[Sample]:
        """All of them, or the last `KEEP` for one who comes late; ends when there will be no more."""
        given = 0
        while True:
            while given < self._count:
                given = max(given, self._count - len(self._kept)) + 1
                yield self._kept[given - 1 - self._count]
            if self.over:
                return
            await self._news.wait()
