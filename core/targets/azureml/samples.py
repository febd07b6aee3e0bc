"""What the answers that came through this machine were, second by second and slot by slot."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from core.domain.histogram import Histogram
from core.domain.model import Slot
from core.domain.sample import Sample

EVERY_S = 1.0
_CALLERS = (400, 401, 403, 404, 413, 415, 422)
"""What is the caller's doing says nothing of a version."""


@dataclass(slots=True)
class _Second:
    """One slot's answers so far."""

    ok: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    mix: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)


class SlotSamples:
    """Counts on a loop, and tells each second. What was pinned to a slot is a try of it, and nobody's share.

    Where no answer came nobody knows whose it would have been: only who sent it counts that.
    """

    def __init__(self, tell: Callable[[Sample], None]) -> None:
        self._tell = tell
        self._seconds: dict[Slot, _Second] = {}
        self._last: dict[Slot, float] = {}

    def answered(self, slot: Slot, status: int, ms: float, version: str, *, pinned: bool) -> None:
        """One answer."""
        if pinned or not slot:
            return
        second = self._seconds.setdefault(slot, _Second())
        self._last[slot] = time.monotonic()
        if status in _CALLERS:
            second.refused[str(status)] += 1
            return
        second.times.append(ms)
        if version:
            second.mix[f"version:{version}"] += 1
        if status < 400:
            second.ok += 1
        else:
            second.failed[str(status)] += 1

    async def run(self) -> None:
        """Tell what came in each second, for as long as anything comes."""
        while True:
            await asyncio.sleep(EVERY_S)
            seconds, self._seconds = self._seconds, {}
            at, now_s = time.time(), time.monotonic()
            for slot, one in seconds.items():
                self._tell(
                    Sample(
                        slot,
                        at,
                        ok=one.ok,
                        failed=dict(one.failed),
                        latency=Histogram.of(one.times),
                        mix=dict(one.mix),
                        seconds=EVERY_S,
                        refused=dict(one.refused),
                        quiet_s=now_s - self._last[slot],
                    )
                )
