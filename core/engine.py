"""The engine: the only door through which state changes (`emit`), and one driver for each endpoint it holds."""

import asyncio
import contextlib
import itertools
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from core import commands as c, events as ev
from core.driver import Driver
from core.errors import Failed, JournalError, Lost, QuarterdeckError, Refused
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
TAIL = 2000
"""So many of the last events are kept for those who follow."""
log = logging.getLogger("quarterdeck")


@dataclass(slots=True)
class _Seat:
    """A driver at the wheel and its task."""

    driver: Driver
    task: asyncio.Task[None]
    weak: bool
    options: ev.Result
    beat_at: float = 0.0


class Engine:
    """A Link over a journal. `async with` it; then `attend` the endpoints that should be watched and driven."""

    def __init__(
        self, journal: Journal, site: Callable[[str, ev.Result], Site], who: str, read_only: bool = False
    ) -> None:
        self.snapshot = Snapshot()
        self.who = who
        self.read_only = read_only
        self.broken: QuarterdeckError | None = None
        self._journal = journal
        self._site = site
        self._seats: dict[str, _Seat] = {}
        self._left: set[asyncio.Task[None]] = set()
        self._tail: deque[ev.Event] = deque(maxlen=TAIL)
        self._closed = False
        self._said: dict[str, str] = {}
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
        if others := {*self._tasks, *self._left}:
            await asyncio.wait(others, timeout=SETTLE_S)
        self._closed = True
        self._tell()

    # The link

    async def events(self, after: int | None = None) -> AsyncIterator[ev.Event]:
        """Every event after a place, then each new one, until the engine is closed."""
        if after is None:
            after = self._journal.last()
            batch = self._journal.recent(time.time())
        else:
            batch = self._since(after)
        while True:
            for event in batch:
                yield event
                after = max(after, event.seq)
            if self._closed:
                return
            news = self._news
            batch = self._since(after)
            if not batch:
                if self.broken is not None:
                    raise self.broken
                await news.wait()

    def _since(self, after: int) -> list[ev.Event]:
        """The events after a place: those that this process has folded need no second reading."""
        if after >= self.snapshot.seq:
            return []
        if self._tail and after + 1 >= self._tail[0].seq:
            newer = list(itertools.takewhile(lambda event: event.seq > after, reversed(self._tail)))
            return newer[::-1]
        return self._journal.read(after)

    async def do(self, command: c.Command) -> None:
        """Ask for something; returns when it is written down. Raises Refused or JournalError."""
        if self.read_only:
            raise Refused("read-only: nothing can be asked from here")
        self._catch_up()
        self._bury_load(command)
        c.accept(command, self.snapshot, time.time())
        if isinstance(command, c.Begin | c.Rollback | c.Undo | c.Abort) or self._abandoned(command):
            options = command.options if isinstance(command, c.Begin) else {}
            self._take(command.endpoint, options, force=isinstance(command, c.Rollback | c.Undo | c.Abort))
        for _ in range(STALE_TRIES):
            facts = c.accept(command, self.snapshot, time.time())
            if self._journal.append(facts, self.who, time.time(), after=self.snapshot.seq) is not None:
                self._catch_up()
                return
            self._catch_up()
        raise JournalError(f"journal {self._journal.path}: others write without pause; call again")

    def _bury_load(self, command: c.Command) -> None:
        """A load by hand whose driver was killed has died with it, and stands in nobody's way."""
        endpoint = self.snapshot.endpoints.get(command.endpoint)
        load = endpoint.load if endpoint is not None else None
        holder = self._journal.holder(command.endpoint)
        if not isinstance(command, c.StartLoad) or load is None or not load.running or (holder and holder.alive):
            return
        gone = ev.LoadEnded(command.endpoint, load.kind, "its driver is gone")
        self._journal.append((gone,), self.who, time.time(), after=self.snapshot.seq)
        self._catch_up()

    def _abandoned(self, command: c.Command) -> bool:
        """Whether the command can only come true if somebody drives, and nobody does."""
        holder = self._journal.holder(command.endpoint)
        goes_on = self.snapshot.live_release(command.endpoint) is not None or isinstance(command, c.Next | c.StartLoad)
        return goes_on and (holder is None or not holder.alive)

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
            async with asyncio.timeout(timeout_s):
                await news.wait()

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
            self._tail.extend(batch)
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _poll(self) -> None:
        unreadable: JournalError | None = None
        while True:
            await asyncio.sleep(POLL_S)
            try:
                if self._journal.changed():
                    self._catch_up()
                    self._stand_up()
                if unreadable is not None and self.broken is unreadable:
                    self.broken = None
                unreadable = None
            except JournalError as error:
                unreadable = error
                self._break(error)
                await asyncio.sleep(ATTEND_S)

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
                self._break(error)
            await asyncio.sleep(ATTEND_S)

    def _look_around(self) -> None:
        for endpoint in sorted(self._attended - self._seats.keys()):
            self._quietly(endpoint, self._take_idle)
        for endpoint, seat in list(self._seats.items()):
            if seat.task.done():
                self._seats.pop(endpoint)
            elif endpoint in self._attended and seat.weak is not (self.snapshot.live_release(endpoint) is None):
                # Nothing is under way: whoever wants to release from another terminal may. Else it is ours to end.
                self._quietly(endpoint, self._take_idle)

    def _quietly(self, endpoint: str, take: Callable[[str], None]) -> None:
        """Try; what stands in the way is said once, unless it is only that somebody else drives."""
        try:
            take(endpoint)
        except Refused:
            return
        except JournalError:
            raise
        except QuarterdeckError as error:
            if self._said.get(endpoint) != str(error):
                self._said[endpoint] = str(error)
                log.warning("%s: %s", endpoint, error)

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
        fits = not options or (seat is not None and seat.options == options)
        if seat is not None and not seat.task.done() and seat.driver.lease == lease and fits:
            seat.weak = weak
            return
        try:
            self._sit_down(endpoint, options, lease, weak)
        except QuarterdeckError:
            if endpoint not in self._seats:
                self._journal.let_go(lease)
            raise

    def _sit_down(self, endpoint: str, options: ev.Result, lease: Lease, weak: bool) -> None:
        release = self.snapshot.release_of(endpoint)
        options = options or (release.options if release is not None else {})
        driver = Driver(self, self._site(endpoint, options), lease, acts=not self.read_only)
        if not weak:
            self._journal.append((ev.Drove(endpoint, self.who),), self.who, time.time(), lease)
            self._catch_up()
        if (before := self._seats.pop(endpoint, None)) is not None:
            before.task.cancel()
            self._left.add(before.task)
            before.task.add_done_callback(self._left.discard)
        task = asyncio.create_task(driver.run(), name=f"drive {endpoint}")
        task.add_done_callback(self._gone)
        self._seats[endpoint] = _Seat(driver, task, weak, options)
        self._said.pop(endpoint, None)
        self.broken = None

    def _gone(self, task: asyncio.Task[None]) -> None:
        """A driver ended by itself: another terminal took over, the journal can't be written, or it is broken."""
        if task.cancelled():
            return
        match task.exception():
            case None | Lost():
                self._tell()
            case QuarterdeckError() as error:
                self._break(error)
            case error:
                # Ours to mend; whoever waits for the release must hear of it, and it goes on from where it is.
                log.error("%s", task.get_name(), exc_info=error)
                self._break(Failed(f"{task.get_name()}: {error!r}; call again, the release goes on from where it is"))

    def _break(self, error: QuarterdeckError) -> None:
        """Nothing can be done from here for now: whoever follows is told."""
        self.broken = error
        self._tell()

    def drives(self, endpoint: str) -> bool:
        """Whether this process sits at the wheel."""
        seat = self._seats.get(endpoint)
        return seat is not None and not seat.task.done()

    async def _leave(self, endpoint: str) -> None:
        """Get up in good order; a rollback from another terminal need not wait for that."""
        seat = self._seats.pop(endpoint)
        if not seat.task.done():
            with contextlib.suppress(QuarterdeckError, TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    await seat.driver.settle()
        seat.task.cancel()
        await asyncio.wait({seat.task}, timeout=SETTLE_S)
        # Cancelled before its first turn it has closed nothing.
        await seat.driver.close()
        with contextlib.suppress(JournalError):
            self._journal.let_go(seat.driver.lease)
