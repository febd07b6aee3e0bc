"""From a forked process to a replica that serves; and how long to wait before the next try."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.domain.errors import Unreachable
from core.targets.local.child import Child
from core.targets.local.http import ask
from core.targets.local.logs import last_line

STEADY_S = 10.0
"""Whoever served for so long did not fail at its start."""
BACKOFF_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)


@dataclass(slots=True)
class Backoff:
    """The waits between tries that end early: none after the first of a replica that was ready, then longer ones."""

    short_lives: int = 0
    begun_s: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Another try begins."""
        self.begun_s = time.monotonic()

    def after(self, *, was_ready: bool) -> float:
        """How long to wait after a try, in seconds."""
        steady = was_ready and time.monotonic() - self.begun_s > STEADY_S
        self.short_lives = 1 if steady else self.short_lives + 1
        return BACKOFF_S[min(self.short_lives - (1 if was_ready else 0), len(BACKOFF_S) - 1)]


async def gets_ready(child: Child, deadline_s: float, log: Path) -> None:
    """Wait until it serves or has ended. Raises TimeoutError, with why, where neither came in time."""
    try:
        async with asyncio.timeout(deadline_s):
            await child.begun()
            if child.live.done():
                await _healthy(child)
    except TimeoutError:
        said = last_line(log)
        child.kill()
        await child.ended
        raise TimeoutError(f"not ready after {deadline_s:g} s{f': {said}' if said else ''}") from None


async def _healthy(child: Child) -> None:
    """Ask it until it answers that it is ready."""
    while not child.ended.done():
        with suppress(Unreachable):
            if (await ask(("127.0.0.1", child.port), "/health", timeout_s=1.0)).status == 200:
                return
        await asyncio.wait([child.ended], timeout=0.01)


def how(ended: str, log: Path) -> str:
    """How a process ended, with the last thing it said."""
    said = last_line(log)
    return f"{ended} ({said})" if said else ended
