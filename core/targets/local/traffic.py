"""The traffic of an endpoint: what the router is told, and what its answers have proved."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.domain.errors import Unreachable
from core.domain.model import Level, Noted, ReplicaState, Slot, Sticky
from core.system.processes import process_id
from core.targets.local import proof, stats
from core.targets.local.comparison import Comparison
from core.targets.local.http import ask
from core.targets.local.metrics_page import MetricsPage
from core.targets.local.pool import Pool
from core.targets.local.router import Router
from core.targets.local.routes import Table
from core.targets.local.rows import SlotRows
from core.targets.local.scraped import Scraped
from core.targets.local.secret import router_secret
from core.targets.local.spec import EndpointSpec

AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved last: the weights, the version in each slot, and how many good answers each gave.

    `mirror` stands in the same routes as the weights, so what proves those says that it is in force.
    """

    weights: Mapping[Slot, float] = field(default_factory=dict)
    versions: Mapping[Slot, str] = field(default_factory=dict)
    answers: Mapping[Slot, int] = field(default_factory=dict)
    mirror: Mapping[Slot, float] = field(default_factory=dict)


class Traffic:
    """Keeps the router to a table. `proved` is called when answers have shown new weights, `spawn` runs a task.

    `pools` are the endpoint's own, the newest of a slot last: they say which version must answer. `key` is what
    callers send.
    """

    def __init__(
        self,
        spec: EndpointSpec,
        port: int,
        table: Table,
        *,
        pools: Mapping[Slot, Sequence[Pool]],
        key: Callable[[], str],
        note: Callable[[Noted], None],
        proved: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        folder = spec.folder / "router"
        # The secret stands in its files.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._page = MetricsPage(spec.folder, self._scraped, key, note)
        self.table = replace(table, secret=router_secret(spec.folder), metrics=self._page.socket)
        self._copied = frozenset(table.mirror)
        self.comparison = Comparison(self._scraped, lambda: next(iter(self.table.mirror), None), note)
        self._proof = Proof()
        self._proving = -1
        self._pools = pools
        self._note = note
        self._proved = proved
        self._spawn = spawn
        self._address = (spec.host, port)
        self._router = Router(folder, self._address, note, lambda: spawn(self._prove()))

    async def start(self) -> None:
        """Start the router and the page of counters behind it; raises BadInput where there is no router."""
        await self._page.start()
        await self._router.start(self.table)

    def serve(self, ports: Mapping[Slot, tuple[int, ...]]) -> None:
        """Tell the router where replicas answer; a slot that has gone keeps its empty place, so no route hangs."""
        gone: dict[Slot, tuple[int, ...]] = {slot: () for slot in self.table.ports if slot not in ports}
        self.table = replace(self.table, ports={**gone, **ports})
        self._router.write(self.table)
        # Another version took a slot that has traffic: what was proved before says nothing of it.
        stale = [slot for slot, version in self._proof.versions.items() if version != self._version(slot)]
        if self._proving != self.table.generation and any(ports.get(slot) for slot in stale):
            self._spawn(self._prove())

    def move(
        self, generation: int, weights: Mapping[Slot, float], mirror: Mapping[Slot, float], sticky: Sticky | None
    ) -> None:
        """Tell the router new weights, and ask until they are proved."""
        self.table = replace(self.table, generation=generation, weights=weights, mirror=mirror, sticky=sticky)
        self._router.write(self.table)
        self._spawn(self._prove())
        if frozenset(mirror) != self._copied:
            self._spawn(self._count_apart())

    async def _count_apart(self) -> None:
        """From now on other slots answer copies: what replicas counted until now was before."""
        await self._page.look()
        self._copied = frozenset(self.table.mirror)

    def weight(self, slot: Slot) -> tuple[float, int]:
        """The last proved weight of a slot in percent, and how many good answers of its version proved it.

        The weight stays when another version takes the slot, but nothing has proved that one.
        """
        proof = self._proof
        answers = proof.answers.get(slot, 0) if proof.versions.get(slot) == self._version(slot) else 0
        return proof.weights.get(slot, 0.0), answers

    def mirrored(self, slot: Slot) -> float:
        """How many percent of the requests are copied to a slot, by the routes that were proved last."""
        return self._proof.mirror.get(slot, 0.0)

    async def reaches(self, slot: Slot) -> bool:
        """Does the router find a replica of a slot's version by now?"""
        return await proof.reaches(self._address, slot, self.table.secret, self._version(slot))

    @property
    def adopted(self) -> bool:
        """Whether the router has counted for an earlier host too."""
        return self._router.adopted

    async def renew(self) -> None:
        """Change the router's process without a failed request; raises Failed."""
        await self._router.renew()

    async def leave(self) -> None:
        """Let go: the router goes on without this host."""
        await self._page.stop()
        await self._router.leave()

    async def totals(self) -> tuple[int, dict[Slot, stats.Totals]]:
        """Which start of the router this is, and what it has counted since; raises Unreachable."""
        answer = await ask(self._router.admin, stats.QUERY)
        return self._router.starts, stats.read(answer.body)

    async def stop(self, drain_s: float) -> None:
        """Answer what is in hand, then end the router. The replicas must still be there."""
        await self._router.drain(drain_s)
        await self._page.stop()
        await self._router.stop()

    def _version(self, slot: Slot) -> str:
        """The version that must answer in a slot; empty where it holds none."""
        pools = self._pools.get(slot)
        return pools[-1].version.number if pools else ""

    def _scraped(self) -> Iterator[Scraped]:
        """Everybody who counts answers now."""
        for slot, pool in [(slot, pool) for slot, pools in self._pools.items() for pool in pools]:
            for member in list(pool.members.values()):
                counts = member.state in {ReplicaState.READY, ReplicaState.DRAINING}
                who = process_id(member.pid) if counts and member.pid is not None else None
                if who is not None:
                    name, asked = f"{who.pid}-{who.started}-{who.boot}", slot if self._asked(slot, pool) else ""
                    yield Scraped(name, member.port, pool.key, slot in self._copied, asked)

    def _asked(self, slot: Slot, pool: Pool) -> bool:
        """Whether a pool answers users, or copies of their requests, in the name of a slot's version."""
        traffic = self.table.weights.get(slot) or self.table.mirror.get(slot)
        return bool(traffic) and pool.version.number == self._version(slot)

    def rows(self) -> Mapping[Slot, SlotRows]:
        """What the rows were that each slot scored since this was asked last."""
        return self._page.rows.taken()

    async def _prove(self) -> None:
        """Ask until the router's answers show the present table, or it is no longer the present one."""
        table = self.table
        self._proving = table.generation
        try:
            await self._prove_table(table)
        finally:
            if self._proving == table.generation:
                self._proving = -1

    async def _prove_table(self, table: Table) -> None:
        said, begun_s = "", time.monotonic()
        what = ", ".join(f"{slot} {weight:g} %" for slot, weight in table.weights.items()) or "off"
        while table.generation == self.table.generation:
            versions = {slot: self._version(slot) for slot in table.weights}
            try:
                answers = await proof.prove(self._address, table, versions)
            except OSError:
                return  # Nobody listens: it is asked again when it is up.
            except Unreachable as error:
                # What is over at once is no news: a router that died tells of itself.
                late = time.monotonic() - begun_s >= proof.GIVE_UP_S
                if late and str(error) != said and table.generation == self.table.generation:
                    self._note(Noted(f"traffic {what}: {error}", Level.ERROR, source="router"))
                    said = str(error)
                await asyncio.sleep(AGAIN_S)
                continue
            if table.generation == self.table.generation:
                if said:
                    self._note(Noted(f"traffic {what}: proved by {sum(answers.values())} answers", source="router"))
                self._proof = Proof(dict(table.weights), versions, answers, dict(table.mirror))
                self._proved()
            return
