"""One endpoint as its host runs it: takes changes, keeps router and replicas to them, tells what is true."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import Refused, Unreachable
from core.model import Level, Noted, Observation, Scaled, Slot, Version
from core.targets.checks import check_apply, check_remove, check_weights
from core.targets.local import logs, stats
from core.targets.local.autoscaler import Autoscaler, interval_s
from core.targets.local.board import Board
from core.targets.local.envoy import Table
from core.targets.local.http import ask
from core.targets.local.pool import Pool, with_figures
from core.targets.local.router import Router
from core.targets.local.spec import EndpointSpec
from core.targets.local.state import Held, State, save
from core.targets.local.usage import Meters


class Endpoint:
    """The one place that changes an endpoint's state. Longer than others since everything meets here."""

    def __init__(self, spec: EndpointSpec, state: State) -> None:
        self.spec = spec
        self.state = state
        self.board = Board()
        self._pools: dict[Slot, list[Pool]] = {}
        self._table = Table(state.generation, state.weights, state.mirror)
        self._proofs: dict[Slot, tuple[float, int]] = {}
        self._router = Router(spec.folder / "router", (spec.host, state.port), self.note, self._router_up)
        self._meters = Meters()
        self._samples = stats.Meter(time.time())
        self._autoscaler = Autoscaler()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Come back to what was accepted before."""
        for slot, held in self.state.slots.items():
            self._open(slot, held)
        self._table = self._tabled()
        await self._router.start(self._table)
        self._task(self._tick())

    def note(self, noted: Noted) -> None:
        """Say something to everybody, and keep it in the host's own log."""
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {noted.level.value}: {noted.text}", flush=True)  # noqa: T201
        self.board.tell(noted)

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
        for pools in self._pools.values():
            for pool in pools:
                pool.adopt(spec)

    async def apply(self, slot: Slot, version: Version, model: Path, replicas: int) -> None:
        """Hold `replicas` of a version in a slot; what the autoscaler made of the same wish before stays."""
        check_apply(slot, replicas)
        held = self.state.slots.get(slot)
        if held and held.version == version and held.model == model and held.asked == replicas:
            self._open(slot, held)
        else:
            held = Held(version, model, replicas, replicas)
            self.state = self.state.holding(slot, held)
            self._open(slot, held)
        await self._save()

    async def route(self, weights: Mapping[Slot, float], mirror: Slot | None) -> None:
        """Move traffic; it is told as true once answers show it."""
        check_weights(weights, mirror, self.state.slots)
        kept = {slot: float(weight) for slot, weight in weights.items() if weight > 0}
        generation = self.state.generation + 1
        self.state = replace(self.state, weights=kept, mirror=mirror, generation=generation)
        self._rewrite()
        self._task(self._prove())
        await self._save()

    async def remove(self, slot: Slot) -> None:
        """Let a slot drain and go."""
        check_remove(slot, self.state.weights)
        if slot == self.state.mirror:
            raise Refused(f"{slot}: it gets a copy of the traffic; stop mirroring first")
        if slot in self.state.slots:
            self.state = self.state.holding(slot, None)
            await self._save()
            self._autoscaler.forget(slot)
            for pool in self._pools.get(slot, []):
                self._task(self._close(slot, pool))

    async def stop(self) -> None:
        """Drain and end everything, and forget what was held."""
        pools = dict(self._pools)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.state = replace(self.state, weights={}, mirror=None, slots={})
        if self.spec.folder.exists():
            await self._save()
        await self._router.drain(self.spec.drain_s)
        await asyncio.gather(*(pool.stop() for of_slot in pools.values() for pool in of_slot))
        await self._router.stop()
        self._pools.clear()
        for slot in pools:
            self.board.tell(Observation(slot, None, 0, 0, 0.0))

    # Slots

    def _open(self, slot: Slot, held: Held) -> None:
        pools = self._pools.setdefault(slot, [])
        current = pools[-1] if pools else None
        if current is None or current.version != held.version or current.model != held.model:
            current = Pool(
                self.spec,
                slot,
                held.version,
                model=held.model,
                changed=lambda: self._changed(slot),
                note=self.note,
                taken=lambda: {name for pool in self._pools.get(slot, []) for name in pool.seats},
            )
            pools.append(current)
        current.resize(held.wanted)

    def _changed(self, slot: Slot) -> None:
        """A replica changed: tell the router, then everybody."""
        pools = self._pools.get(slot, [])
        if len(pools) > 1 and len(pools[-1].ready) >= pools[-1].wanted:
            # The new version can carry the slot: the old one may go.
            for old in pools[:-1]:
                if old.wanted:
                    self._task(self._close(slot, old))
        was_empty = not self._table.ports.get(slot)
        self._rewrite()
        if was_empty and self._table.ports.get(slot):
            self._task(self._reach(slot))
        else:
            self._observe(slot)

    async def _reach(self, slot: Slot) -> None:
        """A slot's first replica counts as ready once the router finds it: a smoke test may come at once."""
        await self._router.reaches(slot)
        self._observe(slot)

    async def _close(self, slot: Slot, pool: Pool) -> None:
        await pool.stop()
        pools = self._pools.get(slot, [])
        if pool in pools:
            pools.remove(pool)
        if not pools and slot not in self.state.slots:
            self._pools.pop(slot, None)
            self.board.tell(Observation(slot, None, 0, 0, 0.0))

    def _observe(self, slot: Slot) -> None:
        pools = self._pools.get(slot)
        if not pools:
            return
        now = pools[-1]
        figures = {name: (cpu.value, memory.value) for name, (cpu, memory) in self._meters.figures(1.0).items()}
        replicas = with_figures(tuple(one for pool in pools for one in pool.replicas()), figures)
        weight, proved_by = self._proofs.get(slot, (0.0, 0))
        why = next((one.why for one in now.replicas() if one.why), "")
        seen = Observation(slot, now.version, now.wanted, len(now.ready), weight, replicas, proved_by, why)
        self.board.tell(seen)

    # Traffic

    def _tabled(self) -> Table:
        ports = {slot: tuple(seat.port for pool in pools for seat in pool.ready) for slot, pools in self._pools.items()}
        gone = {slot: () for slot in self._table.ports if slot not in ports}
        return Table(self.state.generation, self.state.weights, self.state.mirror, {**gone, **ports})

    def _rewrite(self) -> None:
        self._table = self._tabled()
        self._router.write(self._table)

    def _router_up(self) -> None:
        self._task(self._prove())

    async def _prove(self) -> None:
        """Tell the weights as true once the router's answers show them."""
        state, proved_by, said = self.state, 0, False
        while not proved_by:
            try:
                proved_by = await self._router.prove(state.generation, set(state.weights))
            except OSError:
                return  # Nobody listens: the router is tried again when it is up.
            except Unreachable as error:
                if not said:
                    self.note(Noted(f"traffic {state.weights or 'off'}: {error}", Level.ERROR, source="router"))
                said = True
            if state.generation != self.state.generation:
                return
        self._proofs = {slot: (state.weights.get(slot, 0.0), proved_by) for slot in self._pools}
        for slot in self._pools:
            self._observe(slot)

    # Every second

    async def _tick(self) -> None:
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + 1, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())
            seats = [seat for pools in self._pools.values() for pool in pools for seat in pool.seats.values()]
            self._meters.look({seat.name: seat.pid for seat in seats if seat.pid is not None})
            self._hold_memory()
            await self._sample()
            await self._scale()
            for slot in list(self._pools):
                self._observe(slot)
            await asyncio.to_thread(logs.bound, self.spec.folder / "logs")

    async def _sample(self) -> None:
        with suppress(Unreachable):
            answer = await ask(self._router.admin, stats.QUERY)
            totals = stats.read(answer.body)
            labels = {slot: f"version:{held.version.number}" for slot, held in self.state.slots.items()}
            for sample in self._samples.samples(self._router.starts, totals, labels, time.time()):
                self.board.tell(sample)

    async def _scale(self) -> None:
        for slot, held in list(self.state.slots.items()):
            pools = self._pools.get(slot)
            if not self.state.weights.get(slot) or not pools:
                # A standby keeps its size, so that it can take over.
                self._autoscaler.forget(slot)
            elif self._autoscaler.due(self.spec, slot):
                usage = self._meters.figures(interval_s(self.spec))
                scaled = self._autoscaler.look(self.spec, slot, held.wanted, pools[-1].seats.values(), usage)
                await self._scaled(slot, held, scaled)

    async def _scaled(self, slot: Slot, held: Held, scaled: Scaled) -> None:
        if scaled.after != scaled.before:
            self.state = self.state.holding(slot, replace(held, wanted=scaled.after))
            self._open(slot, self.state.slots[slot])
            await self._save()
        self.board.tell(scaled)

    def _hold_memory(self) -> None:
        limit_mb = self.spec.memory_mb
        figures = self._meters.figures(1.0)
        for pool in [pool for pools in self._pools.values() for pool in pools] if limit_mb else []:
            for seat in pool.ready:
                used = figures.get(seat.name)
                if used and limit_mb and used[1].value > limit_mb:
                    pool.kill(seat, f"out of memory: {used[1].value:.0f} MB of {limit_mb} MB")

    async def _save(self) -> None:
        await asyncio.to_thread(save, self.spec.folder, self.state)

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.note(Noted(f"the host went wrong: {type(error).__name__}: {error}", Level.ERROR, source="host"))
