"""The traffic of an endpoint: what the router is told, and what its answers have proved."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from core.domain.errors import Unreachable
from core.domain.model import Level, Noted, Slot
from core.targets.local import stats
from core.targets.local.envoy import Table
from core.targets.local.http import ask
from core.targets.local.router import Router
from core.targets.local.spec import EndpointSpec


class Traffic:
    """Keeps the router to a table. `proved` is called when answers have shown new weights, `spawn` runs a task."""

    def __init__(
        self,
        spec: EndpointSpec,
        port: int,
        table: Table,
        *,
        note: Callable[[Noted], None],
        proved: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.table = table
        self._proofs: dict[Slot, float] = {}
        self._answers = 0
        self._note = note
        self._proved = proved
        self._spawn = spawn
        self._router = Router(spec.folder / "router", (spec.host, port), note, lambda: spawn(self._prove()))

    async def start(self) -> None:
        """Start the router; raises BadInput where there is none."""
        await self._router.start(self.table)

    def serve(self, ports: Mapping[Slot, tuple[int, ...]]) -> None:
        """Tell the router where replicas answer; a slot that has gone keeps its empty place, so no route hangs."""
        gone: dict[Slot, tuple[int, ...]] = {slot: () for slot in self.table.ports if slot not in ports}
        self.table = replace(self.table, ports={**gone, **ports})
        self._router.write(self.table)

    def move(self, generation: int, weights: Mapping[Slot, float], mirror: Slot | None) -> None:
        """Tell the router new weights, and ask until they are proved."""
        self.table = replace(self.table, generation=generation, weights=weights, mirror=mirror)
        self._router.write(self.table)
        self._spawn(self._prove())

    def weight(self, slot: Slot) -> tuple[float, int]:
        """The last proved weight of a slot in percent, and by how many answers."""
        return self._proofs.get(slot, 0.0), self._answers

    async def reaches(self, slot: Slot) -> bool:
        """Does the router find a replica of a slot by now?"""
        return await self._router.reaches(slot)

    async def totals(self) -> tuple[int, dict[Slot, stats.Totals]]:
        """Which start of the router this is, and what it has counted since; raises Unreachable."""
        answer = await ask(self._router.admin, stats.QUERY)
        return self._router.starts, stats.read(answer.body)

    async def stop(self, drain_s: float) -> None:
        """Answer what is in hand, then end the router. The replicas must still be there."""
        await self._router.drain(drain_s)
        await self._router.stop()

    async def _prove(self) -> None:
        """Ask until the router's answers show the present table, or it is no longer the present one."""
        table, answers, said = self.table, 0, False
        while not answers:
            try:
                answers = await self._router.prove(table.generation, set(table.weights))
            except OSError:
                return  # Nobody listens: it is asked again when it is up.
            except Unreachable as error:
                if not said:
                    self._note(Noted(f"traffic {dict(table.weights) or 'off'}: {error}", Level.ERROR, source="router"))
                said = True
                await asyncio.sleep(0.05)
            if table.generation != self.table.generation:
                return
        self._proofs, self._answers = dict(table.weights), answers
        self._proved()
