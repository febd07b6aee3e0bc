"""A replica that is asked by its host, beside the router: what it counted, what it answered."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from core.domain.errors import Unreachable
from core.domain.model import Slot
from core.targets.local.http import Connection

ANSWER_S = 1.0
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Scraped:
    """A replica to be asked: who it is (a process and no other), its port, its key, whether it answers copies alone.

    `slot` is the one whose requests it answers; empty while there are none, or another version's.
    """

    who: str
    port: int
    key: str = field(default="", repr=False)
    copies: bool = False
    slot: Slot = ""


async def scrape(replica: Scraped, path: str, turns: asyncio.Semaphore, headers: Mapping[str, str] = {}) -> bytes:
    """What a replica says on a path; nothing where it does not answer in time, or has no such page.

    A service of another make may have none.
    """
    key = {"authorization": f"Bearer {replica.key}"} if replica.key else {}
    with suppress(OSError, TimeoutError, Unreachable):
        async with turns, asyncio.timeout(ANSWER_S):
            line = await Connection.open(("127.0.0.1", replica.port))
            try:
                answer = await line.ask(path, {**key, **headers})
            finally:
                line.close()
            return answer.body if answer.status == 200 else b""
    return b""
