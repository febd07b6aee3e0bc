"""A load of our own: Locust as a child process, steered while it runs, its figures as samples."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from core.domain.errors import BadInput, Failed, Killed, QuarterdeckError, Refused, Unreachable
from core.domain.load_profile import LoadOutcome, LoadProfile
from core.domain.sample import Sample
from core.load import command
from core.load.command import ARTIFACTS, LOG, OUTPUT, LocustSettings
from core.load.feed import Feed
from core.load.load import LoadResult
from core.load.process import Line, LocustProcess
from core.load.run_clock import RunClock
from core.load.samples import sample_of
from core.system.processes import how_it_ended
from core.system.tasks import TaskGuard
from core.system.text import clean_line

START_S = 45.0
ANSWER_S = 10.0
STOP_S = 15.0
INTERRUPT_S = 5.0
REAP_S = 5.0
LOOK_S = 1.0


class LoadRun:
    """One Locust of ours; `async with` starts it and stops it. One task reads its lines and changes what is here.

    Its public methods are those of `Load`, hence their number.
    """

    def __init__(self, profile: LoadProfile, settings: LocustSettings):
        self.profile = profile
        self.settings = settings
        self.shape = ""
        self._web_port: int | None = None
        self._locust: LocustProcess | None = None
        self._guard = TaskGuard("load")
        self._reading: asyncio.Task[None] | None = None
        self._clock = RunClock()
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[str | None]] = {}
        self._feed = Feed()
        self._begun = asyncio.Event()
        self._why = ""
        self._how = LoadOutcome.EXITED
        self._failure: QuarterdeckError | None = None

    async def __aenter__(self) -> Self:
        """Returns when the first users have been asked for."""
        command.check(self.profile, self.settings)
        await command.answers(self.settings.url)
        if self.settings.web:
            self._web_port = command.page_port(self.settings.web_port)
        folder, begun = self.settings.folder, False
        call = command.command(self.profile, self.settings, self._web_port)
        try:
            variables = partial(command.environment, self.profile, self.settings)
            self._locust = await LocustProcess.start(call, variables, folder / OUTPUT, folder / LOG)
            self._reading = self._guard.start(self._read(self._locust), "read what Locust says")
            async with asyncio.timeout(START_S):
                await self._begun.wait()
            begun = self._failure is None
            self._guard.start(self._watch(self._locust), "watch for a sign of life")
        except TimeoutError:
            said = command.last_line(folder / LOG)
            self._failure = Failed(f"Locust did not start within {START_S:g} s: {said} ({folder / LOG})")
        finally:
            if not begun:
                await self.close()
        if self._failure:
            raise self._failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self.stop()
        finally:
            await self.close()

    async def _read(self, locust: LocustProcess) -> None:
        """Everything Locust says, then how it ended."""
        log = self.settings.folder / LOG
        try:
            code = await locust.follow(self._take)
            if not self._why and not self._failure:
                how = f"was {how_it_ended(code)}" if code < 0 else f"left with {how_it_ended(code)}"
                said = f"Locust {how}; its last words: {command.last_line(log)} ({log})"
                self._end(LoadOutcome.KILLED if code < 0 else LoadOutcome.EXITED, said)
                if not self._begun.is_set():
                    self._failure = (Killed if code == -signal.SIGKILL else Failed)(said)
        except ValueError as error:
            said = f"Locust sent a line that is none of ours: {clean_line(str(error))} ({log})"
            self._end(LoadOutcome.EXITED, said)
            self._failure = None if self._begun.is_set() else Failed(said)
        finally:
            self._feed.end()
            self._begun.set()
            for asked in self._asked.values():
                asked.cancel()

    def _end(self, how: LoadOutcome, why: str) -> None:
        """The first that knows of its end says how it was."""
        if not self._why:
            self._how, self._why = how, why

    async def _watch(self, locust: LocustProcess) -> None:
        """Locust may hang as it may die: whoever hangs is killed, and the run has ended."""
        while not self._feed.over:
            await asyncio.sleep(LOOK_S)
            if why := self._clock.look():
                self._end(LoadOutcome.HUNG, why)
                locust.signal(signal.SIGKILL)

    def _take(self, line: Line) -> None:
        self._clock.heard()
        match line["kind"]:
            case "tick":
                self._feed.add(sample_of(line))
            case "reset":
                self._feed.reset()
            case "answer":
                if not (asked := self._asked.pop(line["id"])).done():
                    asked.set_result(line["refused"])
            case "started":
                self.shape = clean_line(line["shape"])
                self._clock.begin(None if self.shape else self.profile.duration_s)
                self._begun.set()
            case "failed":
                said = clean_line(line["text"])
                self._failure = BadInput(f"{self.settings.locustfile or command.SHIPPED}: {said}")
            case "ending":
                self._clock.ending()
            case "ended" if self._begun.is_set():
                self._end(LoadOutcome(line["how"]), clean_line(line["why"]))

    @property
    def web_url(self) -> str | None:
        """Where Locust's own page is, if it is open."""
        return None if self._web_port is None else f"http://{command.HERE}:{self._web_port}"

    @property
    def pid(self) -> int | None:
        """Locust's process; None before it was started."""
        return self._locust.pid if self._locust else None

    async def begun(self) -> None:
        """Until the first users have been asked for, or it has failed to."""
        await self._begun.wait()

    def samples(self) -> AsyncIterator[Sample]:
        """One a second; ends when the run has ended."""
        return self._feed.samples()

    async def users(self, count: int, spawn_rate: float | None = None) -> None:
        """Ask for so many users, at so many more (or fewer) a second; `Refused` where a shape decides."""
        if count < 0 or (spawn_rate is not None and not 0 < spawn_rate < float("inf")):
            raise BadInput(f"load: {count} users at {spawn_rate} a second can't be had")
        await self._ask("users", users=count, spawn_rate=spawn_rate)

    async def pause(self) -> None:
        """No users until `resume`. The run's clock stands still."""
        await self._ask("pause")
        self._clock.pause()

    async def resume(self) -> None:
        """As many users as before the pause, or as were asked for since."""
        await self._ask("resume")
        self._clock.resume()

    async def reset(self) -> None:
        """Count anew, here and in Locust's own files."""
        await self._ask("reset")

    async def _ask(self, do: str, **fields: Any) -> None:
        if self._locust is None or self._feed.over:
            raise Refused(f"load: it does not run, so there is nothing to {do}")
        number = next(self._numbers)
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        self._locust.say({"id": number, "do": do, **fields})
        await asyncio.wait({asked}, timeout=ANSWER_S)
        if not asked.done():
            raise Unreachable(f"load: Locust did not answer to {do!r} within {ANSWER_S:g} s")
        if asked.cancelled():
            raise Refused(f"load: it ended before it could {do}")
        if refused := asked.result():
            raise Refused(f"load: {refused}")

    async def stop(self) -> None:
        """End it now; returns when it has ended and its files are written. Nothing makes this wait for ever."""
        if self._locust is None or self._feed.over:
            return
        with suppress(Refused, Unreachable):
            await self._ask("stop")
        for patience_s, harder in ((STOP_S, signal.SIGINT), (INTERRUPT_S, signal.SIGKILL), (REAP_S, None)):
            try:
                async with asyncio.timeout(patience_s):
                    await self._feed.wait()
            except TimeoutError:
                if harder is not None:
                    self._how = LoadOutcome.HUNG
                    self._why = f"it did not stop within {patience_s:g} s and was sent {harder.name}"
                    self._locust.signal(harder)
            else:
                return

    async def wait(self) -> LoadResult:
        """What it came to and how it ended, once it has. Being cancelled here leaves it running."""
        await self._feed.wait()
        files = tuple(file for name in ARTIFACTS if (file := self.settings.folder / name).exists())
        code = self._locust.exit_code if self._locust else 0
        clock = self._clock
        return LoadResult(self._feed.total, clock.ran_s, files, self._why, self._how, clock.wanted_s, code)

    async def close(self) -> None:
        """Let go at once: what still runs is killed."""
        if self._locust is None:
            return
        if self._reading is not None and not self._feed.over:
            self._end(LoadOutcome.STOPPED, "it was cut off")
            self._locust.signal(signal.SIGKILL)
            await asyncio.wait({self._reading}, timeout=REAP_S)
        await self._guard.close(REAP_S)
        await self._locust.hang_up()


async def start(profile: LoadProfile, settings: LocustSettings) -> LoadRun:
    """A load in the background: it runs until its time is up, or it is stopped or closed."""
    return await LoadRun(profile, settings).__aenter__()
