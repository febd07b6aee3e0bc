"""What is due beside a release: a sign of life, slots to retire, logs to follow, a work child to keep warm."""

import asyncio
import contextlib
import importlib

from core.domain.errors import JournalError, Lost, QuarterdeckError
from core.domain.model import Slot
from core.engine.environment import Environment
from core.engine.observer import Emit, Store
from core.engine.pending import PendingWork
from core.journal.journal import Lease
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.system.tasks import TaskGuard
from core.system.text import clean_line
from core.targets.protocol import Target

CALL_S = 30.0
KEEP_S = 120.0
"""For so long a version that was taken back stays ready, in case somebody takes that back."""
IDLE_S = 1.0


class Housekeeping:
    """What one endpoint needs beside its release; without `acts` nothing is changed."""

    def __init__(
        self,
        store: Store,
        lease: Lease,
        environment: Environment,
        target: Target,
        emit: Emit,
        pending: PendingWork | None,
    ) -> None:
        self._store = store
        self._lease = lease
        self._environment = environment
        self._target = target
        self._emit = emit
        self._pending = pending
        self._guard = TaskGuard(f"logs of {environment.endpoint}")
        self._warm = self._compares = False
        self._tails: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """End the logs that are followed."""
        await self._guard.close(CALL_S)

    async def run(self) -> None:
        """Until cancelled; raises Lost and JournalError alone."""
        while True:
            self._store.beat(self._lease)
            endpoint, now = self._store.snapshot.endpoint(self._environment.endpoint), self._store.now()
            if self._pending is not None:
                self._pending.retire(endpoint, now)
                self._pending.look(endpoint, now)
            self._follow_logs(endpoint, now)
            await self._keep_warm(now)
            await self._store.change(IDLE_S)

    async def _keep_warm(self, now: float) -> None:
        """A child with its libraries loaded while a release may need it; none, and its memory free, a while after."""
        last = self._store.snapshot.release_of(self._environment.endpoint)
        wanted = self._pending is not None and last is not None and (last.live or now - (last.ended_at or 0.0) < KEEP_S)
        if wanted and not self._warm:
            self._environment.warm()
        elif self._warm and not wanted:
            await self._environment.cancel_work()
        self._warm = wanted
        if wanted and last is not None and last.slot is not None and not self._compares:
            # Gates that compare need it: the first look at a hold must not stand still while it loads, nor may the work
            # child's libraries, which come first.
            self._compares = True
            await asyncio.to_thread(importlib.import_module, "core.rollout.comparison")

    def _follow_logs(self, endpoint: Endpoint, now: float) -> None:
        wanted = {source for source, until in endpoint.tails.items() if until > now}
        for source in self._tails.keys() - wanted:
            self._tails.pop(source).cancel()
        for source in wanted - self._tails.keys():
            self._tails[source] = self._guard.start(self._tail(_slot_of(endpoint, source), source), source)

    async def _tail(self, slot: Slot, source: str) -> None:
        try:
            async for line in self._target.logs(slot, "" if source == slot else source):
                await self._emit(ev.Logged(self._environment.endpoint, source, clean_line(line)))
        except (Lost, JournalError):
            return  # The driver hears of it by its own next word.
        except QuarterdeckError as error:
            with contextlib.suppress(QuarterdeckError):
                await self._emit(ev.Logged(self._environment.endpoint, source, str(error)))


def _slot_of(endpoint: Endpoint, source: str) -> Slot:
    """The slot that is called so, or that has a replica of that name; else the slot whose name it begins with."""
    for slot, seen in endpoint.slots.items():
        if source == slot or any(replica.name == source for replica in seen.replicas):
            return slot
    return next((slot for slot in endpoint.slots if source.startswith(slot)), source)
