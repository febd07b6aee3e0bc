"""What is said again and again is counted: `late-1 died: ... (again, 12 times in 60 s)`."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.domain.model import Noted

WINDOW_S = 60.0
PLAIN = 3
"""So many of a kind are said as they come."""
_WHEN = re.compile(r"(?:; )?(?:next try|again|is back after|after) ?(?:in )?[\d.]+ m?s$")


@dataclass(slots=True)
class _Kind:
    first_s: float
    last: Noted
    count: int = 1
    held_back: int = 0


class Repeats:
    """Passes notes on to `say`: the first of a kind in a minute as they are, then their number."""

    def __init__(self, say: Callable[[Noted], None]) -> None:
        self._say = say
        self._kinds: dict[Noted, _Kind] = {}

    def note(self, noted: Noted) -> None:
        """Say it now, or count it."""
        kind = replace(noted, text=_WHEN.sub("", noted.text))
        known = self._kinds.get(kind)
        if known is None:
            self._kinds[kind] = _Kind(time.monotonic(), noted)
        else:
            known.last, known.count = noted, known.count + 1
            if known.count > PLAIN:
                known.held_back += 1
                return
        self._say(noted)

    async def run(self) -> None:
        """Say what was counted, once its minute is over."""
        while True:
            await asyncio.sleep(1)
            self.settle(time.monotonic())

    def settle(self, now_s: float) -> None:
        """Close the kinds whose minute is over."""
        for kind, known in list(self._kinds.items()):
            if now_s < known.first_s + WINDOW_S:
                continue
            del self._kinds[kind]
            if known.held_back:
                again = f" (again, {known.held_back} times in {now_s - known.first_s:.0f} s)"
                self._say(replace(known.last, text=known.last.text + again))
                # It goes on: what comes next is counted from the start.
                self._kinds[kind] = _Kind(now_s, known.last, PLAIN)
