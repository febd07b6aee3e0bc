"""What is due beside a release: a sign of life, slots to retire, logs to follow, a work child to keep warm."""

import asyncio
import contextlib
import time

from core.domain.errors import JournalError, Lost, QuarterdeckError
from core.engine.environment import Environment
from core.engine.observer import Emit, Store
from core.journal.journal import Lease
from core.state import events as ev
from core.state.snapshot import Endpoint
from core.system.text import clean_line
from core.targets.protocol import Target

CALL_S = 30.0
KEEP_S = 120.0
"""For so long a version that was taken back stays ready, in case somebody takes that back."""
REMOVE_AGAIN_S = 60.0
IDLE_S = 1.0


class Housekeeping:
    """One endpoint's chores; without `acts` nothing is changed."""

    def __init__(
        self, store: Store, lease: Lease, environment: Environment, target: Target, emit: Emit, acts: bool
    ) -> None:
        self._store = store
        self._lease = lease
        self._environment = environment
        self._target = target
        self._emit = emit
        self._acts = acts
        self._warm = False
        self._tails: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """End the logs that are followed."""
        tails = set(self._tails.values())
        for task in tails:
            task.cancel()
        if tails:
            await asyncio.wait(tails, timeout=CALL_S)

    async def run(self) -> None:
        """Until cancelled; raises Lost and JournalError alone."""
        while True:
            self._store.beat(self._lease)
            endpoint, now = self._store.snapshot.endpoint(self._environment.endpoint), time.time()
            idle = self._acts and self._store.snapshot.live_release(endpoint.name) is None
            for slot, due in endpoint.retire.items():
                seen = endpoint.slots.get(slot)
                if idle and now >= due and (seen is None or seen.weight == 0):
                    await self._retire(slot)
            self._follow_logs(endpoint, now)
            await self._keep_warm(now)
            await self._store.change(IDLE_S)

    async def _keep_warm(self, now: float) -> None:
        """A child with its libraries loaded while a release may need it; none, and its memory free, a while after."""
        last = self._store.snapshot.release_of(self._environment.endpoint)
        wanted = self._acts and last is not None and (last.live or now - (last.ended_at or 0.0) < KEEP_S)
        if wanted and not self._warm:
            self._environment.warm()
        elif self._warm and not wanted:
            await self._environment.cancel_work()
        self._warm = wanted

    async def _retire(self, slot: str) -> None:
        name = self._environment.endpoint
        try:
            async with asyncio.timeout(CALL_S):
                await self._target.remove(slot)
        except (QuarterdeckError, TimeoutError) as error:
            why = str(error) or f"the target did not answer within {CALL_S:g} s"
            again = ev.RetireDue(name, slot, time.time() + REMOVE_AGAIN_S)
            await self._emit(ev.Logged(name, "target", f"{why}; tried again later"), again)
        else:
            await self._emit(ev.Removed(name, slot))

    def _follow_logs(self, endpoint: Endpoint, now: float) -> None:
        wanted = {source for source, until in endpoint.tails.items() if until > now}
        for source in self._tails.keys() - wanted:
            self._tails.pop(source).cancel()
        for source in wanted - self._tails.keys():
            self._tails[source] = asyncio.create_task(self._tail(source), name=f"log of {source}")

    async def _tail(self, source: str) -> None:
        slot, _, number = source.partition("-")
        try:
            async for line in self._target.logs(slot, source if number else ""):
                await self._emit(ev.Logged(self._environment.endpoint, source, clean_line(line)))
        except (Lost, JournalError):
            return  # The driver hears of it by its own next word.
        except QuarterdeckError as error:
            with contextlib.suppress(QuarterdeckError):
                await self._emit(ev.Logged(self._environment.endpoint, source, str(error)))
