"""The host's hand on a zygote: starts it, tells it what to fork, hears what became of its children."""

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.errors import Failed
from core.domain.model import Slot, Version
from core.targets.local.children import die_with_parent, environment, how_it_ended
from core.targets.local.logs import last_line
from core.targets.local.spec import EndpointSpec

LOAD_S = 60.0
END_S = 5.0


@dataclass(slots=True)
class Child:
    """One forked replica: `live` gives its process id once it serves, `ended` says how it ended."""

    name: str
    live: "asyncio.Future[int]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    ended: "asyncio.Future[str]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def begun(self) -> None:
        """Wait until it serves or has ended."""
        either: set[asyncio.Future[int] | asyncio.Future[str]] = {self.live, self.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)

    def end(self, why: str) -> None:
        """It has ended."""
        if not self.ended.done():
            self.ended.set_result(why)


class Parent:
    """The zygote of one version in one slot; started when a replica is first asked for, and again when it died."""

    def __init__(self, spec: EndpointSpec, slot: Slot, version: Version, model: Path) -> None:
        self.log = spec.folder / "logs" / f"{slot}-parent.log"
        self._spec = spec
        self._version = version
        self._model = model
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._loaded: asyncio.Future[str] | None = None
        self._children: dict[str, Child] = {}

    async def fork(self, name: str, port: int, spec: EndpointSpec) -> Child:
        """A new replica that will listen on a port; raises Failed when the model can't be loaded."""
        async with self._lock:
            if self._reader is None or self._reader.done():
                await self._start()
            child = Child(name)
            self._children[name] = child
            settings = {"host": "127.0.0.1", "port": port, "key": spec.key, "drain_s": spec.drain_s}
            self.tell("fork", name, log=str(spec.folder / "logs" / f"{name}.log"), settings=settings)
            return child

    def tell(self, do: str, name: str, **more: Any) -> None:
        """Send a command; one whose child has gone is not heard."""
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write((json.dumps({"do": do, "name": name, **more}) + "\n").encode())

    async def stop(self) -> None:
        """End the zygote, and with it any replica that is left."""
        process, reader = self._process, self._reader
        if process is None or reader is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await process.wait()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(reader, return_exceptions=True)

    async def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        version = self._version
        identity = {"model": version.model, "version": version.number, "run_id": version.run_id, "uri": version.uri}
        first = {"service": self._spec.service, "folder": str(self._model), "identity": identity}
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "core.targets.local.zygote"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=environment(),
                preexec_fn=die_with_parent,
            )
        self._process = process
        self._loaded = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(process, self._loaded), name=f"parent of {version.label}")
        assert process.stdin is not None  # noqa: S101  (asked for above)
        process.stdin.write((json.dumps(first) + "\n").encode())
        why = f"it took longer than {LOAD_S:g} s"
        with suppress(TimeoutError):
            async with asyncio.timeout(LOAD_S):
                why = await asyncio.shield(self._loaded)
        if why:
            with suppress(ProcessLookupError):
                process.kill()
            raise Failed(f"model {version.model} {version.label} does not load: {why}")

    async def _read(self, process: asyncio.subprocess.Process, loaded: "asyncio.Future[str]") -> None:
        """Hear reports until the zygote ends."""
        assert process.stdout is not None  # noqa: S101  (asked for in _start)
        why = "its parent ended"
        try:
            while line := await process.stdout.readline():
                self._hear(json.loads(line), loaded)
            code = await process.wait()
            why = f"its parent process ended: {how_it_ended(code)}"
        finally:
            if not loaded.done():
                loaded.set_result(last_line(self.log) or why)
            for child in self._children.values():
                child.end(why)
            self._children.clear()

    def _hear(self, report: dict[str, Any], loaded: "asyncio.Future[str]") -> None:
        match report:
            case {"loaded": True} if not loaded.done():
                loaded.set_result("")
            case {"failed": str(why)} if not loaded.done():
                loaded.set_result(why)
            case {"live": str(name), "pid": int(pid)} if name in self._children:
                live = self._children[name].live
                if not live.done():
                    live.set_result(pid)
            case {"ended": str(name), "code": int(code)} if name in self._children:
                self._children.pop(name).end(how_it_ended(code))
