"""The host's ear: takes messages from its socket, hands them to the endpoint, answers."""

import asyncio
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.domain.errors import QuarterdeckError, Unreachable
from core.state.codec import noun, plain
from core.targets.local import wire
from core.targets.local.endpoint import LocalEndpoint
from core.targets.local.spec import EndpointSpec, write_key


class Server:
    """Answers on a unix socket. Sets `stopping` when the host is to end, `stopped` when all has been ended."""

    def __init__(self, endpoint: LocalEndpoint) -> None:
        self.endpoint = endpoint
        self.stopping = asyncio.Event()
        self.stopped = False
        self._started_at = time.time()
        self._server: asyncio.Server | None = None
        self._lock = asyncio.Lock()
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, over a socket that an earlier host may have left."""
        path = wire.host_socket(self.endpoint.spec.folder)
        path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._talk, str(path), limit=wire.LIMIT_BYTES)
        finally:
            os.umask(mask)

    async def close(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        wire.host_socket(self.endpoint.spec.folder).unlink(missing_ok=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        if talk is not None:
            self._talks.add(talk)
            talk.add_done_callback(self._talks.discard)
        try:
            while text := await reader.readline():
                message = json.loads(text)
                if message["do"] == "watch":
                    await self._watch(reader, writer)
                    return
                writer.write(wire.line(await self._answer(message)))
                await writer.drain()
        except (ConnectionError, ValueError) as error:
            writer.write(wire.line(wire.failure(Unreachable(f"not understood: {error}"))))
        except asyncio.CancelledError:
            return  # The host is ending.
        finally:
            writer.close()

    async def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            if message["do"] == "status":
                return self._status().to_json()
            if message["do"] == "stop":
                return await self._stop()
            async with self._lock:
                await self._change(message)
        except QuarterdeckError as error:
            return wire.failure(error)
        except OSError as error:
            # A full disk or a folder that may not be written: it may have happened, and will not outlive the host.
            folder = self.endpoint.spec.folder
            why = f"the host can't keep its state in {folder}: {error.strerror or error}; make room and ask again"
            return wire.failure(Unreachable(f"{message['do']}: {why}"))
        return {}

    async def _change(self, message: dict[str, Any]) -> None:
        endpoint = self.endpoint
        endpoint.fence(message["token"])
        match message["do"]:
            case "apply":
                folder, key = endpoint.spec.folder, message["key"]
                endpoint.adopt(EndpointSpec.from_json(message["spec"], folder, key))
                write_key(folder, key)
                version = noun(message["version"])
                await endpoint.apply(message["slot"], version, Path(message["model"]), message["replicas"])
            case "route":
                await endpoint.route(message["weights"], message["mirror"])
            case "remove":
                await endpoint.remove(message["slot"])
            case other:
                raise Unreachable(f"{other}: the host of {endpoint.spec.endpoint} does not know this; restart it")

    async def _stop(self) -> dict[str, Any]:
        async with self._lock:
            if not self.stopped:
                self.stopped = True
                await self.endpoint.stop(forget=True)
                self.stopping.set()
        return {}

    def _status(self) -> wire.HostStatus:
        endpoint = self.endpoint
        return wire.HostStatus(
            endpoint=endpoint.spec.endpoint,
            folder=endpoint.spec.folder,
            alive=True,
            pid=os.getpid(),
            url=f"http://{endpoint.spec.host}:{endpoint.state.port}",
            slots=tuple(endpoint.broadcast.slots.values()),
            started_at=self._started_at,
        )

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell everything until the other side hangs up."""
        queue = self.endpoint.broadcast.read()
        telling = asyncio.create_task(self._tell(queue, writer))
        try:
            # Nothing more is said to a watch, so whatever comes means that it is over.
            await reader.read(1)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            self.endpoint.broadcast.leave(queue)

    async def _tell(self, queue: "asyncio.Queue[Any]", writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while (report := await queue.get()) is not None:
                writer.write(wire.line(plain(report)))
                await writer.drain()
        writer.close()
