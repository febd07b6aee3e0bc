"""The engine: the only door through which state changes (`emit`), and one driver for each endpoint it holds."""

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from core.domain.errors import Failed, JournalError, QuarterdeckError, Refused
from core.domain.model import Level, Noted
from core.engine.leadership import ATTEND_S, SETTLE_S, Environments, Leadership
from core.engine.sample_buffer import SampleBuffer
from core.journal.clock import DRIFT_S
from core.journal.journal import Journal
from core.journal.leases import Lease
from core.journal.patience import patiently
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.fold import fold
from core.state.release import ReleaseState
from core.state.snapshot import Snapshot
from core.state.together import asked_too
from core.system.tasks import TaskGuard

POLL_S, IDLE_POLL_S = 0.05, 0.2
"""So often this process asks whether another one wrote; where nobody looks less: whoever wants something pokes."""
MOVES_S = 2.0
"""A way back asks for traffic to move within milliseconds, unless what it goes back to must be brought up first."""
STALE_TRIES = 50
TAIL = 2000
"""So many of the last events are kept for those who follow."""
log = logging.getLogger("quarterdeck")
MOVING = c.Begin | c.Rollback | c.Undo | c.Abort
"""What can only come true where somebody drives the endpoint."""
TAKEN = c.Rollback | c.Undo | c.Abort
"""What need not wait for whoever drives it now."""


class Steering(Protocol):
    """Another process that drives what is asked for here: the project's watch."""

    async def take_up(self, endpoint: str, force: bool) -> bool:
        """Ask it to drive an endpoint now; False, soon, where it is not there or does not answer."""
        ...

    async def poke(self) -> None:
        """Tell it that something was written; nobody waits for an answer."""
        ...


class Engine:
    """A Link over a journal. `async with` it; then `attend` the endpoints that should be watched and driven.

    With `steering`, commands are written down here and driven there; where nobody takes them up, here. `refuses` says
    why nothing may be asked of an endpoint; `lend` gives a way back this shell's files for those that are gone.
    """

    def __init__(
        self,
        journal: Journal,
        environments: Environments,
        who: str,
        read_only: bool = False,
        steering: Steering | None = None,
        refuses: Callable[[str], str] = lambda _: "",
        lend: Callable[[ev.Result], Mapping[str, str]] = lambda _: {},
    ) -> None:
        self.snapshot = Snapshot()
        self.who = who
        self.read_only = read_only
        self._refuses = refuses
        self._lends = lend
        self.broken: QuarterdeckError | None = None
        self.coarse = False
        self._samples = SampleBuffer()
        self._journal = journal
        self._steering = steering
        self._guard = TaskGuard("engine", self._task_died)
        self.leadership = Leadership(self, journal, environments)
        self._tail: deque[ev.Event] = deque(maxlen=TAIL)
        self._closed = False
        self._news = asyncio.Event()

    async def __aenter__(self) -> "Engine":
        last = self._journal.last()
        for event in self._journal.recent(self.now()):
            self.snapshot = fold(self.snapshot, event)
        self.snapshot = replace(self.snapshot, seq=max(last, self.snapshot.seq))
        self._guard.keep(self._poll, "follow the journal")
        self._guard.keep(self.leadership.run, "attend endpoints")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._guard.close(SETTLE_S)
        await self.leadership.close()
        self._closed = True
        self.tell()

    # The link

    async def events(self, after: int | None = None) -> AsyncIterator[ev.Event]:
        """Every event after a place, then each new one, until the engine is closed."""
        if after is None:
            after = self._journal.last()
            batch = self._journal.recent(self.now())
        else:
            batch = self.since(after)
        while True:
            for event in batch:
                yield event
                after = max(after, event.seq)
            if self._closed:
                return
            news = self._news
            batch = self.since(after)
            if not batch:
                if self.broken is not None:
                    raise self.broken
                await news.wait()

    def since(self, after: int) -> list[ev.Event]:
        """The events after a place: those that this process has folded need no second reading."""
        if after >= self.snapshot.seq:
            return []
        if self._tail and after + 1 >= self._tail[0].seq:
            newer = list(itertools.takewhile(lambda event: event.seq > after, reversed(self._tail)))
            return newer[::-1]
        return self._journal.read(after)

    async def do(self, command: c.Command, who: str | None = None, where: str | None = None) -> None:
        """Ask for something, in somebody's name and from where they are; returns when it is written down.

        Raises Refused or JournalError.
        """
        if self.read_only:
            raise Refused("read-only: nothing can be asked from here")
        if why_not := self._refuses(command.endpoint):
            raise Refused(why_not)
        self.catch_up()
        self._bury_load(command)
        lives = await self._lives(command)
        accept(command, self.snapshot, self.now(), lives)
        begins = (command, *command.others) if isinstance(command, c.Begin) else ()
        meant: dict[str, ev.Result] = {one.endpoint: one.options for one in begins} or {command.endpoint: {}}
        driven = isinstance(command, MOVING) or self._abandoned(command)
        force = isinstance(command, TAKEN)
        # The one that was asked must not wait for the others of its group.
        others = asked_too(command, self.snapshot) if driven else ()
        for name in (*meant, *others) if force else ():
            await self._lend(name)
        if self._steering is None:
            for name, options in meant.items() if driven else ():
                await patiently(partial(self.leadership.take, name, options, force=force))
            await self._write(command, who or self.who, lives, where)
            await asyncio.gather(*(self._have_driven(name, {}, force) for name in others))
            return
        for name, options in meant.items() if begins else ():
            # What its settings need must be there before anything is written down.
            self.leadership.check(name, options)
        await self._write(command, who or self.who, lives, where)
        if not driven:
            await self._steering.poke()
            return
        meant.update((name, {}) for name in others)
        await asyncio.gather(*(self._have_driven(name, options, force) for name, options in meant.items()))
        for name in meant if force else ():
            self.insist(name)

    async def resume(self, endpoint: str) -> None:
        """Have the release under way driven on, there or here; raises Refused with who drives it already."""
        release = self.snapshot.live_release(endpoint)
        await self._have_driven(endpoint, {} if release is None else release.options, force=False)

    async def _have_driven(self, endpoint: str, options: ev.Result, force: bool) -> None:
        """There or, where nobody steers or it hangs, here: the way back needs nobody's health."""
        if self._steering is None or not await self._steering.take_up(endpoint, force):
            with contextlib.suppress(Refused):
                await patiently(partial(self.leadership.take, endpoint, options, force=force))

    def insist(self, endpoint: str) -> None:
        """Whoever took a way back up may hang: where no traffic moves soon, it is driven from here. Nobody waits."""
        if self._steering is not None:
            self._guard.start(self._insist(endpoint), "have the way back driven")

    async def _lend(self, endpoint: str) -> None:
        """Who asks for a way back has a shell; nothing that goes wrong with that stands in its way."""
        release = self.snapshot.release_of(endpoint)
        try:
            lent = self._lends(release.options) if release is not None else {}
            for name, path in lent.items():
                text = f"{name} named {path}, which is gone; from here on this goes with what {self.who}'s shell says"
                await self.emit(ev.Remarked(endpoint, Noted(text, Level.WARNING, source="variables")))
        except QuarterdeckError as error:
            log.warning("%s: %s", endpoint, error)

    async def _insist(self, endpoint: str) -> None:
        # The watch may have taken it up before this process had loaded what knows of that.
        await self._lend(endpoint)
        await asyncio.sleep(MOVES_S)
        release = self.snapshot.live_release(endpoint)
        if release is None or release.way is None or release.way.routed or self.drives(endpoint):
            return
        with contextlib.suppress(QuarterdeckError):
            await self._have_driven(endpoint, release.options, force=True)

    async def _lives(self, command: c.Command) -> bool:
        """Whether somebody drives the endpoint; where a way is under way already, somebody who answers."""
        release = self.snapshot.live_release(command.endpoint)
        turned = release is not None and release.state is not ReleaseState.RUNNING
        if turned and isinstance(command, TAKEN) and self._steering is not None and not self.drives(command.endpoint):
            return await self._steering.take_up(command.endpoint, force=False)
        return self.driven(command.endpoint)

    async def _write(self, command: c.Command, who: str, lives: bool, where: str | None) -> None:
        """Write down what comes of a command, judged by what is true at that moment."""
        for _ in range(STALE_TRIES):
            facts = accept(command, self.snapshot, self.now(), lives)
            seq = self.snapshot.seq
            write = partial(self._journal.append, facts, who, self.now(), after=seq, where=where)
            if await patiently(write) is not None:
                self.catch_up()
                return
            self.catch_up()
        raise JournalError(f"journal {self._journal.path}: others write without pause; call again")

    def _bury_load(self, command: c.Command) -> None:
        """A load by hand whose driver was killed has died with it, and stands in nobody's way."""
        endpoint = self.snapshot.endpoints.get(command.endpoint)
        load = endpoint.load if endpoint is not None else None
        holder = self._journal.holder(command.endpoint)
        if not isinstance(command, c.StartLoad) or load is None or not load.running or (holder and holder.alive):
            return
        gone = ev.LoadEnded(command.endpoint, load.kind, "its driver is gone")
        self._journal.append((gone,), self.who, self.now(), after=self.snapshot.seq)
        self.catch_up()

    def _abandoned(self, command: c.Command) -> bool:
        """Whether the command can only come true if somebody drives, and nobody does."""
        goes_on = self.snapshot.live_release(command.endpoint) is not None or isinstance(command, c.Next | c.StartLoad)
        return goes_on and not self.driven(command.endpoint)

    def driven(self, endpoint: str) -> bool:
        """Whether somebody who lives drives or watches an endpoint, in any process."""
        holder = self._journal.holder(endpoint)
        return holder is not None and holder.alive

    def hangs_s(self, endpoint: str) -> float | None:
        """For how long who drives or watches an endpoint is there without a sign of life; None where it gives them."""
        holder = self._journal.holder(endpoint)
        return holder.silent_s if holder is not None and holder.hangs else None

    # The store

    async def emit(self, *bodies: ev.Body, lease: Lease | None = None) -> None:
        """Write facts down and let them be true; raises Lost, JournalError."""
        facts = self._samples.take(self._timed(bodies), self.coarse and not self._anything_moves())
        if facts:
            await patiently(partial(self._journal.append, facts, self.who, self.now(), lease))
            self.catch_up()
        await asyncio.sleep(0)

    def _timed(self, bodies: Sequence[ev.Body]) -> Sequence[ev.Body]:
        """Facts by our clock: a host, a router and a load measure by the wall's, which somebody may have set."""
        drift_s = self._journal.clock.drift_s
        if abs(drift_s) < DRIFT_S:
            return bodies
        return [_shifted(body, drift_s) for body in bodies]

    def _anything_moves(self) -> bool:
        """Whether a release is under way or load runs: then every second counts."""
        loads = any(e.load is not None and e.load.running for e in self.snapshot.endpoints.values())
        return loads or any(release.live for release in self.snapshot.releases.values())

    async def change(self, timeout_s: float) -> None:
        """Return when the state has changed, or after a while."""
        news = self._news
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await news.wait()

    def beat(self, lease: Lease) -> None:
        """Say that the driver lives; raises Lost."""
        self.leadership.beat(lease)

    def catch_up(self) -> None:
        """Fold what came since, in the journal's order, whoever wrote it."""
        while batch := self._journal.read(self.snapshot.seq):
            for event in batch:
                self.snapshot = fold(self.snapshot, event)
            self._tail.extend(batch)
        self.tell()

    def tell(self, error: QuarterdeckError | None = None) -> None:
        """Wake whoever waits; with an error, nothing can be done from here for now, and followers are told."""
        if error is not None:
            self.broken = error
        news, self._news = self._news, asyncio.Event()
        news.set()

    def mended(self) -> None:
        """Something can be done from here again."""
        self.broken = None

    def _task_died(self, name: str, error: BaseException) -> None:
        """Ours to mend; it goes on, and whoever follows hears of it."""
        self.tell(Failed(f"{name}: {type(error).__name__}: {error}"))

    async def _poll(self) -> None:
        unreadable: JournalError | None = None
        while True:
            await asyncio.sleep(IDLE_POLL_S if self.coarse else POLL_S)
            try:
                if self._journal.changed():
                    self.catch_up()
                    self.leadership.give_way()
                if unreadable is not None and self.broken is unreadable:
                    self.broken = None
                unreadable = None
            except JournalError as error:
                unreadable = error
                self.tell(error)
                await asyncio.sleep(ATTEND_S)

    def clock_jump(self, told_s: float) -> tuple[float, str]:
        """As `JournalClock.jump`: what to say of a clock that was set."""
        return self._journal.clock.jump(told_s)

    def now(self) -> float:
        """Seconds since the epoch by the clock that all processes of the project share, and nobody sets."""
        return self._journal.clock.now()

    # Leadership

    def attend(self, endpoint: str) -> None:
        """Watch an endpoint, and drive its release if its driver has ended, for as long as nobody else does."""
        self.leadership.attend(endpoint)

    def drive(self, endpoint: str) -> None:
        """Drive an endpoint and go on with its release; raises Refused with who does."""
        self.leadership.drive(endpoint)

    def drives(self, endpoint: str) -> bool:
        """Whether this process drives it."""
        return self.leadership.drives(endpoint)


def _shifted(body: ev.Body, drift_s: float) -> ev.Body:
    """A fact that carries a moment of the wall's clock, with the moment by ours."""
    match body:
        case ev.Sampled(sample=sample):
            return replace(body, sample=replace(sample, at=sample.at - drift_s))
        case ev.Looked(scaled=scaled):
            return replace(body, scaled=replace(scaled, at=scaled.at - drift_s))
        case ev.Contacted(contact=contact):
            return replace(body, contact=replace(contact, at=contact.at - drift_s))
        case _:
            return body
