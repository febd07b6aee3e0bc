"""The load on one endpoint: started, steered as operators ask, its samples written down. One at a time."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from core.domain.errors import QuarterdeckError, Unreachable
from core.domain.gates import Verdict, judge
from core.domain.model import LoadProfile, LoadSource, Sample, Version
from core.domain.plan import Load as LoadStep
from core.engine.environment import Environment
from core.load.load import LoadResult, RunningLoad
from core.state import events as ev
from core.state.snapshot import LoadState
from core.targets.protocol import Address

Emit = Callable[..., Awaitable[None]]
CLOSE_S = 20.0
REACH_S = 10.0
AGAIN_S = 0.2
REST_S = 15.0
"""A background load that ended by itself is not begun again for so long."""


class LoadControl:
    """Runs at most one load; `steer` brings it to what the snapshot says is wanted."""

    def __init__(self, environment: Environment, emit: Emit, address: Callable[[], Awaitable[Address]]) -> None:
        self._environment = environment
        self._emit = emit
        self._address = address
        self._load: RunningLoad | None = None
        self._task: asyncio.Task[None] | None = None
        self._kind = ""
        self._applied = 0
        self._paused = False
        self._asked = (0, 0.0)
        self._testing = False
        self._stopping = False
        self._ended_at = -REST_S

    @property
    def kind(self) -> str:
        """What runs: `background`, `test`, `manual`; empty when nothing does."""
        if self._testing:
            return "test"
        return self._kind if self._task is not None and not self._task.done() else ""

    @property
    def rests(self) -> bool:
        """Whether background load ended by itself a moment ago: what breaks at once would break again."""
        return time.monotonic() < self._ended_at + REST_S

    def start(
        self, profile: LoadProfile, kind: str, version: Version | None, by_hand: LoadSource | None = None
    ) -> None:
        """Send load until it ends or is stopped. `by_hand`: somebody asked for it, and that is written down already."""
        self._kind, self._stopping = kind, False
        self._task = asyncio.create_task(self._run(profile, kind, version, by_hand), name=f"load {kind}")
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _run(self, profile: LoadProfile, kind: str, version: Version | None, by_hand: LoadSource | None) -> None:
        try:
            why, artifacts = await self._send(profile, kind, version, by_hand)
        except QuarterdeckError as error:
            why, artifacts = str(error), ()
        if not self._stopping:
            self._ended_at = time.monotonic()
        await self._emit(ev.LoadEnded(self._environment.endpoint, kind, why, artifacts))

    async def _send(
        self, profile: LoadProfile, kind: str, version: Version | None, by_hand: LoadSource | None
    ) -> tuple[str, tuple[str, ...]]:
        result = await self._follow(profile, kind, version, by_hand)
        return result.why, tuple(str(path) for path in result.artifacts)

    async def _follow(
        self, profile: LoadProfile, kind: str, version: Version | None, by_hand: LoadSource | None = None
    ) -> LoadResult:
        source = by_hand or LoadSource()
        load = await self._reached(profile, kind, version, source)
        self._load, self._applied, self._paused = load, 0, False
        self._asked = (profile.users, profile.spawn_rate)
        try:
            if by_hand is None:
                started = ev.LoadStarted(self._environment.endpoint, kind, profile, profile.name, load.web_url or "")
                await self._emit(started)
            elif load.web_url:
                await self._emit(ev.Logged(self._environment.endpoint, "load", f"Locust's own page: {load.web_url}"))
            async for sample in load.samples():
                await self._emit(ev.Sampled(self._environment.endpoint, sample))
            return await load.wait()
        finally:
            self._load = None
            with contextlib.suppress(QuarterdeckError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await asyncio.shield(load.close())

    async def _reached(
        self, profile: LoadProfile, kind: str, version: Version | None, source: LoadSource
    ) -> RunningLoad:
        """A load that has begun; where nobody answers it is tried again, for a host may be coming back."""
        until_s = time.monotonic() + REACH_S
        while True:
            try:
                return await self._environment.load(profile, kind, await self._address(), version, source)
            except Unreachable:
                if source.attach or time.monotonic() >= until_s:
                    raise
            await asyncio.sleep(AGAIN_S)

    async def test(
        self, step: LoadStep, version: Version | None
    ) -> tuple[Sample, tuple[Verdict, ...], tuple[str, ...], str]:
        """A load test to its end: everything measured, its verdicts, its artifacts, why it ended."""
        await self.stop()
        self._testing = True
        ended = ev.LoadEnded(self._environment.endpoint, "test", "stopped")
        try:
            result = await self._follow(step.profile, "test", version)
            artifacts = tuple(str(path) for path in result.artifacts)
            ended = ev.LoadEnded(self._environment.endpoint, "test", result.why, artifacts)
            verdicts = tuple(judge(gate, result.total, None) for gate in step.gates)
            return result.total, verdicts, artifacts, result.why
        except QuarterdeckError as error:
            ended = ev.LoadEnded(self._environment.endpoint, "test", str(error))
            raise
        finally:
            self._testing = False
            await self._emit(ended)

    async def steer(self, wanted: LoadState | None) -> None:
        """Bring what runs to what was asked for last; a refusal is written down, not raised."""
        load = self._load
        if load is None or wanted is None or not wanted.running or wanted.wanted_seq <= self._applied:
            return
        before, self._applied = self._applied, wanted.wanted_seq
        try:
            if wanted.stop:
                # Somebody else's Locust is let go: its test is not ours to end.
                await (load.close() if wanted.source.attach else load.stop())
                return
            if wanted.reset_seq > before:
                await load.reset()
            if (wanted.users, wanted.spawn_rate) != self._asked:
                await load.users(wanted.users, wanted.spawn_rate)
                self._asked = (wanted.users, wanted.spawn_rate)
            if wanted.paused != self._paused:
                await (load.pause() if wanted.paused else load.resume())
                self._paused = wanted.paused
        except QuarterdeckError as error:
            await self._emit(ev.Logged(self._environment.endpoint, "load", str(error)))

    async def stop(self) -> None:
        """End what runs and wait until it has; the wait is bounded by the load's own deadline."""
        task, kind = self._task, self._kind
        if task is None or task.done():
            return
        self._stopping = True
        if self._load is None:
            # It is only starting, and there is nothing to ask yet.
            task.cancel()
        else:
            with contextlib.suppress(QuarterdeckError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._load.stop()
        if not (await asyncio.wait({task}, timeout=CLOSE_S))[0]:
            task.cancel()
            await asyncio.wait({task}, timeout=CLOSE_S)
        if task.cancelled() and self._task is task:
            self._task = None
            await self._emit(ev.LoadEnded(self._environment.endpoint, kind, "stopped"))

    async def close(self) -> None:
        """Let go at once."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=CLOSE_S)
