"""What a host does every second: measure, hold memory limits, count answers, look at the size of slots."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from core.domain.errors import Unreachable
from core.domain.figures import Use
from core.domain.model import Level, Noted, Scaled, Slot
from core.targets.local import logs, stats
from core.targets.local.autoscaler import Autoscaler, interval_s
from core.targets.local.broadcast import Broadcast
from core.targets.local.member import Member
from core.targets.local.pool import Pool
from core.targets.local.replica_checks import ReplicaChecks
from core.targets.local.rows import SlotRows
from core.targets.local.spec import EndpointSpec
from core.targets.local.state import Held, HostState
from core.targets.local.traffic import Traffic
from core.targets.local.usage import UsageMeters

ROUND_S = 1.0


class ControlledEndpoint(Protocol):
    """As much of an endpoint as is looked at each second."""

    spec: EndpointSpec
    state: HostState
    broadcast: Broadcast
    pools: dict[Slot, list[Pool]]
    traffic: Traffic

    def note(self, noted: Noted) -> None:
        """Say something to everybody."""

    def observe(self, slot: Slot) -> None:
        """Tell what is true of a slot."""


class ControlLoop:
    """The clock of one endpoint, and what it remembers from round to round."""

    def __init__(self, endpoint: ControlledEndpoint, scale: Callable[[Slot, Held, Scaled], Awaitable[None]]) -> None:
        self._endpoint = endpoint
        self._scale = scale
        self._meters = UsageMeters()
        self._samples = stats.TrafficMeter(time.time())
        self._autoscaler = Autoscaler()
        self._checks = ReplicaChecks(endpoint.note)
        # A router of an earlier host has counted before: its first figures are where this host begins.
        self._counting = False
        self._not_made: dict[Slot, int] = {}

    async def run(self) -> None:
        """Go round until cancelled."""
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + ROUND_S, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())
            await self.once()

    async def once(self) -> None:
        """One round. A part of it that fails (an odd answer, a full disk) is said, and keeps no other from its turn."""
        for part in (self._measure, self._sample, self._look, self._tell, self._bound_logs):
            try:
                await part()
            except Exception as error:
                what = part.__name__.strip("_").replace("_", " ")
                why = f"a round of the host failed ({what}): {type(error).__name__}: {error}"
                self._endpoint.note(Noted(why, Level.ERROR, source="host"))

    async def _measure(self) -> None:
        pools = [pool for of_slot in self._endpoint.pools.values() for pool in of_slot]
        self._meters.look({one.name: one.family for one in _members(pools) if one.family is not None})
        self._hold_memory(pools)
        self._checks.check(pools)

    async def _tell(self) -> None:
        for slot in list(self._endpoint.pools):
            self._endpoint.observe(slot)

    async def _bound_logs(self) -> None:
        for folder in (self._endpoint.spec.folder, self._endpoint.spec.folder / "logs"):
            await asyncio.to_thread(logs.bound, folder)

    def figures(self) -> Mapping[str, tuple[float, float]]:
        """The last cpu (thousandths of a core) and memory (MB) of each replica."""
        found = self._meters.figures(ROUND_S)
        return {name: (cpu.value, memory.value) for name, (cpu, memory) in found.items()}

    def forget(self, slot: Slot) -> None:
        """A slot has gone."""
        self._autoscaler.forget(slot)

    async def _sample(self) -> None:
        endpoint = self._endpoint
        try:
            start, totals = await endpoint.traffic.totals()
        except Unreachable:
            return  # The router is being started again, and says so itself.
        rows = endpoint.traffic.rows()
        labels = {slot: f"version:{held.version.number}" for slot, held in endpoint.state.slots.items()}
        samples = self._samples.samples(start, totals, labels, time.time())
        if self._counting or not endpoint.traffic.adopted:
            found = endpoint.traffic.comparison.taken()
            for sample in samples:
                copies = sample.slot in endpoint.state.mirror
                pairs = (found.compared, found.differing) if copies else (0, 0)
                counted = rows.get(sample.slot or "", SlotRows())
                with_rows = replace(sample, mix={**sample.mix, **counted.mix}, inputs=counted.inputs)
                told = replace(with_rows, compared=pairs[0], differing=pairs[1], use=self._use(sample.slot or ""))
                endpoint.broadcast.tell(told)
            self._say_not_made(totals)
        self._counting = True
        self._not_made = {slot: total.not_made for slot, total in totals.items()}

    def _use(self, slot: Slot) -> Use | None:
        """What the replicas that serve in a slot used in the last second; None where no limit says of how much."""
        pools = self._endpoint.pools.get(slot, [])
        return of_replicas(pools[-1], self.figures()) if pools else None

    def _say_not_made(self, totals: Mapping[Slot, stats.Totals]) -> None:
        for slot, total in totals.items():
            if total.not_made > self._not_made.get(slot, 0):
                why = f"{slot} does not keep up with the copies of requests: some of them are not made"
                self._endpoint.note(Noted(why, Level.WARNING, slot, "router"))

    async def _look(self) -> None:
        endpoint = self._endpoint
        for slot, held in list(endpoint.state.slots.items()):
            pools = endpoint.pools.get(slot)
            if not endpoint.state.weights.get(slot) or not pools:
                # A standby keeps its size, so that it can take over.
                self._autoscaler.forget(slot)
            elif self._autoscaler.due(held.spec, slot):
                usage = self._meters.figures(interval_s(held.spec))
                members = [member for pool in pools for member in pool.members.values()]
                await self._scale(slot, held, self._autoscaler.look(held.spec, slot, held.wanted, members, usage))

    def _hold_memory(self, pools: Iterable[Pool]) -> None:
        figures = self.figures()
        for pool in pools:
            for member in pool.ready:
                most_mb = most_mb_of(pool, member)
                _, memory_mb = figures.get(member.name, (0.0, 0.0))
                if most_mb is not None and memory_mb > most_mb:
                    pool.kill(member, f"out of memory: {memory_mb:.0f} MB of {most_mb} MB")


def most_mb_of(pool: Pool, member: Member) -> int | None:
    """What a replica may hold, in MB; None: as much as there is."""
    return pool.spec.memory_of(member.child is not None and member.child.worker is not None)


def of_replicas(pool: Pool, figures: Mapping[str, tuple[float, float]]) -> Use | None:
    """What the replicas that serve used, as shares of what they may; None where nothing was measured."""
    found = [(figures[one.name], most_mb_of(pool, one)) for one in pool.ready if one.name in figures]
    cpu_m = pool.spec.cpu_m
    cpu = [100 * used_m / cpu_m for (used_m, _), _ in found] if cpu_m is not None else []
    memory = [100 * held_mb / most_mb for (_, held_mb), most_mb in found if most_mb is not None]
    if not (cpu or memory):
        return None
    return Use(len(cpu), round(sum(cpu), 1), round(max(memory), 1) if memory else None)


def _members(pools: Iterable[Pool]) -> list[Member]:
    return [member for pool in pools for member in pool.members.values()]
