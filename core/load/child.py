"""A load: Locust as a child process, steered while it runs, its figures as samples."""

import asyncio
import itertools
import json
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, Process
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from core.errors import BadInput, Failed, QuarterdeckError, Refused, Unreachable
from core.histogram import Histogram
from core.load import command
from core.load.command import ARTIFACTS, LOG, OUTPUT, LoadSettings
from core.model import LoadProfile, Sample

START_S = 45.0
ANSWER_S = 10.0
STOP_S = 15.0
INTERRUPT_S = 5.0
REAP_S = 5.0
KEEP = 900
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a run came to, since its last reset. `artifacts` are the files that there are; `why` says why it ended.

    `exit_code` is Locust's own: a locustfile can set it to say that it is not content.
    """

    total: Sample
    duration_s: float
    artifacts: tuple[Path, ...]
    why: str
    exit_code: int = 0


class Load(Protocol):
    """A load that runs, wherever it does."""

    @property
    def web_url(self) -> str | None:
        """Where Locust's own page is, if it is open."""
        ...

    def samples(self) -> AsyncIterator[Sample]:
        """One a second; ends when the run has ended."""
        ...

    async def users(self, count: int, spawn_rate: float | None = None) -> None:
        """Ask for so many users, at so many more a second; `Refused` where a shape decides."""
        ...

    async def pause(self) -> None:
        """No users until `resume`. The run's clock stands still."""
        ...

    async def resume(self) -> None:
        """As many users as before the pause."""
        ...

    async def reset(self) -> None:
        """Count anew."""
        ...

    async def stop(self) -> None:
        """End it now; returns when it has ended and its files are written."""
        ...

    async def wait(self) -> LoadResult:
        """What it came to, once it has ended."""
        ...

    async def close(self) -> None:
        """Let go at once."""
        ...


class LoadRun:
    """One Locust of ours. Everything about it is changed by one task, the one that reads its lines."""

    def __init__(self, profile: LoadProfile, settings: LoadSettings):
        self.profile = profile
        self.settings = settings
        self.shape = ""
        self._web_port: int | None = None
        self._process: Process
        self._writer: asyncio.StreamWriter
        self._reading: asyncio.Task[None] | None = None
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[str | None]] = {}
        self._kept: deque[Sample] = deque(maxlen=KEEP)
        self._seen = 0
        self._news = asyncio.Event()
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self._total = Sample(None, at=0.0, seconds=0.0)
        self._why = ""
        self._failure: QuarterdeckError | None = None

    async def __aenter__(self) -> Self:
        """Returns when the first users have been asked for."""
        command.check(self.profile, self.settings)
        await command.answers(self.settings.url)
        if self.settings.web:
            self._web_port = command.free_port(self.settings.web_port)
        try:
            await self._launch()
            await asyncio.wait_for(self._begun.wait(), START_S)
        except TimeoutError:
            said = command.last_line(self.settings.folder / LOG)
            await self.close()
            raise Failed(f"Locust did not start within {START_S:g} s: {said}") from None
        except BaseException:
            await self.close()
            raise
        if self._failure:
            failure = self._failure
            await self.close()
            raise failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self.stop()
        finally:
            await self.close()

    async def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = await self._spawn(theirs.fileno())
            except BaseException:
                ours.close()
                raise
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE)
        self._reading = asyncio.create_task(self._read(reader), name="load")

    async def _spawn(self, fd: int) -> Process:
        folder = self.settings.folder
        call = command.command(self.profile, self.settings, self._web_port)
        said, logged = (os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) for name in (OUTPUT, LOG))
        try:
            return await asyncio.create_subprocess_exec(
                *call,
                env=command.environment(self.profile, self.settings, fd),
                pass_fds=(fd,),
                stdin=DEVNULL,
                stdout=said,
                stderr=logged,
                start_new_session=True,
            )
        finally:
            os.close(said)
            os.close(logged)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Every line until Locust lets go of the wire, then how it ended."""
        try:
            with suppress(ConnectionError):
                while line := await reader.readline():
                    self._take(json.loads(line))
            try:
                code = await asyncio.wait_for(self._process.wait(), STOP_S)
            except TimeoutError:
                self._signal(signal.SIGKILL)
                code = await self._process.wait()
            if not self._why and not self._failure:
                self._failure = self._death(code)
        finally:
            self._over.set()
            self._begun.set()
            self._tell()
            for asked in self._asked.values():
                asked.cancel()

    def _death(self, code: int) -> QuarterdeckError:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"left with exit code {code}"
        log = self.settings.folder / LOG
        return Failed(f"Locust {how}; its last words: {command.last_line(log)} ({log})")

    def _take(self, line: Mapping[str, Any]) -> None:
        match line["kind"]:
            case "tick":
                sample = sample_of(line)
                self._total = sample if not self._total.at else self._total + sample
                self._kept.append(sample)
                self._seen += 1
                self._tell()
            case "reset":
                self._total = Sample(None, at=0.0, seconds=0.0)
            case "answer":
                if not (asked := self._asked.pop(line["id"])).done():
                    asked.set_result(line["refused"])
            case "started":
                self.shape = line["shape"]
                self._begun.set()
            case "failed":
                self._failure = BadInput(f"{self.settings.locustfile or command.SHIPPED}: {line['text']}")
            case "ended" if self._begun.is_set():
                self._why = line["why"]

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @property
    def web_url(self) -> str | None:
        """Where Locust's own page is, if it is open."""
        return None if self._web_port is None else f"http://{command.HERE}:{self._web_port}"

    async def samples(self) -> AsyncIterator[Sample]:
        """One a second; ends when the run has ended. Each caller gets them all, up to the last `KEEP`."""
        given = 0
        while True:
            given = max(given, self._seen - len(self._kept))
            while given < self._seen:
                given += 1
                yield self._kept[given - 1 - (self._seen - len(self._kept))]
                given = max(given, self._seen - len(self._kept))
            if self._over.is_set():
                return
            await self._news.wait()

    async def users(self, count: int, spawn_rate: float | None = None) -> None:
        """Ask for so many users, at so many more a second; `Refused` where a shape decides."""
        if count < 0 or (spawn_rate is not None and not 0 < spawn_rate < float("inf")):
            raise BadInput(f"load: {count} users at {spawn_rate} a second can't be had")
        await self._ask("users", users=count, spawn_rate=spawn_rate)

    async def pause(self) -> None:
        """No users until `resume`. The run's clock stands still."""
        await self._ask("pause")

    async def resume(self) -> None:
        """As many users as before the pause."""
        await self._ask("resume")

    async def reset(self) -> None:
        """Count anew, here and in Locust's own files."""
        await self._ask("reset")

    async def _ask(self, do: str, **fields: Any) -> None:
        if self._over.is_set():
            raise Refused(f"load: there is nothing to {do}: it has ended")
        number = next(self._numbers)
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"id": number, "do": do, **fields}).encode() + b"\n")
        await asyncio.wait({asked}, timeout=ANSWER_S)
        if not asked.done():
            raise Unreachable(f"load: Locust did not answer to {do!r} within {ANSWER_S:g} s")
        if asked.cancelled():
            raise Refused(f"load: it ended before it could {do}")
        if refused := asked.result():
            raise Refused(f"load: {refused}")

    async def stop(self) -> None:
        """End it now; returns when it has ended and its files are written. Nothing can make this wait for ever."""
        if self._over.is_set():
            return
        with suppress(Refused, Unreachable):
            await self._ask("stop")
        for patience_s, harder in ((STOP_S, signal.SIGINT), (INTERRUPT_S, signal.SIGKILL), (REAP_S, None)):
            try:
                await asyncio.wait_for(self._over.wait(), patience_s)
            except TimeoutError:
                if harder is not None:
                    self._why = f"it did not stop within {patience_s:g} s and got {harder.name}"
                    self._signal(harder)
            else:
                return

    async def wait(self) -> LoadResult:
        """What it came to, once it has ended; `Failed` where Locust died."""
        await self._over.wait()
        if self._failure:
            raise self._failure
        files = tuple(file for name in ARTIFACTS if (file := self.settings.folder / name).exists())
        code = self._process.returncode or 0
        return LoadResult(self._total, self._total.seconds, files, self._why, code)

    async def close(self) -> None:
        """Let go at once: what still runs is killed."""
        if self._reading is None:
            return
        if not self._over.is_set():
            self._why = self._why or "it was cut off"
            self._signal(signal.SIGKILL)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), REAP_S)
        self._reading.cancel()
        await asyncio.wait({self._reading})
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def _signal(self, which: signal.Signals) -> None:
        """To Locust and its workers, while their leader's number is still its own."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, which)


def sample_of(line: Mapping[str, Any]) -> Sample:
    """One line of the reporter as a sample."""
    counts = {int(index): count for index, count in line["counts"].items()}
    return Sample(
        slot=None,
        at=line["at"],
        ok=line["ok"],
        failed=line["failed"],
        users=line["users"],
        latency=Histogram(counts, line["sum_ms"], line["min_ms"], line["max_ms"]),
        mix=line["mix"],
        seconds=line["seconds"],
    )


async def start(profile: LoadProfile, settings: LoadSettings) -> LoadRun:
    """A load that runs in the background until its time is up, it is stopped, or it is closed."""
    return await LoadRun(profile, settings).__aenter__()
