"""The engine: the only door through which state changes (`emit`), and one driver for each endpoint it holds."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from core import commands as c
from core import events as ev
from core.driver import Driver
from core.errors import JournalError, Lost, QuarterdeckError, Refused
from core.fold import fold
from core.journal import Journal, Lease
from core.site import Site
from core.snapshot import Snapshot

POLL_S = 0.05
"""So often this process asks whether another one wrote."""
ATTEND_S = 1.0
BEAT_S = 3.0
SETTLE_S = 30.0
STALE_TRIES = 50
log = logging.getLogger("quarterdeck")


@dataclass(slots=True)
class _Seat:
    """A driver at the wheel and its task."""

    driver: Driver
    task: asyncio.Task[None]
    weak: bool
    beat_at: float = 0.0


class Engine:
    """A Link over a journal. `async with` it; then `attend` the endpoints that should be watched and driven."""

    def __init__(
        self, journal: Journal, site: Callable[[str, ev.Result], Site], who: str, read_only: bool = False
    ) -> None:
        self.snapshot = Snapshot()
        self.who = who
        self.read_only = read_only
        self.broken: JournalError | None = None
        self._journal = journal
        self._site = site
        self._seats: dict[str, _Seat] = {}
        self._attended: set[str] = set()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Engine":
        last = self._journal.last()
        for event in self._journal.recent(time.time()):
            self.snapshot = fold(self.snapshot, event)
        self.snapshot = replace(self.snapshot, seq=max(last, self.snapshot.seq))
        self._tasks = [
            asyncio.create_task(self._poll(), name="poll the journal"),
            asyncio.create_task(self._attend(), name="attend endpoints"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for endpoint in list(self._seats):
            await self._leave(endpoint)
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError, JournalError):
                await task
        self._tell()

    # The link

    async def events(self, after: int | None = None) -> AsyncIterator[ev.Event]:
        """Every event after a place, then each new one, until the engine is closed."""
        if after is None:
            after = self._journal.last()
            batch = self._journal.recent(time.time())
        else:
            batch = self._journal.read(after)
        while True:
            for event in batch:
                yield event
                after = max(after, event.seq)
            news = self._news
            batch = self._journal.read(after)
            if not batch:
                if self.broken is not None:
                    raise self.broken
                await news.wait()

    async def do(self, command: c.Command) -> None:
        """Ask for something; returns when it is written down. Raises Refused or JournalError."""
        if self.read_only:
            raise Refused("read-only: nothing can be asked from here")
        self._catch_up()
        c.accept(command, self.snapshot, time.time())
        if isinstance(command, c.Begin | c.Rollback | c.Undo | c.Abort | c.StartLoad) or self._abandoned(command):
            options = command.options if isinstance(command, c.Begin) else {}
            self._take(command.endpoint, options, force=isinstance(command, c.Rollback | c.Undo | c.Abort))
        for _ in range(STALE_TRIES):
            facts = c.accept(command, self.snapshot, time.time())
            if self._journal.append(facts, self.who, time.time(), after=self.snapshot.seq) is not None:
                self._catch_up()
                return
            self._catch_up()
        raise JournalError(f"journal {self._journal.path}: others write without pause; call again")

    def _abandoned(self, command: c.Command) -> bool:
        """Whether the command can only come true if somebody drives, and nobody does."""
        holder = self._journal.holder(command.endpoint)
        return self.snapshot.live_release(command.endpoint) is not None and (holder is None or not holder.alive)

    # The desk

    async def emit(self, *bodies: ev.Body, lease: Lease | None = None) -> None:
        """Write facts down and let them be true; raises Lost, JournalError."""
        self._journal.append(bodies, self.who, time.time(), lease)
        self._catch_up()
        await asyncio.sleep(0)

    async def change(self, timeout_s: float) -> None:
        """Return when the state has changed, or after a while."""
        news = self._news
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), timeout_s)

    def beat(self, lease: Lease) -> None:
        """Say that the driver lives; raises Lost."""
        seat = self._seats.get(lease.endpoint)
        if seat is not None and time.monotonic() - seat.beat_at >= BEAT_S:
            seat.beat_at = time.monotonic()
            self._journal.beat(lease)

    def _catch_up(self) -> None:
        """Fold what came since, in the journal's order, whoever wrote it."""
        while batch := self._journal.read(self.snapshot.seq):
            for event in batch:
                self.snapshot = fold(self.snapshot, event)
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                if self._journal.changed():
                    self._catch_up()
                    self._stand_up()
            except JournalError as error:
                self.broken = error
                self._tell()
                return

    def _stand_up(self) -> None:
        """Leave at once what another terminal has taken."""
        for seat in self._seats.values():
            if not self._journal.holds(seat.driver.lease):
                seat.task.cancel()

    # The wheel

    def attend(self, endpoint: str) -> None:
        """Watch an endpoint, and drive its release if its driver is dead, for as long as nobody else does."""
        self._attended.add(endpoint)

    async def _attend(self) -> None:
        while True:
            try:
                self._look_around()
            except JournalError as error:
                self.broken = error
                self._tell()
                return
            await asyncio.sleep(ATTEND_S)

    def _look_around(self) -> None:
        for endpoint in sorted(self._attended - self._seats.keys()):
            with contextlib.suppress(Refused):
                self._take_idle(endpoint)
        for endpoint, seat in list(self._seats.items()):
            if seat.task.done():
                self._seats.pop(endpoint)
            elif not seat.weak and endpoint in self._attended and self.snapshot.live_release(endpoint) is None:
                # Nothing is under way: whoever wants to release from another terminal may.
                self._journal.take(endpoint, self.who, weak=True)
                seat.weak = True

    def drive(self, endpoint: str) -> None:
        """Take the wheel of an endpoint and go on with its release; raises Refused with who has it."""
        release = self.snapshot.live_release(endpoint)
        self._take(endpoint, release.options if release else {})

    def _take_idle(self, endpoint: str) -> None:
        release = self.snapshot.live_release(endpoint)
        if release is None or not self.read_only:
            self._take(endpoint, release.options if release else {}, weak=release is None)

    def _take(self, endpoint: str, options: ev.Result, weak: bool = False, force: bool = False) -> None:
        """Sit down at the wheel, or stay there; raises Refused with who sits there."""
        seat = self._seats.get(endpoint)
        lease = self._journal.take(endpoint, self.who, weak=weak, force=force)
        if seat is not None and not seat.task.done() and seat.driver.lease == lease:
            seat.weak = weak
            return
        if not weak:
            self._journal.append((ev.Drove(endpoint, self.who),), self.who, time.time(), lease)
            self._catch_up()
        release = self.snapshot.live_release(endpoint)
        site = self._site(endpoint, release.options if release else options)
        driver = Driver(self, site, lease, acts=not self.read_only)
        task = asyncio.create_task(driver.run(), name=f"drive {endpoint}")
        task.add_done_callback(self._gone)
        self._seats[endpoint] = _Seat(driver, task, weak)

    def _gone(self, task: asyncio.Task[None]) -> None:
        """A driver ended by itself: another terminal took over, or the journal can't be written."""
        if task.cancelled():
            return
        match task.exception():
            case None | Lost():
                pass
            case JournalError() as error:
                self.broken = error
            case QuarterdeckError() as error:
                log.error("%s: %s", task.get_name(), error)
            case error:
                log.error("%s", task.get_name(), exc_info=error)
        self._tell()

    def drives(self, endpoint: str) -> bool:
        """Whether this process sits at the wheel."""
        seat = self._seats.get(endpoint)
        return seat is not None and not seat.task.done()

    async def _leave(self, endpoint: str) -> None:
        seat = self._seats.pop(endpoint)
        with contextlib.suppress(QuarterdeckError, TimeoutError):
            if not seat.task.done():
                await asyncio.wait_for(seat.driver.settle(), SETTLE_S)
        seat.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, QuarterdeckError):
            await seat.task
        with contextlib.suppress(JournalError):
            self._journal.let_go(seat.driver.lease)
        await seat.driver.site.close()
