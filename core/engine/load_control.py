"""The load on one endpoint: started, steered as operators ask, its samples and its end written down. One at a time."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from core.domain.errors import BadInput, JournalError, Killed, Lost, QuarterdeckError, Unreachable
from core.domain.gates import Verdict
from core.domain.load_profile import LoadOutcome, LoadProfile
from core.domain.model import Version
from core.domain.plan import Load as LoadStep
from core.engine.environment import Environment
from core.engine.sent_load import SentLoad
from core.load.load import LoadResult, RunningLoad
from core.state import events as ev
from core.state.endpoint import LoadState
from core.system.tasks import TaskGuard
from core.targets.protocol import Address

Emit = Callable[..., Awaitable[None]]
CLOSE_S = 20.0
REACH_S = 10.0
WRITE_S = 5.0
AGAIN_S = 0.2
REST_S = 15.0
"""A background load that ended by itself is not begun again for so long."""


class LoadControl:
    """Runs at most one load; `steer` brings it to what the snapshot says is wanted."""

    def __init__(self, environment: Environment, emit: Emit, address: Callable[[], Awaitable[Address]]) -> None:
        self._environment = environment
        self._emit = emit
        self._address = address
        self._guard = TaskGuard(f"load on {environment.endpoint}")
        self._sent: SentLoad | None = None
        self._rests_until = 0.0

    @property
    def kind(self) -> str:
        """What runs: `background`, `test`, `manual`; empty when nothing does."""
        return self._sent.kind if self._sent is not None and not self._sent.over else ""

    @property
    def rests(self) -> bool:
        """Whether background load ended by itself a moment ago: what breaks at once would break again."""
        return time.monotonic() < self._rests_until

    def start(self, profile: LoadProfile, kind: str, version: Version | None, live: Version | None = None) -> None:
        """Send load of our own until it ends or is stopped; where `live` serves besides, as its callers too."""
        self._start(SentLoad(self._environment.endpoint, kind, profile, version, live=live))

    def take_up(self, asked: LoadState, version: Version | None, again: bool = False) -> None:
        """Send the load that somebody asked for by hand, which is written down already, and sent before if `again`."""
        where = self._environment.endpoint
        wished = (asked.kind, asked.profile, version, asked.source, asked.limits, asked.stay, asked.by)
        sent = SentLoad(where, *wished, again=again, announced=True)
        self._start(sent)

    def _start(self, sent: SentLoad) -> None:
        self._sent = sent
        sent.task = self._guard.start(self._run(sent), sent.kind)

    async def _run(self, sent: SentLoad) -> None:
        # Lost and JournalError end the driver by its own next word; the end of this load is then its successor's.
        with contextlib.suppress(Lost, JournalError):
            try:
                result = await self._send(sent)
            except (Lost, JournalError):
                raise
            except QuarterdeckError as error:
                await self._write_end(sent, sent.not_begun(error))
            else:
                await self._write_end(sent, sent.came_to(result))
            finally:
                sent.over = True

    async def _send(self, sent: SentLoad) -> LoadResult:
        endpoint = self._environment.endpoint
        if not sent.announced:
            sent.announced = True
            await self._write(ev.LoadStarted(endpoint, sent.kind, sent.profile, sent.profile.name))
        load = await self._reached(sent)
        sent.load, sent.asked = load, (sent.profile.users, sent.profile.spawn_rate)
        try:
            if sent.again:
                await self._emit(ev.Logged(endpoint, "load", f"{sent.kind} load begins again: who sent it had gone"))
            if load.web_url:
                await self._emit(ev.Logged(endpoint, "load", f"Locust's own page: {load.web_url}"))
            async for sample in load.samples():
                await self._emit(ev.Sampled(endpoint, sample))
            result = await load.wait()
            by_hand = sent.stopped and result.how in (LoadOutcome.STOPPED, LoadOutcome.LET_GO)
            return replace(result, why=sent.stopped) if by_hand else result
        finally:
            sent.load = None
            with contextlib.suppress(QuarterdeckError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await asyncio.shield(load.close())

    async def _reached(self, sent: SentLoad) -> RunningLoad:
        """A load that has begun; where nobody answers it is tried again, for a host may be coming back."""
        until_s, said = time.monotonic() + REACH_S, False
        while True:
            try:
                address = await self._address()
                wanted = (sent.profile, sent.kind, address, sent.version, sent.source)
                return await self._environment.load(*wanted, live=sent.live)
            except Unreachable as error:
                if sent.source.attach:
                    raise BadInput(str(error)) from error
                if time.monotonic() >= until_s:
                    raise
                if not said:
                    said = True
                    text = f"{error}; it is tried again for {REACH_S:g} s"
                    await self._emit(ev.Logged(self._environment.endpoint, "load", text))
            await asyncio.sleep(AGAIN_S)

    async def test(self, step: LoadStep, version: Version | None) -> tuple[LoadResult, tuple[Verdict, ...]]:
        """A load test to its end, and its verdicts; raises Killed where the system ended Locust."""
        await self.stop("a load test begins")
        where = self._environment.endpoint
        sent = self._sent = SentLoad(where, "test", step.profile, version, limits=step.gates)
        try:
            result = await self._send(sent)
        except QuarterdeckError as error:
            await self._write_end(sent, sent.not_begun(error))
            raise
        except asyncio.CancelledError:
            with contextlib.suppress(QuarterdeckError):
                await self._write_end(sent, sent.was_stopped("the release turned"))
            raise
        finally:
            sent.over = True
        ended = sent.came_to(result)
        await self._write_end(sent, ended)
        if result.how is LoadOutcome.KILLED:
            raise Killed(f"{result.ran_s:.0f} s into the test: {result.why}")
        return result, ended.verdicts

    # How it ended, once

    async def _write_end(self, sent: SentLoad, ended: ev.LoadEnded) -> None:
        """Written once for each begin, however many ways the load ends at the same moment."""
        if sent.announced and not sent.ended:
            sent.ended = True
            if not sent.stopped:
                self._rests_until = time.monotonic() + REST_S
            await self._write(ended)

    async def _write(self, *bodies: ev.Body) -> None:
        """Written whole even where whoever waits for it is cancelled meanwhile."""
        writing = asyncio.ensure_future(self._emit(*bodies))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing}, timeout=WRITE_S)
            if writing.done() and not writing.cancelled():
                writing.exception()
            raise

    # What operators ask

    async def steer(self, wanted: LoadState | None) -> None:
        """Bring what runs to what was asked for last; a refusal is written down, not raised."""
        sent = self._sent
        if sent is None or sent.load is None or wanted is None or not wanted.running:
            return
        if wanted.wanted_seq <= sent.applied:
            return
        before, sent.applied = sent.applied, wanted.wanted_seq
        try:
            await self._follow_wish(sent, sent.load, wanted, before)
        except QuarterdeckError as error:
            await self._emit(ev.Logged(self._environment.endpoint, "load", str(error)))

    async def _follow_wish(self, sent: SentLoad, load: RunningLoad, wanted: LoadState, before: int) -> None:
        if wanted.stop:
            sent.stopped = f"stopped by {wanted.stopped_by}" if wanted.stopped_by else "stopped by hand"
            # Somebody else's Locust is let go: its test is not ours to end.
            await (load.close() if wanted.source.attach else load.stop())
            return
        if wanted.reset_seq > before:
            await load.reset()
        if (wanted.users, wanted.spawn_rate) != sent.asked:
            await load.users(wanted.users, wanted.spawn_rate)
            sent.asked = (wanted.users, wanted.spawn_rate)
        if wanted.paused != sent.paused:
            await (load.pause() if wanted.paused else load.resume())
            sent.paused = wanted.paused

    # Its ends from here

    async def stop(self, why: str) -> None:
        """End what runs and wait until it has; the wait is bounded by the load's own deadline."""
        sent = self._sent
        if sent is None or sent.task is None or sent.task.done():
            return
        sent.stopped = sent.stopped or why
        if sent.load is None:
            # It is only starting, and there is nothing to ask yet.
            sent.task.cancel()
        else:
            with contextlib.suppress(QuarterdeckError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await sent.load.stop()
        if not (await asyncio.wait({sent.task}, timeout=CLOSE_S))[0]:
            await self._cut_off(sent)
        sent.over = True
        await self._write_end(sent, sent.was_stopped(why))

    async def leave(self) -> None:
        """The driver goes: what outlives it is left to the next one, and what is just ending is cut off."""
        sent = self._sent
        if sent is None or sent.task is None or sent.task.done():
            return
        if sent.outlives and not sent.stopped:
            await self.close()
        elif sent.stopped:
            await self._cut_off(sent)
            await self._write_end(sent, sent.was_stopped(sent.stopped))
        else:
            await self.stop("its driver was closed")

    async def _cut_off(self, sent: SentLoad) -> None:
        if sent.task is not None:
            sent.task.cancel()
            await asyncio.wait({sent.task}, timeout=CLOSE_S)
        # Cancelled before its first turn it has noted nothing.
        sent.over = True

    async def close(self) -> None:
        """Let go at once; whose driver is gone already, its successor writes the end."""
        if self._sent is not None:
            await self._cut_off(self._sent)
        await self._guard.close(CLOSE_S)

    async def bury(self, wished: LoadState, why: str) -> None:
        """Write down the end of a wish that nobody is there for any more, and that nothing here sends."""
        where = self._environment.endpoint
        await self._emit(ev.LoadEnded(where, wished.kind, why, how=LoadOutcome.STOPPED))
