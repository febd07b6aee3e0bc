"""What a target's watch sees, written down; and the proof that traffic moved, with how long it took."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol

from core.domain.errors import JournalError, Lost, QuarterdeckError, Refused
from core.domain.model import Noted, Observation, Sample, Scaled, Slot
from core.engine.environment import Environment
from core.engine.slot_facts import SlotFacts
from core.journal.journal import Lease
from core.rollout.rollback import proved
from core.state import events as ev
from core.state.snapshot import Endpoint, Snapshot
from core.system.clock import boottime_s
from core.system.text import clean_line
from core.targets.protocol import Report, Target

Emit = Callable[..., Awaitable[None]]
AGAIN_S = 0.5


class Store(Protocol):
    """What a driver needs of the engine: the state, the door, and to hear when the state changed."""

    @property
    def snapshot(self) -> Snapshot:
        """What is true now."""
        ...

    async def emit(self, *bodies: ev.Body, lease: Lease | None = None) -> None:
        """Write facts down."""
        ...

    async def change(self, timeout_s: float) -> None:
        """Return when the state has changed, or after a while."""
        ...

    def beat(self, lease: Lease) -> None:
        """Say that the driver lives."""
        ...


class Observer:
    """One endpoint's watch, for as long as its driver lives."""

    def __init__(self, store: Store, environment: Environment, target: Target, emit: Emit) -> None:
        self._store = store
        self._environment = environment
        self._target = target
        self._emit = emit
        self._pending: tuple[dict[Slot, float], float, str, str | None] | None = None
        self._opened = False
        self._slots = SlotFacts(environment.endpoint)

    @property
    def _endpoint(self) -> Endpoint:
        return self._store.snapshot.endpoint(self._environment.endpoint)

    def expect(self, weights: dict[Slot, float], since: float, what: str, release: str) -> None:
        """These weights are asked for; `since` is when the `key` went down or the `route` was asked."""
        self._pending = (weights, since, what, release)

    async def run(self) -> None:
        """Until cancelled; raises Lost and JournalError alone."""
        silent = False
        while True:
            try:
                async for report in self._target.watch():
                    silent = False
                    await self._saw(_cleaned(report))
            except (Lost, JournalError):
                raise
            except QuarterdeckError as error:
                # Whatever is wrong with it: without a watch nothing is known, and a deadline says so.
                if not silent:
                    await self._emit(ev.Logged(self._environment.endpoint, "target", str(error)))
                silent = True
            await asyncio.sleep(AGAIN_S)

    async def _open(self) -> None:
        """Write down where the endpoint answers, once there is a place, and again when that may have changed."""
        try:
            address = await self._target.address()
        except Refused:
            return
        self._opened = True
        if address.url != self._endpoint.url:
            environment = self._environment
            opened = ev.Opened(
                environment.endpoint, address.url, environment.environment, environment.kind, environment.production
            )
            await self._emit(opened)

    async def _saw(self, report: Report) -> None:
        name = self._environment.endpoint
        match report:
            case Observation():
                if facts := self._slots.of(self._endpoint.slots.get(report.slot), report, boottime_s()):
                    await self._emit(*facts)
                await self.verify()
                if not self._opened:
                    await self._open()
            case Sample():
                await self._emit(ev.Sampled(name, report))
            case Scaled():
                await self._emit(ev.Looked(name, report))
            case Noted():
                self._opened = False
                await self._emit(ev.Remarked(name, report))

    async def verify(self) -> None:
        """Once the watch shows what was asked for, say so, and how long it took."""
        if self._pending is None:
            return
        weights, since, what, release = self._pending
        endpoint = self._endpoint
        if endpoint.weights != weights or not proved(endpoint, weights):
            return
        self._pending = None
        answers = sum(seen.proved_by for seen in endpoint.slots.values())
        took_ms = max(0.0, (time.time() - since) * 1000)
        await self._emit(ev.Verified(self._environment.endpoint, weights, took_ms, answers, what, release))


def _cleaned(report: Report) -> Report:
    """What replicas, routers and servers wrote stands in it, and goes from here to the journal and to screens."""
    match report:
        case Noted(text=text):
            return replace(report, text=clean_line(text))
        case Observation(why=why, replicas=replicas) if not "".join(
            (why, *(one.why for one in replicas))
        ).isprintable():
            kept = tuple(replace(one, why=clean_line(one.why)) for one in replicas)
            return replace(report, why=clean_line(why), replicas=kept)
        case Sample(failed=failed, mix=mix):
            return replace(report, failed=_named(failed), mix=_named(mix))
        case _:
            return report


def _named(counts: Mapping[str, int]) -> Mapping[str, int]:
    if all(name.isprintable() for name in counts):
        return counts
    found: dict[str, int] = {}
    for name, count in counts.items():
        found[clean_line(name)] = found.get(clean_line(name), 0) + count
    return found
