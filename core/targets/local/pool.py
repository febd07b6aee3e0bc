"""The replicas of one version in one slot: started, watched, replaced when they die, drained when they are too many."""

import asyncio
import time
from collections.abc import Callable, Container, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.domain.errors import Failed, Unreachable
from core.domain.model import Level, Noted, Replica, ReplicaState, Slot, Version
from core.targets.local.http import ask
from core.targets.local.logs import last_line
from core.targets.local.parent import Child, Parent
from core.targets.local.ports import free_port
from core.targets.local.spec import EndpointSpec

SETTLE_S = 0.3
"""From leaving the router's list until it is told to end: a request on its way still finds it there."""
STEADY_S = 10.0
BACKOFF_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)


@dataclass(slots=True)
class Member:
    """A place for one replica, whichever process fills it. Times are the host's own clock, in seconds."""

    name: str
    state: ReplicaState = ReplicaState.STARTING
    port: int = 0
    pid: int | None = None
    restarts: int = 0
    why: str = ""
    started_s: float = 0.0
    turned_s: float = 0.0
    leaving: bool = False
    child: Child | None = None
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def turn(self, state: ReplicaState, why: str = "") -> None:
        """Go over to another state."""
        self.state, self.why, self.turned_s = state, why, time.monotonic()


class Pool:
    """Keeps `wanted` replicas. `changed` is called after each change, `note` when there is something to say."""

    def __init__(
        self,
        spec: EndpointSpec,
        slot: Slot,
        version: Version,
        *,
        model: Path,
        changed: Callable[[], None],
        note: Callable[[Noted], None],
        taken: Callable[[], Container[str]],
    ) -> None:
        self.spec = spec
        self.key = spec.key
        self.slot = slot
        self.version = version
        self.model = model
        self.wanted = 0
        self.closing = False
        self.members: dict[str, Member] = {}
        self._parent = Parent(spec, slot, version, model)
        self._changed = changed
        self._note = note
        self._taken = taken

    @property
    def ready(self) -> list[Member]:
        """The members that may get requests."""
        return [member for member in self.members.values() if member.state is ReplicaState.READY]

    def replicas(self) -> tuple[Replica, ...]:
        """What each is doing."""
        members = self.members.values()
        return tuple(Replica(member.name, member.state, restarts=member.restarts, why=member.why) for member in members)

    def adopt(self, spec: EndpointSpec) -> None:
        """Hold new limits from now on. The key stays: another one takes a pool of its own."""
        self.spec = replace(spec, key=self.key)
        for member in self.ready:
            self._parent.tell("limit", member.name, cpu_m=spec.cpu_m)

    def resize(self, wanted: int) -> None:
        """Be so many: start what is missing; let go first of those that don't serve, then of the youngest."""
        self.wanted = wanted
        staying = [member for member in self.members.values() if not member.leaving]
        staying.sort(key=lambda member: member.state is not ReplicaState.READY)
        for member in staying[wanted:]:
            self._release(member)
        for _ in range(wanted - len(staying)):
            taken = self._taken()
            number = next(n for n in range(1, 100_000) if f"{self.slot}-{n}" not in taken)
            member = Member(f"{self.slot}-{number}")
            self.members[member.name] = member
            self._task(member, self._fill(member))
        self._changed()

    async def stop(self) -> None:
        """Drain all, then end the parent. It takes no replicas any more."""
        self.closing = True
        self.resize(0)
        while tasks := [task for member in self.members.values() for task in member.tasks]:
            await asyncio.wait(tasks, timeout=self.spec.drain_s + SETTLE_S + 5)
        await self._parent.stop()

    def kill(self, member: Member, why: str) -> None:
        """End one at once; it is replaced."""
        member.why = why
        self._parent.tell("kill", member.name)

    def _task(self, member: Member, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=member.name)
        member.tasks.add(task)
        task.add_done_callback(lambda done: self._done(member, done))

    def _done(self, member: Member, task: "asyncio.Task[None]") -> None:
        member.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            member.turn(ReplicaState.DEAD, f"{type(error).__name__}: {error}")
            self._note(Noted(f"{member.name} was given up: {member.why}", Level.ERROR, self.slot, member.name))

    async def _fill(self, member: Member) -> None:
        """Fill a member again and again until it is let go."""
        short_lives = 0
        while not member.leaving:
            begun_s = time.monotonic()
            was_ready, why = await self._once(member)
            if member.leaving:
                return
            member.restarts += 1
            short_lives = 1 if time.monotonic() - begun_s > STEADY_S and was_ready else short_lives + 1
            delay_s = BACKOFF_S[min(short_lives - (1 if was_ready else 0), len(BACKOFF_S) - 1)]
            late = member.state is ReplicaState.DEAD
            if not late:
                member.turn(ReplicaState.BACKOFF if delay_s else ReplicaState.STARTING, why)
            self._changed()
            again = f"next try in {delay_s:g} s" if delay_s else "replacing it now"
            self._note(
                Noted(
                    f"{member.name} {'is dead' if late else 'died'}: {why}; {again}",
                    Level.ERROR,
                    self.slot,
                    member.name,
                )
            )
            await asyncio.sleep(delay_s)

    async def _once(self, member: Member) -> tuple[bool, str]:
        """Fill a member once, until its process ends; was it ready, and how did it end?"""
        log = self.spec.folder / "logs" / f"{member.name}.log"
        member.port, member.started_s = free_port(), time.monotonic()
        member.turn(ReplicaState.STARTING, member.why)
        deadline_s = self.spec.ready_deadline_s
        try:
            child = member.child = await self._parent.fork(member.name, member.port, self.spec)
        except Failed as error:
            return False, str(error)
        try:
            async with asyncio.timeout(deadline_s):
                await child.begun()
                if child.live.done():
                    member.pid = child.live.result()
                    await self._healthy(member, child)
        except TimeoutError:
            said = last_line(log)
            member.turn(ReplicaState.DEAD, f"not ready after {deadline_s:g} s{f': {said}' if said else ''}")
            self._parent.tell("kill", member.name)
            await child.ended
            return False, member.why
        if child.ended.done():
            return False, _how(child.ended.result(), log)
        if self.spec.cpu_m is not None:
            self._parent.tell("limit", member.name, cpu_m=self.spec.cpu_m)
        if not member.leaving:
            member.turn(ReplicaState.READY)
            self._changed()
        how = await child.ended
        member.pid = None
        return True, member.why or _how(how, log)

    async def _healthy(self, member: Member, child: Child) -> None:
        """Ask it until it answers that it is ready."""
        while not child.ended.done():
            with suppress(Unreachable):
                if (await ask(("127.0.0.1", member.port), "/health", timeout_s=1.0)).status == 200:
                    return
            await asyncio.wait([child.ended], timeout=0.01)

    def _release(self, member: Member) -> None:
        member.leaving = True
        filling = list(member.tasks)
        self._task(member, self._drain(member, filling))

    async def _drain(self, member: Member, filling: list["asyncio.Task[None]"]) -> None:
        """Off the router's list, a moment for requests on their way, then the end."""
        was_ready = member.state is ReplicaState.READY
        member.turn(ReplicaState.DRAINING)
        self._changed()
        if was_ready:
            await asyncio.sleep(SETTLE_S)
        child = member.child
        if child is not None and not child.ended.done():
            self._parent.tell("end" if was_ready else "kill", member.name)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.spec.drain_s + 1):
                    await asyncio.shield(child.ended)
            if not child.ended.done():
                self._note(Noted(f"{member.name} did not end within {self.spec.drain_s:g} s", Level.WARNING, self.slot))
                self._parent.tell("kill", member.name)
        for task in filling:
            task.cancel()
        await asyncio.gather(*filling, return_exceptions=True)
        del self.members[member.name]
        self._changed()


def _how(ended: str, log: Path) -> str:
    """How a process ended, with the last thing it said."""
    said = last_line(log)
    return f"{ended} ({said})" if said else ended


def with_figures(replicas: Iterable[Replica], figures: Mapping[str, tuple[float, float]]) -> tuple[Replica, ...]:
    """Replicas with their last cpu (thousandths of a core) and memory (MB)."""
    return tuple(
        replace(one, cpu_m=round(figures[one.name][0], 1), memory_mb=round(figures[one.name][1], 1))
        if one.name in figures and one.state in {ReplicaState.READY, ReplicaState.DRAINING}
        else one
        for one in replicas
    )
