"""Writing to a journal from an event loop: another process's lock is waited for, and the loop goes on."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from core.domain.errors import Busy, JournalError

MOST_S = 5.0
FIRST_S, LONGEST_S = 0.002, 0.1
T = TypeVar("T")


async def patiently(write: Callable[[], T], most_s: float = MOST_S) -> T:
    """What a write says once it gets its turn. The journal must be one with `wait_s=0`.

    Raises JournalError when another process held it locked for `most_s`, and what the write itself raises.
    """
    loop = asyncio.get_running_loop()
    end_s, pause_s = loop.time() + most_s, FIRST_S
    while True:
        try:
            return write()
        except Busy as busy:
            if loop.time() >= end_s:
                why = f"{busy}: locked by another process for {most_s:g} s; end that one, or call again"
                raise JournalError(why) from busy
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_S)
