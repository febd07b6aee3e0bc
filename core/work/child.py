"""The engine's side of the work child: start it warm, hand it jobs, kill it. Imports nothing heavy."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TypeAlias

from core.config.settings import Settings
from core.domain.errors import Failed, Killed
from core.system.processes import child_environment, how_it_ended, python
from core.system.text import clean, clean_line
from core.work.job import Broken, Done, Job, OutputLine, Progress, Said, decode
from core.work.signs_of_life import SignsOfLife

__all__ = ["Done", "Job", "OutputLine", "Progress", "WorkChild"]

STEP_DEADLINE_S = 900.0
"""For every step but train, which has its own in the settings."""
CLOSE_DEADLINE_S = 2.0
KILL_DEADLINE_S = 5.0
FULL_BYTES = 1 << 20
LONGEST_LINE = 2**24

QUIET = {
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A thread of OpenMP that waits would spin on a core that a replica could use.
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONUNBUFFERED": "1",
}
"""Set for the child where the user has not set them."""

_End: TypeAlias = None


class WorkChild:
    """One child process that runs the steps of a release one after another.

    With settings it warms up the registry too. `environ` is the child's, in place of this process's. After `cancel`, or
    when it dies, the next `run` starts another.
    """

    module = "core.work.worker"

    def __init__(self, settings: Settings | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._environ = os.environ if environ is None else environ
        self._process: asyncio.subprocess.Process | None = None
        self._pumps: tuple[asyncio.Task[None], ...] = ()
        self._heard: asyncio.Queue[Said | _End] | None = None
        self._last_words: deque[str] = deque(maxlen=20)
        self._log: Path | None = None
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Of the child that runs; None without one."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the child; it imports its libraries by itself, nobody waits for that."""
        async with self._starting:
            # A child whose words have ended is dead, also while nobody has waited for it yet.
            if self.pid is None or any(pump.done() for pump in self._pumps[:1]):
                await self._kill()
                await self._spawn()

    async def _spawn(self) -> None:
        self._last_words.clear()
        arguments = ["--warm", self._settings.dump()] if self._settings else []
        self._process = process = await asyncio.create_subprocess_exec(
            *python(self.module, str(os.getpid()), *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(self._environ),
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101 - asked for above
        assert process.stderr is not None  # noqa: S101
        errors = asyncio.create_task(self._hear_errors(process.stderr), name="work child's stderr")
        words = asyncio.create_task(self._hear_words(process.stdout, errors), name="work child's words")
        self._pumps = (words, errors)

    async def run(self, job: Job) -> AsyncIterator[Progress | OutputLine | Done]:
        """Run a step; the last thing that comes is Done. Raises what the child says went wrong, Failed if it dies.

        Whoever stops listening before the end kills the child, as `cancel` does.
        """
        if self._heard is not None:
            raise RuntimeError(f"{job.step}: the work child is busy with another step")
        deadline_s = job.settings.train.deadline_s if job.step == "train" else STEP_DEADLINE_S
        until = asyncio.get_running_loop().time() + deadline_s
        heard: asyncio.Queue[Said | _End] = asyncio.Queue(maxsize=10_000)
        self._heard = heard
        self._log = job.folder / "work.log"
        ended = False
        try:
            _make(job)
            await self.start()
            await self._send(job)
            signs = SignsOfLife(job.step, asyncio.get_running_loop().time())
            while not ended:
                said = await self._next(heard, until, job.step, signs)
                if said is None:
                    raise await self._obituary(job.step)
                ended = isinstance(said, Done | Broken)
                if ended:
                    # Before it is said: who has heard the end may ask for the next step at once.
                    self._heard = None
                if isinstance(said, Broken):
                    raise _full(job) or said.error()
                yield said
        except TimeoutError:
            raise Failed(f"{job.step}: not done within {deadline_s:g} s, so it was stopped") from None
        finally:
            if not ended:
                self._heard = None
                await self.cancel()

    async def _next(
        self, heard: "asyncio.Queue[Said | _End]", until: float, step: str, signs: SignsOfLife
    ) -> Said | _End:
        """What the child says next. Raises TimeoutError at the deadline, by the loop's time, and Killed if it hangs."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(min(until, signs.due_s)):
                    said = await heard.get()
                signs.spoke(loop.time(), isinstance(said, Progress) and said.again)
                return said
            except TimeoutError:
                if loop.time() >= until:
                    raise
            if why := await asyncio.to_thread(signs.missing, self.pid, loop.time()):
                raise Killed(f"{step}: the work process was ended, {why}")

    async def cancel(self) -> None:
        """Kill the child and all that it started, at once; a step that somebody still listens to raises Failed."""
        await self._kill()
        if self._heard is not None:
            while not self._heard.empty():
                self._heard.get_nowait()
            self._heard.put_nowait(None)

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        # A large one takes the kernel a while on a busy machine; nothing of it runs any more.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_DEADLINE_S):
                await process.wait()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        self._pumps = ()

    async def close(self) -> None:
        """Let the child go: it ends by itself when it is idle, and is killed when it is not."""
        process = self._process
        if process is not None and process.stdin is not None and self._heard is None:
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_DEADLINE_S):
                    await process.wait()
        await self.cancel()

    async def _send(self, job: Job) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise Failed(f"{job.step}: the work process is gone before it began")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its end says why, a line later
            process.stdin.write(job.dump().encode() + b"\n")
            await process.stdin.drain()

    async def _hear_words(self, stream: asyncio.StreamReader, errors: asyncio.Task[None]) -> None:
        """What the child says by the protocol; at its end first all of stderr, then the end."""
        try:
            while line := await stream.readline():
                said = decode(line.decode())
                if isinstance(said, OutputLine):
                    self._write(said.text)
                await self._pass_on(said)
            await asyncio.wait({errors}, timeout=KILL_DEADLINE_S)
        except ValueError as error:
            # A line without an end, or one of another protocol: the step must not be waited for any longer.
            self._last_words.append(clean(f"it said what nobody understands: {error}"))
        await self._pass_on(None)

    async def _hear_errors(self, stream: asyncio.StreamReader) -> None:
        """What libraries print: into work.log, and as lines; a warning of theirs only into work.log."""
        while line := await stream.readline():
            text = clean(line.decode(errors="replace")).rstrip().replace("\n", " ")
            if not text:
                continue
            self._write(text)
            if text.startswith("\t"):
                continue
            self._last_words.append(clean_line(text))
            await self._pass_on(OutputLine(clean_line(text)))

    async def _pass_on(self, said: Said | _End) -> None:
        if self._heard is not None:
            await self._heard.put(said)

    def _write(self, text: str) -> None:
        if self._log is not None:
            with contextlib.suppress(OSError), self._log.open("a") as log:  # a full disk ends the step, not its log
                log.write(text.lstrip("\t") + "\n")

    async def _obituary(self, step: str) -> Failed:
        """Why the child is gone, with its last line."""
        process = self._process
        if process is None:
            return Failed(f"{step}: stopped")
        async with asyncio.timeout(KILL_DEADLINE_S):
            code = await process.wait()
        how = f"the work process ended, {how_it_ended(code)}"
        said = f"{how}: {self._last_words[-1]}" if self._last_words else f"{how} without a word"
        return Killed(f"{step}: {said}") if code == -signal.SIGKILL else Failed(f"{step}: {said}")


def _full(job: Job) -> Failed | None:
    """Libraries say in many ways that a file could not be written; on a full disk that is the reason."""
    if not job.folder.exists() or shutil.disk_usage(job.folder).free >= FULL_BYTES:
        return None
    return Failed(f"{job.step}: no space left in {job.folder}; free some and release again")


def _make(job: Job) -> None:
    """The step's folder. Raises Failed where it can't be written."""
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(f"{job.step}: {error.strerror}: {job.folder}; free the place or make it writable") from error


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """As given, quiet where it asks for nothing else; training may use every core."""
    environment = child_environment({name: word for name, word in QUIET.items() if name not in given}, given)
    if "OMP_NUM_THREADS" not in given:
        del environment["OMP_NUM_THREADS"]
    return environment
