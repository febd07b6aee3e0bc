"""One endpoint as its host runs it: takes changes, keeps router and replicas to them, tells what is true."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.domain.errors import Refused
from core.domain.model import Level, Noted, Observation, Scaled, Slot, Version
from core.targets.checks import check_apply, check_remove, check_weights
from core.targets.local.broadcast import Broadcast
from core.targets.local.control_loop import ControlLoop
from core.targets.local.pool import Pool, with_figures
from core.targets.local.routes import Table
from core.targets.local.spec import EndpointSpec
from core.targets.local.state import Held, HostState, save
from core.targets.local.traffic import Traffic

MANNED_S = 3.0
"""A host that comes back waits so long for replicas before its router takes requests."""


class LocalEndpoint:
    """The one place that changes an endpoint's state, so it has more methods than others: six are its verbs."""

    def __init__(self, spec: EndpointSpec, state: HostState) -> None:
        self.spec = spec
        self.state = state
        self.broadcast = Broadcast()
        self.pools: dict[Slot, list[Pool]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turned = asyncio.Event()
        self.traffic = Traffic(
            spec,
            state.port,
            Table(state.generation, state.weights, state.mirror),
            pools=self.pools,
            key=lambda: self.spec.key,
            note=self.note,
            proved=self._observe_all,
            spawn=self._spawn,
        )
        self._control_loop = ControlLoop(self, self._scaled)

    async def start(self) -> None:
        """Come back to what was accepted before."""
        for slot, held in self.state.slots.items():
            self._open(slot, held)
        # A router without replicas would answer 503 in their name, and a gate would take that for the version's fault.
        await self._manned()
        await self.traffic.start()
        # A watch names all slots that there are, also one whose replicas have not stirred yet.
        self._observe_all()
        self._spawn(self._control_loop.run())

    async def _manned(self) -> None:
        """Wait until every slot that gets traffic has a replica, or for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(MANNED_S):
                while not all(any(pool.ready for pool in self.pools.get(slot, [])) for slot in self.state.weights):
                    self._turned.clear()
                    await self._turned.wait()

    def note(self, noted: Noted) -> None:
        """Say something to everybody, and keep it in the host's own log."""
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {noted.level.value}: {noted.text}", flush=True)  # noqa: T201
        self.broadcast.tell(noted)

    # What is asked of it

    def fence(self, token: int) -> None:
        """Refuse a driver that another has followed."""
        if token < self.state.token:
            raise Refused(f"driver {token} of {self.spec.endpoint} was followed by driver {self.state.token}")
        self.state = replace(self.state, token=token)

    def adopt(self, spec: EndpointSpec) -> None:
        """Take new limits on; raises Refused for what only a new host can change."""
        if spec.port not in {0, self.state.port} or spec.host != self.spec.host:
            raise Refused(
                f"{spec.endpoint} listens on {self.spec.host}:{self.state.port}, not on {spec.host}:{spec.port};"
                " to move it, stop it first: quarterdeck down"
            )
        self.spec = spec
        self.state = replace(self.state, spec=spec.to_json())
        for pool in [pool for pools in self.pools.values() for pool in pools]:
            pool.adopt(spec)
        for slot, held in self.state.slots.items():
            if self.pools[slot][-1].key != spec.key:
                self._open(slot, held)

    async def apply(self, slot: Slot, version: Version, model: Path, replicas: int) -> None:
        """Hold `replicas` of a version in a slot; what the autoscaler made of the same wish before stays."""
        check_apply(slot, replicas)
        held = self.state.slots.get(slot)
        if held is None or (held.version, held.model, held.asked) != (version, model, replicas):
            held = Held(version, model, replicas, replicas)
            self.state = self.state.holding(slot, held)
        elif held.wanted < replicas:
            # Whoever asks again for more than the autoscaler left wants them back: traffic is about to return.
            held = replace(held, wanted=replicas)
            self.state = self.state.holding(slot, held)
        self._open(slot, held)
        await self._save()

    async def route(self, weights: Mapping[Slot, float], mirror: Slot | None) -> None:
        """Move traffic; it is told as true once answers show it."""
        check_weights(weights, mirror, self.state.slots)
        kept = {slot: float(weight) for slot, weight in weights.items() if weight > 0}
        generation = self.state.generation + 1
        self.state = replace(self.state, weights=kept, mirror=mirror, generation=generation)
        self.traffic.move(generation, kept, mirror)
        await self._save()

    async def remove(self, slot: Slot) -> None:
        """Let a slot drain and go."""
        check_remove(slot, self.state.weights)
        if slot == self.state.mirror:
            raise Refused(f"{slot}: it gets a copy of the traffic; stop mirroring first")
        if slot in self.state.slots:
            self.state = self.state.holding(slot, None)
            await self._save()
            self._control_loop.forget(slot)
            for pool in self.pools.get(slot, []):
                self._spawn(self._close(slot, pool))

    async def stop(self, *, forget: bool) -> None:
        """Drain and end everything; `forget` what was held, or keep it for the next host."""
        pools = dict(self.pools)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if forget:
            self.state = replace(self.state, weights={}, mirror=None, slots={})
            await self._save()
        await self.traffic.stop(self.spec.drain_s)
        self.pools.clear()
        await asyncio.gather(*(pool.stop() for of_slot in pools.values() for pool in of_slot))
        for slot in pools:
            self.broadcast.tell(Observation(slot, None, 0, 0, 0.0))

    # Slots

    def _open(self, slot: Slot, held: Held) -> None:
        """Have a pool for what a slot is to hold; an older one goes when this one can carry the slot."""
        pools = self.pools.setdefault(slot, [])
        known = pools[-1] if pools and not pools[-1].closing else None
        if known is None or (known.version, known.model, known.key) != (held.version, held.model, self.spec.key):
            pools.append(
                Pool(
                    self.spec,
                    slot,
                    held.version,
                    model=held.model,
                    changed=lambda: self._changed(slot),
                    note=self.note,
                    taken=lambda: {name for pool in self.pools.get(slot, []) for name in pool.members},
                )
            )
        pools[-1].resize(held.wanted)

    def _changed(self, slot: Slot) -> None:
        """A replica changed: tell the router, then everybody."""
        self._turned.set()
        pools = self.pools.get(slot, [])
        if pools and len(pools[-1].ready) >= pools[-1].wanted:
            for old in [pool for pool in pools[:-1] if pool.wanted]:
                self._spawn(self._close(slot, old))
        was_empty = not self.traffic.table.ports.get(slot)
        try:
            self.traffic.serve(
                {
                    name: tuple(member.port for pool in some for member in pool.ready)
                    for name, some in self.pools.items()
                }
            )
        except OSError as error:
            self.note(Noted(f"the router can't be told of {slot}: {error}", Level.ERROR, slot, "router"))
        if was_empty and self.traffic.table.ports.get(slot):
            self._spawn(self._reach(slot))
        else:
            self.observe(slot)

    async def _reach(self, slot: Slot) -> None:
        """A slot's first replica counts as ready once the router finds it: a smoke test may come at once."""
        await self.traffic.reaches(slot)
        self.observe(slot)

    async def _close(self, slot: Slot, pool: Pool) -> None:
        await pool.stop()
        pools = self.pools.get(slot, [])
        if pool in pools:
            pools.remove(pool)
        if not pools and self.pools.pop(slot, None) is not None:
            self.broadcast.tell(Observation(slot, None, 0, 0, 0.0))

    async def _scaled(self, slot: Slot, held: Held, scaled: Scaled) -> None:
        """Follow a look of the autoscaler, unless somebody asked for something else meanwhile."""
        if scaled.after != scaled.before and self.state.slots.get(slot) == held:
            self.state = self.state.holding(slot, replace(held, wanted=scaled.after))
            self._open(slot, self.state.slots[slot])
            await self._save()
        self.broadcast.tell(scaled)

    # What is told

    def observe(self, slot: Slot) -> None:
        """Tell what is true of a slot, if it is anything new."""
        pools = self.pools.get(slot)
        if not pools:
            return
        now = pools[-1]
        replicas = with_figures([one for pool in pools for one in pool.replicas()], self._control_loop.figures())
        weight, proved_by = self.traffic.weight(slot)
        why = next((one.why for one in now.replicas() if one.why), "")
        seen = Observation(slot, now.version, now.wanted, len(now.ready), weight, replicas, proved_by, why)
        self.broadcast.tell(seen)

    def _observe_all(self) -> None:
        for slot in self.pools:
            self.observe(slot)

    async def _save(self) -> None:
        await asyncio.to_thread(save, self.spec.folder, self.state)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.note(Noted(f"the host went wrong: {type(error).__name__}: {error}", Level.ERROR, source="host"))
