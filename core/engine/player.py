"""A recording that is played: a Link with a clock of its own, which can stand still, run faster and be set anywhere."""

import asyncio
import bisect
import time
from collections.abc import AsyncIterator, Callable, Sequence

from core.domain.errors import BadInput, Refused
from core.state import events as ev
from core.state.commands import Command
from core.state.snapshot import Snapshot

SPEEDS = (1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
EACH_SECOND = (ev.Logged, ev.Sampled, ev.Looked, ev.Contacted, ev.Observed, ev.UsageSeen, ev.StepMoved, ev.Judged)
"""What comes each second is nothing to jump to."""
TICK_S = 0.05


class Player:
    """Plays events in their own time. Moments are in seconds since the epoch, as they were then.

    Whoever follows is told everything anew after a jump back: the same events make the same pictures. What came before
    `begin` is told at once.
    """

    def __init__(
        self,
        events: Sequence[ev.Event],
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        begin: float = 0.0,
    ) -> None:
        if not events:
            raise BadInput("there is nothing in this recording")
        self._events = tuple(events)
        # Facts of two processes may be a little out of order.
        self._due: list[float] = []
        for event in events:
            self._due.append(max(event.at, self._due[-1] if self._due else begin))
        self._marks = sorted(
            {at for at, e in zip(self._due, events, strict=True) if not isinstance(e.body, EACH_SECOND)}
        )
        self.begin, self.end = self._due[0], self._due[-1]
        self.speed = 1.0
        self.playing = True
        self._clock = clock
        self._at, self._set_at = self.begin, clock()
        self._sent = 0
        self._anew = False
        self._changed = asyncio.Event()
        self.set_speed(speed)

    # The clock

    def now(self) -> float:
        """The moment that is shown."""
        if not self.playing:
            return self._at
        return min(self.end, self._at + (self._clock() - self._set_at) * self.speed)

    @property
    def over(self) -> bool:
        """Whether it stands at its end."""
        return self.now() >= self.end

    def set_speed(self, speed: float) -> None:
        """So many times as fast as it was, from 1 to 60; raises BadInput."""
        if not SPEEDS[0] <= speed <= SPEEDS[-1]:
            raise BadInput(f"speed {speed:g}: from 1 to 60 times as fast as it was")
        self._settle(self.now())
        self.speed = speed

    def faster(self, by: int) -> None:
        """The next speed, or the one before."""
        at = bisect.bisect_right(SPEEDS, self.speed) - 1
        self.set_speed(SPEEDS[min(len(SPEEDS) - 1, max(0, at + by))])

    def toggle(self) -> None:
        """Play or stand still; at its end from its beginning."""
        if self.over:
            self.seek(self.begin)
            self.playing = True
            return
        self._settle(self.now())
        self.playing = not self.playing

    def seek(self, at: float) -> None:
        """Be at a moment; before its begin is its begin, after its end its end."""
        target = min(self.end, max(self.begin, at))
        if bisect.bisect_right(self._due, target) < self._sent:
            self._anew = True
        self._settle(target)

    def skip(self, seconds: float) -> None:
        """So far on, or back."""
        self.seek(self.now() + seconds)

    def jump(self, by: int) -> None:
        """To the next event, or the one before."""
        now = self.now()
        if by > 0:
            self.seek(next((at for at in self._marks if at > now), self.end))
        else:
            self.seek(next((at for at in reversed(self._marks) if at < now), self.begin))

    def _settle(self, at: float) -> None:
        self._at, self._set_at = at, self._clock()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # The link

    async def events(self, after: int | None = None) -> AsyncIterator[ev.Event]:
        """Each event when its moment has come; never ends, for it can be set back. A place says who asks again."""
        self._sent = 0 if after is None else sum(event.seq <= after for event in self._events)
        while True:
            changed = self._changed
            if self._anew:
                self._anew, self._sent = False, 0
                yield ev.Event(0, self.begin, "", ev.Carried(Snapshot()))
            while not self._anew and self._sent < len(self._events) and self._due[self._sent] <= self.now():
                self._sent += 1
                yield self._events[self._sent - 1]
            if not self._anew:
                await self._wait(changed)

    def earlier(self, begin: float, end: float) -> list[ev.Event]:
        """What was played or is still to come between two moments."""
        return [event for event in self._events if begin <= event.at <= end]

    async def _wait(self, changed: asyncio.Event) -> None:
        left = self._due[self._sent] - self.now() if self._sent < len(self._due) else None
        timeout_s = None if left is None or not self.playing else max(TICK_S, left / self.speed)
        try:
            async with asyncio.timeout(timeout_s):
                await changed.wait()
        except TimeoutError:
            return

    async def do(self, command: Command) -> None:
        """Refused: what is over can't be changed."""
        raise Refused(f"{type(command).__name__.lower()}: this is a recording; it can only be watched")
