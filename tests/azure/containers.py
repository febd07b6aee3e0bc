"""The instances of a deployment: a program of this machine each, or a pretence.

Never recorded: what a container's log says. A program is taken where the environment's image is named in `programs`;
else Azure's own way with a scoring script (`init` and `run`, in `inference.py`) where code was uploaded; else `python
-m scoring` where the model's files hold one of ours; else it pretends. The packages are those of this machine's
environment.
"""

import asyncio
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.ports import free_port

HOME = Path(__file__).parents[2]
LINES = 5000


@dataclass(frozen=True, slots=True)
class ContainerProgram:
    """In the words of its command `{port}`, `{model}` and `{code}` stand for what a deployment has."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    live: str = "/"
    score: str = "/score"


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """What an instance runs; without a program it pretends."""

    program: ContainerProgram | None
    environment: Mapping[str, str]
    model: Path | None = None
    code: Path | None = None
    ready_s: float = 60.0
    period_s: float = 0.1


SCRIPT = ContainerProgram((sys.executable, "-P", "-m", "tests.azure.inference", "--port", "{port}", "{code}"))
FOLDER = ContainerProgram((sys.executable, "-P", "-m", "scoring", "{model}", "--port", "{port}"), live="/health/live")


class ServingContainer:
    """One instance. `lines` is its log; it is started again where it ends by itself."""

    def __init__(self, plan: ContainerPlan, name: str) -> None:
        self.plan, self.name = plan, name
        self.lines: deque[str] = deque(maxlen=LINES)
        self.port = 0
        self.ready = False
        self.in_flight = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> bool:
        """Start it and wait; false where it ended or was not ready in time."""
        if self.plan.program is None:
            self.lines.extend((f"{self.name} pretends to serve", "GET / 200", "POST /score 200 22ms"))
            self.ready = True
            return True
        await self._begin(self.plan.program)
        self.ready = await self._answers(self.plan.program)
        if self.ready:
            self._keeper = asyncio.create_task(self._kept(self.plan.program))
        return self.ready

    async def _begin(self, program: ContainerProgram) -> None:
        self.port = free_port()
        words = {"port": self.port, "model": self.plan.model or "", "code": self.plan.code or ""}
        said = {**os.environ, "PYTHONPATH": str(HOME), "PYTHONUNBUFFERED": "1", **program.environment}
        self._process = await asyncio.create_subprocess_exec(
            *(one.format(**words) for one in program.command),
            env={**said, **self.plan.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read(self._process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self.lines.append(line.decode(errors="replace").rstrip("\n"))

    async def _answers(self, program: ContainerProgram) -> bool:
        assert self._process is not None
        url = f"http://127.0.0.1:{self.port}{program.live}"
        with suppress(TimeoutError):
            async with asyncio.timeout(self.plan.ready_s), aiohttp.ClientSession() as client:
                while self._process.returncode is None:
                    with suppress(aiohttp.ClientError, OSError):
                        async with client.get(url) as answer:
                            if answer.status < 400:
                                return True
                    await asyncio.sleep(self.plan.period_s)
        return False

    async def _kept(self, program: ContainerProgram) -> None:
        while self._process is not None:
            await self._process.wait()
            self.ready = False
            self.lines.append("Worker terminated, restarting the container")
            await asyncio.sleep(self.plan.period_s)
            await self._begin(program)
            self.ready = await self._answers(program)

    def enter(self) -> None:
        """It has one request more."""
        self.in_flight += 1
        self.idle.clear()

    def leave(self) -> None:
        """It has one less."""
        self.in_flight -= 1
        if not self.in_flight:
            self.idle.set()

    def crash(self) -> None:
        """Kill its program, as a fault would."""
        if self._process is not None and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """End it."""
        self.ready = False
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await process.wait()
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)


def copied(source: Path, into: Path) -> Path:
    """The files of an upload where a container finds them; a folder keeps its name. Links, so that it is quick."""
    target = into / source.name
    if not target.exists():
        into.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, copy_function=os.link)
        else:
            os.link(source, target)
    return target
