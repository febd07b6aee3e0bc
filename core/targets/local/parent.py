"""The host's hand on a warmed parent: starts it or finds it again, tells it what to fork, hears what became of it.

They talk over a unix socket. A parent that dies, or gives no sign of life, is `lost`; its replicas go on, and are
watched from here by their process ids until they have been replaced.
"""

import asyncio
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.domain.errors import Failed
from core.system.processes import ProcessId, child_environment, how_it_ended, python
from core.system.unanswered import AnswerWatch
from core.targets.local import records
from core.targets.local.child import Child
from core.targets.local.detached import Detached
from core.targets.local.logs import last_line
from core.targets.local.spec import EndpointSpec, socket_path

LOAD_S = 60.0
END_S = 5.0
PING_S = 1.0
SIGNS = 3
HANGS_S = SIGNS * PING_S
"""It does nothing that takes long once the model is loaded: without an answer to so many questions it hangs."""
LIMIT_BYTES = 8 << 20
ASK_AGAIN_S = 0.5


class NotAgain(Failed):
    """Another replica was refused for this a moment ago, and it has been said."""


class Parent:
    """The warmed parent of one pool, kept in the pool's folder. `lost` is told why once it is no more."""

    def __init__(self, folder: Path, pool: Path, log: Path, lost: Callable[[str], None]) -> None:
        self.log = log
        self.resting: frozenset[str] = frozenset()
        self.children: dict[str, Child] = {}
        self._folder = folder
        self._pool = pool
        self._socket = socket_path(folder, f"{pool.name}.sock")
        self._lost = lost
        self._lock = asyncio.Lock()
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.Task[None] | None = None
        self._detached = Detached(None)
        self._stopping = False
        self._refusal = (-ASK_AGAIN_S, "")

    @property
    def connected(self) -> bool:
        """Whether it hears what it is told."""
        return self._writer is not None

    def forget_refusal(self) -> None:
        """A model that could not be loaded a moment ago may be another one now."""
        self._refusal = (-ASK_AGAIN_S, "")

    async def fork(self, name: str, port: int, restarts: int, spec: EndpointSpec) -> Child:
        """A new replica that will listen on a port; raises Failed when the model can't be loaded."""
        async with self._lock:
            if not self.connected:
                refused_s, why = self._refusal
                if time.monotonic() < refused_s + ASK_AGAIN_S:
                    raise NotAgain(why)
                await self._start()
            child = self.children[name] = Child(name, port, restarts)
            settings = {"host": "127.0.0.1", "port": port, "key": spec.key, "drain_s": spec.drain_s}
            log = str(self._folder / "logs" / f"{name}.log")
            self.tell("fork", name, port=port, restarts=restarts, log=log, settings=settings)
            return child

    def tell(self, do: str, name: str = "", **more: Any) -> None:
        """Send a command; one whose child has gone is not heard."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write((json.dumps({"do": do, "name": name, **more}) + "\n").encode())

    async def adopt(self) -> bool:
        """Find a parent again that an earlier host has started; False where none answers."""
        record = records.read(self._pool / "parent.json")
        self._detached = Detached(records.process_in(record))
        if not self._detached.alive:
            return False
        try:
            await self._connect(HANGS_S if record.get("loaded") else LOAD_S)
        except (OSError, Failed):
            await self._detached.kill()
            return False
        return True

    async def stop(self) -> None:
        """End the parent, and with it any replica that is left."""
        self._stopping = True
        self.tell("stop")
        if self._reader is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await asyncio.shield(self._reader)
        await self._detached.kill()
        await self.leave()

    async def leave(self) -> None:
        """Let go: parent and replicas go on without this host."""
        self._stopping = True
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        self._hang_up()

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _start(self) -> None:
        """Run a new parent; raises Failed with what it says against the model."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            self._socket.unlink(missing_ok=True)
            listener.bind(str(self._socket))
            self._socket.chmod(0o600)
            listener.listen(4)
            number = listener.fileno()
            command = python("core.targets.local.zygote", str(self._folder), str(self._pool), str(number))
            self._detached = await Detached.run(command, self.log, environment=child_environment(), fds=(number,))
        try:
            await self._connect(LOAD_S)
        except (OSError, Failed) as error:
            await self._detached.kill()
            why = (
                str(error)
                if isinstance(error, Failed)
                else last_line(self.log) or await self._detached.ends() or "it ended"
            )
            self._refusal = (time.monotonic(), why)
            raise Failed(why) from error

    async def _connect(self, within_s: float) -> None:
        """Connect and hear what there is; raises Failed with what it says, OSError where it does not answer."""
        writer = None
        try:
            async with asyncio.timeout(within_s):
                reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=LIMIT_BYTES)
                line = await reader.readline()
        except TimeoutError as error:
            if writer is not None:
                writer.close()
            raise Failed(f"it took longer than {within_s:g} s") from error
        if not line:
            writer.close()
            raise ConnectionResetError("it ended")
        hello = json.loads(line)
        if hello["failed"]:
            writer.close()
            raise Failed(hello["failed"])
        self._writer = writer
        self.children = {one["name"]: Child.from_json(one) for one in hello["replicas"]}
        self._reader = asyncio.create_task(self._read(reader), name=f"parent of {self._pool.name}")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Hear reports until it ends or hangs; asked each second for a sign of life."""
        pinging = asyncio.create_task(self._ping(), name=f"ping {self._pool.name}")
        why, silent = "", 0
        try:
            while not why:
                watch = AnswerWatch((self._detached.process.pid if self._detached.process else 0, None))
                try:
                    async with asyncio.timeout(PING_S):
                        line = await reader.readline()
                except TimeoutError:
                    # Where this host itself was stopped for long, that is one question without an answer, no more.
                    watch.look(PING_S)
                    silent += not watch.starved
                    why = f"it hangs: no sign of life for {HANGS_S:g} s" if silent >= SIGNS else ""
                    continue
                if not line:
                    break
                silent = 0
                self._hear(json.loads(line))
        except ConnectionError:
            pass  # It ended with something left to read.
        except (OSError, ValueError, KeyError) as error:
            why = f"it can't be understood ({type(error).__name__}: {error})"
        finally:
            pinging.cancel()
        self._hang_up()
        await self._detached.kill()
        why = why or await self._detached.ends() or "nobody saw how"
        if not self._stopping:
            self._orphan(why)

    async def _ping(self) -> None:
        while True:
            self.tell("ping")
            await asyncio.sleep(PING_S)

    def _orphan(self, why: str) -> None:
        """Its replicas go on; what was only about to serve does not."""
        self.resting = frozenset()
        for child in list(self.children.values()):
            if not child.live.done():
                record = records.read(records.replica_record(self._pool, child.name))
                child.process = child.process or records.process_in(record)
                child.kill()
                child.end(f"its parent ended: {why}")
                del self.children[child.name]
        self._lost(why)

    def _hear(self, report: dict[str, Any]) -> None:
        match report:
            case {"pong": True, "resting": list(names)}:
                self.resting = frozenset(names)
            case {"forked": str(name), "process": dict(process)} if name in self.children:
                self.children[name].process = ProcessId.from_json(process)
            case {"live": str(name)} if name in self.children and not self.children[name].live.done():
                self.children[name].worker = report.get("worker")
                self.children[name].live.set_result(True)
            case {"ended": {"name": str(name), "code": int(code)}} if name in self.children:
                records.replica_record(self._pool, name).unlink(missing_ok=True)
                self.children.pop(name).end(how_it_ended(code))
