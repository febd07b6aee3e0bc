"""One endpoint as its host runs it: takes changes, keeps router and replicas to them, tells what is true."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.domain.errors import Failed, Refused
from core.domain.model import Level, Noted, Observation, Scaled, Slot, Sticky, Version
from core.system.tasks import TaskGuard
from core.targets.checks import check_apply, check_remove, check_scale, check_sticky, check_weights
from core.targets.local import records
from core.targets.local.broadcast import Broadcast
from core.targets.local.control_loop import ControlLoop
from core.targets.local.keys import forget_keys, keep_key
from core.targets.local.member import with_figures
from core.targets.local.repeats import Repeats
from core.targets.local.routes import Table
from core.targets.local.slots import Slots
from core.targets.local.spec import EndpointSpec, exposed
from core.targets.local.state import Held, HostState, StateWriter, state_path
from core.targets.local.traffic import Traffic
from core.targets.local.wire import RENEW_S


class LocalEndpoint:
    """The one place that changes an endpoint's state, so it has more methods than others: eight are its verbs."""

    def __init__(self, spec: EndpointSpec, state: HostState) -> None:
        self.spec = spec
        self.state = state
        self.broadcast = Broadcast()
        self._tasks = TaskGuard(f"the host of {spec.endpoint}", self._fell)
        self._begun = False
        self._key = spec.key
        self._writer = StateWriter(spec.folder, lambda: self.state)
        self._repeats = Repeats(self._say)
        self._slots = Slots(
            held=lambda: self.state.slots,
            changed=self._changed,
            gone=self._gone,
            note=self.note,
            spawn=self._spawn,
        )
        self.pools = self._slots.pools
        self.traffic = Traffic(
            spec,
            state.port,
            Table(state.generation, state.weights, state.mirror, sticky=state.sticky),
            pools=self.pools,
            key=lambda: self._key,
            note=self.note,
            proved=self._observe_all,
            spawn=self._spawn,
        )
        self._control_loop = ControlLoop(self, self._scaled)

    async def start(self) -> None:
        """Come back to what was accepted before, and to what of it still runs."""
        strays = await asyncio.to_thread(records.end_strays, self.spec.folder)
        if strays:
            self.note(Noted(f"{strays} processes that nothing was known of were ended", Level.WARNING, source="host"))
        await self._slots.find(self.spec.folder)
        for slot, held in self.state.slots.items():
            self._slots.open(slot, held)
        # A router without replicas would answer 503 in their name, and a gate would take that for the version's fault.
        await self._slots.manned(self.state.weights)
        self._begun = True
        self._serve("the first table")
        await self.traffic.start()
        for slot in list(self.pools):
            self._slots.changed(slot)
        # A watch names all slots that there are, also one whose replicas have not stirred yet.
        self._observe_all()
        self._tasks.keep(self._control_loop.run, "rounds")
        self._tasks.keep(self._repeats.run, "repeats")
        self._tasks.keep(self.traffic.comparison.run, "comparison")

    def note(self, noted: Noted) -> None:
        """Say something to everybody; what repeats is counted instead."""
        self._repeats.note(noted)

    def _say(self, noted: Noted) -> None:
        """To everybody, and to the host's own log."""
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {noted.level.value}: {noted.text}", flush=True)  # noqa: T201
        self.broadcast.tell(noted)

    # What is asked of it

    def fence(self, token: int) -> None:
        """Refuse a driver that another has followed."""
        if token < self.state.token:
            raise Refused(f"driver {token} of {self.spec.endpoint} was followed by driver {self.state.token}")
        self.state = replace(self.state, token=token)

    async def apply(self, slot: Slot, version: Version, model: Path, replicas: int, spec: EndpointSpec) -> None:
        """Hold `replicas` of a version in a slot, with these settings.

        A slot that has had all traffic keeps the settings of its deployment: the way back to it must not bring
        those of the release that failed. More replicas than asked for, made by the autoscaler, stay.
        """
        check_apply(slot, replicas)
        if spec.port not in {0, self.state.port} or spec.host != self.spec.host:
            raise Refused(
                f"{spec.endpoint} listens on {self.spec.host}:{self.state.port}, not on {spec.host}:{spec.port};"
                " to move it, stop it first: 'quarterdeck down --env ENVIRONMENT'"
            )
        held = self.state.slots.get(slot)
        if held is None or (held.version, held.model) != (version, model):
            held = Held(version, model, replicas, replicas, spec)
            if warning := exposed(spec.host, spec.key):
                self.note(Noted(f"{spec.endpoint}: {warning}", Level.WARNING, slot, "host"))
        else:
            wanted = max(held.wanted, replicas) if held.asked == replicas else replicas
            if wanted > held.wanted:
                # The autoscaler begins from there, and takes it away again after its window for that, not at once.
                self._control_loop.forget(slot)
            kept = held.spec if held.served else spec
            if kept != spec:
                text = f"{slot} keeps the settings that it was deployed with; remove it first to change them"
                self.note(Noted(text, Level.WARNING, slot, "host"))
            held = replace(held, asked=replicas, wanted=wanted, spec=kept)
        keep_key(self.spec.folder, held.spec.key, present=False)
        self.state = self.state.holding(slot, held)
        self._keep_key(slot)
        self._slots.open(slot, held)
        self._slots.retry(slot)
        await self._writer.saved()

    async def scale(self, slot: Slot, replicas: int) -> None:
        """Hold so many replicas of what a slot has. Its autoscaler begins anew from there, and so waits its window
        before it takes any away."""
        held = self.state.slots.get(slot)
        scaling = held.spec.autoscaling if held is not None else None
        check_scale(slot, replicas, self.state.slots, (scaling.min, scaling.max) if scaling is not None else None)
        if held is not None:
            self._control_loop.forget(slot)
            self.state = self.state.holding(slot, replace(held, asked=replicas, wanted=replicas))
            self._slots.open(slot, self.state.slots[slot])
            await self._writer.saved()

    def _keep_key(self, slot: Slot) -> None:
        """The endpoint's key is that of the slot which serves most, else of the one that was applied."""
        weights = self.state.weights
        held = self.state.slots.get(max(weights, key=lambda name: weights[name]) if weights else slot)
        if held is not None and held.spec.key != self._key:
            keep_key(self.spec.folder, held.spec.key)
            forget_keys(self.spec.folder, [one.spec.key for one in self.state.slots.values()])
            self._key = held.spec.key

    async def route(self, weights: Mapping[Slot, float], mirror: Mapping[Slot, float], sticky: Sticky | None) -> None:
        """Move traffic; it is told as true once answers show it."""
        check_weights(weights, mirror, self.state.slots)
        check_sticky(sticky)
        kept = {slot: float(weight) for slot, weight in weights.items() if weight > 0}
        slots = {
            slot: replace(held, served=True) if kept.get(slot) == 100 else held
            for slot, held in self.state.slots.items()
        }
        copied = {slot: float(percent) for slot, percent in mirror.items()}
        generation = self.state.generation + 1
        routed = replace(self.state, weights=kept, mirror=copied, sticky=sticky)
        self.state = replace(routed, generation=generation, slots=slots)
        self.traffic.move(generation, kept, copied, sticky)
        if kept:
            self._keep_key("")
        await self._writer.saved()

    async def remove(self, slot: Slot) -> None:
        """Let a slot drain and go."""
        check_remove(slot, self.state.weights, self.state.mirror)
        if slot in self.state.slots:
            self.state = self.state.holding(slot, None)
            await self._writer.saved()
            forget_keys(self.spec.folder, [held.spec.key for held in self.state.slots.values()])
            self._control_loop.forget(slot)
            self._slots.close_all(slot)

    async def renew(self) -> None:
        """Change every replica and the router for new processes, without a failed request; raises Failed.

        Meanwhile slots and traffic may be changed, and all may be stopped.
        """
        if why := await self._slots.renew(RENEW_S):
            raise Failed(f"the new replicas do not get ready, the old ones stay: {why}")
        if not self.state.slots:
            raise Refused(f"{self.spec.endpoint} was stopped meanwhile")
        await self.traffic.renew()

    async def stop(self) -> None:
        """Drain and end everything, and forget what was held."""
        pools = dict(self.pools)
        await self._tasks.close()
        self.state = replace(self.state, weights={}, mirror={}, sticky=None, slots={})
        if self.spec.folder.exists():
            try:
                await self._writer.saved()
            except OSError:
                # A full disk keeps nobody from ending it; without its state the next host brings nothing back.
                state_path(self.spec.folder).unlink(missing_ok=True)
        await self.traffic.stop(self.spec.drain_s)
        self._slots.forget_all()
        await asyncio.gather(*(pool.stop() for of_slot in pools.values() for pool in of_slot))
        for slot in pools:
            self._gone(slot)

    async def leave(self) -> None:
        """Let go of everything: it goes on, and the next host finds it again."""
        await self._tasks.close()
        await self.traffic.leave()
        await asyncio.gather(*(pool.leave() for of_slot in self.pools.values() for pool in of_slot))

    # Slots

    def _changed(self, slot: Slot) -> None:
        """A replica changed: tell the router, then everybody."""
        if not self._begun:
            return
        was_empty = not self.traffic.table.ports.get(slot)
        self._serve(slot)
        if was_empty and self.traffic.table.ports.get(slot):
            self._spawn(self._reach(slot))
        else:
            self.observe(slot)

    def _serve(self, what: str) -> None:
        """Tell the router who serves."""
        ready = {
            name: tuple(member.port for pool in pools for member in pool.ready) for name, pools in self.pools.items()
        }
        try:
            self.traffic.serve(ready)
        except OSError as error:
            self.note(Noted(f"the router can't be told of {what}: {error}", Level.ERROR, source="router"))

    async def _reach(self, slot: Slot) -> None:
        """A slot's first replica counts as ready once the router finds it: a smoke test may come at once."""
        await self.traffic.reaches(slot)
        self.observe(slot)

    def _gone(self, slot: Slot) -> None:
        self.broadcast.tell(Observation(slot, None, 0, 0, 0.0))

    async def _scaled(self, slot: Slot, held: Held, scaled: Scaled) -> None:
        """Follow a look of the autoscaler, unless somebody asked for something else meanwhile."""
        if scaled.after != scaled.before and self.state.slots.get(slot) == held:
            self.state = self.state.holding(slot, replace(held, wanted=scaled.after))
            self._slots.open(slot, self.state.slots[slot])
            await self._writer.saved()
        self.broadcast.tell(scaled)

    # What is told

    def observe(self, slot: Slot) -> None:
        """Tell what is true of a slot, if it is anything new."""
        pools = self.pools.get(slot)
        if not pools:
            return
        now, held = pools[-1], self.state.slots.get(slot)
        wanted = held.wanted if held else 0
        replicas = with_figures([one for pool in pools for one in pool.replicas()], self._control_loop.figures())
        weight, proved_by = self.traffic.weight(slot)
        why = next((one.why for one in now.replicas() if one.why), "")
        # While replicas are changed for others of the same kind, both kinds serve.
        alike = [pool for pool in pools if pool.held.replicas_of == now.held.replicas_of]
        ready = min(wanted, sum(len(pool.ready) for pool in alike))
        version, mirror = now.held.version, self.traffic.mirrored(slot)
        self.broadcast.tell(Observation(slot, version, wanted, ready, weight, replicas, proved_by, why, mirror))

    def _observe_all(self) -> None:
        for slot in self.pools:
            self.observe(slot)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.start(work, getattr(work, "__qualname__", "a task"))

    def _fell(self, name: str, error: BaseException) -> None:
        self.note(Noted(f"{name} went wrong: {type(error).__name__}: {error}", Level.ERROR, source="host"))
