"""Which endpoints this process drives: takes the lease, keeps it, gives way, lets go in good order."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from core.domain.errors import Busy, Failed, JournalError, Lost, QuarterdeckError, Refused
from core.engine.driver import Driver
from core.engine.environment import Environment
from core.engine.observer import Store
from core.journal.journal import Journal, Lease
from core.state import events as ev

ATTEND_S = 1.0
BEAT_S = 3.0
SETTLE_S = 30.0
Environments = Callable[[str, ev.Result], Environment]
log = logging.getLogger("quarterdeck")


class LeaderStore(Store, Protocol):
    """What leadership needs of the engine, beyond what a driver does."""

    who: str
    read_only: bool

    def catch_up(self) -> None:
        """Fold what was written."""
        ...

    def tell(self, error: QuarterdeckError | None = None) -> None:
        """Something changed; with an error, nothing can be done from here for now."""
        ...

    def mended(self) -> None:
        """Something can be done again."""
        ...


@dataclass(slots=True)
class DriverTask:
    """A driver that holds the lease, and its task; a weak one only watches and gives way."""

    driver: Driver
    task: asyncio.Task[None]
    weak: bool
    options: ev.Result
    beat_at: float = 0.0


class Leadership:
    """The drivers of this process, an endpoint each."""

    def __init__(self, store: LeaderStore, journal: Journal, environments: Environments) -> None:
        self.drivers: dict[str, DriverTask] = {}
        self._store = store
        self._journal = journal
        self._environment = environments
        self._left: set[asyncio.Task[None]] = set()
        self._said: dict[str, str] = {}
        self._attended: set[str] = set()

    def attend(self, endpoint: str) -> None:
        """Watch an endpoint, and drive its release if its driver is dead, for as long as nobody else does."""
        self._attended.add(endpoint)

    async def run(self) -> None:
        """Look around now and then, until cancelled."""
        while True:
            try:
                self._look_around()
            except Busy:
                pass  # Another process just writes: the next look comes soon.
            except JournalError as error:
                self._store.tell(error)
            await asyncio.sleep(ATTEND_S)

    def _look_around(self) -> None:
        for endpoint in sorted(self._attended - self.drivers.keys()):
            self._try(endpoint)
        for endpoint, held in list(self.drivers.items()):
            if held.task.done():
                self.drivers.pop(endpoint)
            elif endpoint in self._attended and not self._fits(held, self._live(endpoint)):
                # Nothing is under way: whoever wants to release from another terminal may. Else it is ours to end.
                self._try(endpoint)

    @staticmethod
    def _fits(held: DriverTask, live: ev.Result | None) -> bool:
        """Whether a driver is what its endpoint needs: weak while nothing is under way, else with its options; and
        with the variables that are kept now."""
        if held.driver.environment.outdated():
            return False
        return held.weak if live is None else not held.weak and held.options == live

    def _live(self, endpoint: str) -> ev.Result | None:
        """The options of the endpoint's live release; None without one."""
        release = self._store.snapshot.live_release(endpoint)
        return None if release is None else release.options

    def _try(self, endpoint: str) -> None:
        """Try; what stands in the way is said once, unless it is only that somebody else drives."""
        options = self._live(endpoint)
        if options is not None and self._store.read_only:
            return
        try:
            self.take(endpoint, options or {}, weak=options is None)
        except Refused:
            return
        except JournalError:
            raise
        except Exception as error:
            if self._said.get(endpoint) != str(error):
                self._said[endpoint] = str(error)
                log.warning("%s: %s", endpoint, error, exc_info=not isinstance(error, QuarterdeckError))

    def drive(self, endpoint: str) -> None:
        """Drive an endpoint and go on with its release; raises Refused with who does."""
        self.take(endpoint, self._live(endpoint) or {})

    def check(self, endpoint: str, options: ev.Result) -> None:
        """Raise what stands against driving a release with these options, wherever that will be."""
        self._environment(endpoint, options)

    def take(self, endpoint: str, options: ev.Result, weak: bool = False, force: bool = False) -> None:
        """Take the lease of an endpoint and drive it, or go on doing so; raises Refused with who does."""
        held = self.drivers.get(endpoint)
        lease = self._journal.take(endpoint, self._store.who, weak=weak, force=force)
        fits = not options or (held is not None and held.options == options)
        fits = fits and not (held is not None and held.driver.environment.outdated())
        if held is not None and not held.task.done() and held.driver.lease == lease and fits:
            held.weak = weak
            return
        try:
            self._start(endpoint, options, lease, weak)
        except Exception:
            # Whatever it was: nobody else could drive while we hold the lease and do not.
            if endpoint not in self.drivers:
                self._journal.let_go(lease)
            raise

    def _start(self, endpoint: str, options: ev.Result, lease: Lease, weak: bool) -> None:
        store = self._store
        release = store.snapshot.release_of(endpoint)
        options = options or (release.options if release is not None else {})
        environment = self._environment(endpoint, options)
        driver = Driver(store, environment, lease, acts=not store.read_only, options=options)
        if not weak:
            self._journal.append((ev.Drove(endpoint, store.who),), store.who, store.now(), lease)
            store.catch_up()
        if (before := self.drivers.pop(endpoint, None)) is not None:
            before.task.cancel()
            self._left.add(before.task)
            before.task.add_done_callback(self._left.discard)
        task = asyncio.create_task(driver.run(), name=f"drive {endpoint}")
        task.add_done_callback(self._gone)
        self.drivers[endpoint] = DriverTask(driver, task, weak, options)
        self._said.pop(endpoint, None)
        store.mended()

    def _gone(self, task: asyncio.Task[None]) -> None:
        """A driver ended by itself: another terminal took over, the journal can't be written, or it is broken."""
        if task.cancelled():
            return
        match task.exception():
            case None | Lost():
                self._store.tell()
            case QuarterdeckError() as error:
                self._store.tell(error)
            case error:
                # Ours to mend; whoever waits for the release must hear of it, and it goes on from where it is.
                log.error("%s", task.get_name(), exc_info=error)
                why = f"{task.get_name()}: {error!r}; call again, the release goes on from where it is"
                self._store.tell(Failed(why))

    def drives(self, endpoint: str) -> bool:
        """Whether this process drives it."""
        held = self.drivers.get(endpoint)
        return held is not None and not held.task.done()

    def beat(self, lease: Lease) -> None:
        """Say that a driver lives; raises Lost."""
        held = self.drivers.get(lease.endpoint)
        if held is not None and time.monotonic() - held.beat_at >= BEAT_S:
            # Where another process just writes, the next turn says it.
            with contextlib.suppress(Busy):
                self._journal.beat(lease)
                held.beat_at = time.monotonic()

    def give_way(self) -> None:
        """Leave at once what another terminal has taken."""
        for held in self.drivers.values():
            # Told again while it closes, it would close nothing more.
            if not held.driver.closing and not self._journal.holds(held.driver.lease):
                held.task.cancel()

    async def close(self) -> None:
        """Let go of all, and wait for those that were left before."""
        for endpoint in list(self.drivers):
            await self._leave(endpoint)
        if self._left:
            await asyncio.wait(set(self._left), timeout=SETTLE_S)

    async def _leave(self, endpoint: str) -> None:
        """Let go in good order; a rollback from another terminal need not wait for that."""
        held = self.drivers.pop(endpoint)
        if not held.task.done():
            with contextlib.suppress(QuarterdeckError, TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    await held.driver.settle()
        held.task.cancel()
        await asyncio.wait({held.task}, timeout=SETTLE_S)
        # Cancelled before its first turn it has closed nothing.
        await held.driver.close()
        with contextlib.suppress(JournalError):
            self._journal.let_go(held.driver.lease)
