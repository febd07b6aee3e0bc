"""The replicas of one version in one slot: started, watched, replaced when they die, drained when they are too many."""

import asyncio
import shutil
import time
from collections.abc import Callable, Container, Coroutine
from contextlib import suppress
from pathlib import Path

from core.domain.errors import Failed
from core.domain.model import Level, Noted, Replica, ReplicaState, Slot, Version
from core.system.clock import boottime_s
from core.system.ports import free_port
from core.targets.local import records
from core.targets.local.child import Child
from core.targets.local.member import Member
from core.targets.local.orphans import Orphans
from core.targets.local.parent import NotAgain, Parent
from core.targets.local.pool_record import orphans_left, write_pool
from core.targets.local.spec import EndpointSpec
from core.targets.local.starting import Backoff, gets_ready, how
from core.targets.local.state import Held

SETTLE_S = 0.3
"""From leaving the router's list until it is told to end: a request on its way still finds it there."""


class Pool:
    """Keeps `wanted` replicas. `changed` is called after each change, `note` when there is something to say.

    `lost` says why its parent is no more: its replicas go on, but it starts none, and another pool takes over.
    `outdated` asks for the same without a loss.
    """

    def __init__(
        self,
        slot: Slot,
        held: Held,
        *,
        changed: Callable[[], None],
        note: Callable[[Noted], None],
        taken: Callable[[], Container[str]],
        place: Path | None = None,
    ) -> None:
        self.slot = slot
        self.held = held
        self.wanted = 0
        self.closing = False
        self.outdated = False
        self.lost = ""
        self.began_s = time.monotonic()
        self.members: dict[str, Member] = {}
        folder = held.spec.folder
        self.place = place or records.run_folder(folder) / f"{slot}-{round(boottime_s() * 1000):012x}"
        self._parent = Parent(folder, self.place, folder / "logs" / f"{slot}-parent.log", self._bereft)
        self._orphans = Orphans(self.place.name)
        self._written: Held | None = held if place else None
        self._changed = changed
        self._asked = asyncio.Event()
        self._note = note
        self._taken = taken

    @property
    def spec(self) -> EndpointSpec:
        """The settings that it was asked for with."""
        return self.held.spec

    @property
    def version(self) -> Version:
        """What its replicas serve."""
        return self.held.version

    @property
    def key(self) -> str:
        """What its replicas are asked with."""
        return self.spec.key

    @property
    def ready(self) -> list[Member]:
        """The members that may get requests."""
        return [member for member in self.members.values() if member.state is ReplicaState.READY]

    @property
    def staying(self) -> list[Member]:
        """Those that were not let go."""
        return [member for member in self.members.values() if not member.leaving]

    def replicas(self) -> tuple[Replica, ...]:
        """What each is doing."""
        members = self.members.values()
        return tuple(Replica(member.name, member.state, restarts=member.restarts, why=member.why) for member in members)

    @property
    def fails(self) -> str:
        """Why its replicas don't get ready, once one has been tried again for nothing; else empty."""
        members = self.members.values()
        return next((one.why for one in members if one.restarts > 1 and one.state is not ReplicaState.READY), "")

    def resting(self, member: Member) -> bool:
        """Whether one is stopped because it has used up its CPU for the moment."""
        return member.name in self._parent.resting or self._orphans.resting(member.name)

    async def find(self) -> None:
        """Take over the parent and the replicas that an earlier host has left in this place."""
        if await self._parent.adopt():
            children = list(self._parent.children.values())
        else:
            self.lost = "it ended while no host ran"
            children = orphans_left(self.place)
        for child in children:
            if child.process is None or not child.process.alive:
                records.replica_record(self.place, child.name).unlink(missing_ok=True)
                continue
            member = self.members[child.name] = Member.found(child)
            self._task(member, self._fill(member, child))
        self.wanted = len(self.members)
        if self.lost:
            self._orphans.take(children, self.spec.cpu_m)

    def adopt(self, held: Held) -> None:
        """Hold new limits from now on. What would take other replicas takes a pool of its own."""
        changed = held.spec.cpu_m != self.spec.cpu_m
        self.held = held
        if changed and not self.lost:
            self._write()
            for member in self.ready:
                self._parent.tell("limit", member.name, cpu_m=held.spec.cpu_m)

    def resize(self, wanted: int) -> None:
        """Be so many: start what is missing; let go first of those that don't serve, then of the youngest."""
        staying = sorted(self.staying, key=lambda member: member.state is not ReplicaState.READY)
        self.wanted = min(wanted, len(staying)) if self.lost else wanted
        missing = range(self.wanted - len(staying))
        for member in staying[self.wanted :]:
            self._release(member)
        for _ in missing:
            taken = self._taken()
            number = next(n for n in range(1, 100_000) if f"{self.slot}-{n}" not in taken)
            member = Member(f"{self.slot}-{number}")
            self.members[member.name] = member
            self._task(member, self._fill(member, None))
        if missing or staying[self.wanted :]:
            self._changed()

    async def stop(self) -> None:
        """Drain all, then end the parent. It takes no replicas any more."""
        self.closing = True
        self.resize(0)
        while tasks := [task for member in self.members.values() for task in member.tasks]:
            await asyncio.wait(tasks, timeout=self.spec.drain_s + SETTLE_S + 5)
        await self._orphans.close()
        await self._parent.stop()
        shutil.rmtree(self.place, ignore_errors=True)

    async def leave(self) -> None:
        """Let go: parent and replicas go on without this host."""
        tasks = [task for member in self.members.values() for task in member.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._orphans.close()
        await self._parent.leave()

    def kill(self, member: Member, why: str) -> None:
        """End one at once; it is replaced."""
        member.why = why
        if member.child is not None:
            member.child.kill()

    def _write(self) -> None:
        if self._written != self.held:
            write_pool(self.place, self.slot, self.held)
            self._written = self.held

    def _bereft(self, why: str) -> None:
        """The parent is no more."""
        self.lost = why
        count = len(self.ready)
        self._note(
            Noted(
                f"the parent of {self.slot}'s replicas ended: {why};"
                + (f" {count} of them go on and are replaced one after the other" if count else " it is started again"),
                Level.ERROR,
                self.slot,
                "host",
            )
        )
        children = [member.child for member in self.members.values() if member.child is not None]
        self._orphans.take([child for child in children if child.live.done()], self.spec.cpu_m)
        self._changed()

    def _task(self, member: Member, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=member.name)
        member.tasks.add(task)
        task.add_done_callback(lambda done: self._done(member, done))

    def _done(self, member: Member, task: "asyncio.Task[None]") -> None:
        member.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            member.turn(ReplicaState.DEAD, f"{type(error).__name__}: {error}")
            self._note(Noted(f"{member.name} was given up: {member.why}", Level.ERROR, self.slot, member.name))

    async def _fill(self, member: Member, child: Child | None) -> None:
        """Fill a member again and again until it is let go, or its parent is no more."""
        backoff = Backoff()
        while not member.leaving:
            backoff.begin()
            was_ready, why = await self._once(member, child)
            child = None
            if member.leaving:
                return
            member.restarts += 1
            delay_s = backoff.after(was_ready=was_ready)
            late = member.state is ReplicaState.DEAD
            if not late:
                member.turn(ReplicaState.BACKOFF if delay_s else ReplicaState.STARTING, why or member.why)
            if self.lost:
                del self.members[member.name]
                self._orphans.forget(member.name)
                delay_s = 0.0
            again = f"next try in {delay_s:g} s" if delay_s else "replacing it now"
            if why:
                text = f"{member.name} {'is dead' if late else 'died'}: {why}; {again}"
                self._note(Noted(text, Level.ERROR, self.slot, member.name))
            self._changed()
            if self.lost:
                return
            asked = self._asked
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await asked.wait()

    def retry(self) -> None:
        """Somebody asks for it anew, and may have mended something: who waits for the next try tries now."""
        self._parent.forget_refusal()
        self._asked.set()
        self._asked = asyncio.Event()

    async def _once(self, member: Member, found: Child | None) -> tuple[bool, str]:
        """Fill a member once, until its process ends; was it ready, and how did it end? Empty: that has been said."""
        log = self.spec.folder / "logs" / f"{member.name}.log"
        child = found or await self._fork(member)
        if isinstance(child, str):
            return False, child
        if found is None or not child.live.done():
            try:
                await gets_ready(child, self.spec.ready_deadline_s, log)
            except TimeoutError as error:
                member.turn(ReplicaState.DEAD, str(error))
                return False, member.why
            if child.ended.done():
                return False, how(child.ended.result(), log)
            if self.spec.cpu_m is not None:
                self._parent.tell("limit", member.name, cpu_m=self.spec.cpu_m)
            if not member.leaving:
                member.turn(ReplicaState.READY)
                self._changed()
        ended = await child.ended
        return True, member.why or how(ended, log)

    async def _fork(self, member: Member) -> Child | str:
        """A new process for a member, or why there is none."""
        member.port, member.started_s = free_port(), time.monotonic()
        member.turn(ReplicaState.STARTING, member.why)
        try:
            self._write()
            member.child = await self._parent.fork(member.name, member.port, member.restarts, self.spec)
        except NotAgain as error:
            member.why = str(error)
            return ""
        except (Failed, OSError) as error:
            version = self.held.version
            return f"model {version.model} {version.label} does not load: {error}"
        return member.child

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
            self._end(member, child, gently=was_ready)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.spec.drain_s + 1):
                    await asyncio.shield(child.ended)
            if not child.ended.done():
                self._note(Noted(f"{member.name} did not end within {self.spec.drain_s:g} s", Level.WARNING, self.slot))
                child.kill()
        for task in filling:
            task.cancel()
        await asyncio.gather(*filling, return_exceptions=True)
        self._orphans.forget(member.name)
        self.members.pop(member.name, None)
        self._changed()

    def _end(self, member: Member, child: Child, *, gently: bool) -> None:
        if not gently:
            child.kill()
        elif self._parent.connected:
            self._parent.tell("end", member.name)
        else:
            self._orphans.end(member.name)
