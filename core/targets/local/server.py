"""The host's ear: takes a message from its socket, hands it to the endpoint, answers.

A connection carries one message. One that was hung up, or whose time is over, before its change was begun is dropped:
what somebody has given up must not be done later.
"""

import asyncio
import json
import os
import select
import time
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.errors import QuarterdeckError, Refused, Unreachable
from core.domain.model import Level, Noted
from core.state.codec import noun, plain
from core.system.clock import boottime_s
from core.targets.local import wire
from core.targets.local.endpoint import LocalEndpoint
from core.targets.local.spare import in_spare, put_by
from core.targets.local.spec import EndpointSpec, url_of

_HUNG_UP = select.POLLHUP | getattr(select, "POLLRDHUP", 0)


class GivenUpError(Exception):
    """Nobody waits for this any more."""


@dataclass(frozen=True, slots=True)
class HostCall:
    """A message and the connection that it came on."""

    message: Mapping[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def given_up(self) -> bool:
        """Whether its time is over, or whoever made it has gone, though what they said is still being read."""
        return _hung_up(self.writer) or boottime_s() > self.message.get("until_s", 1e18)


class Server:
    """Answers on a unix socket. Sets `stopping` when the host is to end, `stopped` when all has been ended."""

    def __init__(self, endpoint: LocalEndpoint) -> None:
        self.endpoint = endpoint
        self.stopping = asyncio.Event()
        self.stopped = False
        self._started_at = time.time()
        self._server: asyncio.Server | None = None
        self._lock = asyncio.Lock()
        self._renewing = asyncio.Lock()
        self._talks: set[asyncio.Task[None]] = set()
        self._watches: set[asyncio.StreamWriter] = set()

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
        """Hang up on everybody; a watch is told that this is no death."""
        if self._server is not None:
            self._server.close()
        for watch in self._watches:
            watch.write(wire.line({"leaving": True}))
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
            if text := await reader.readline():
                message = json.loads(text)
                if message["do"] == "watch":
                    await self._watch(message, reader, writer)
                elif (answer := await self._answer(HostCall(message, reader, writer))) is not None:
                    writer.write(wire.line(answer))
                    await writer.drain()
        except (ConnectionError, ValueError, KeyError, TypeError) as error:
            writer.write(wire.line(wire.failure(Unreachable(f"not understood: {error}"))))
        except asyncio.CancelledError:
            return  # The host is ending.
        finally:
            writer.close()

    async def _answer(self, call: HostCall) -> dict[str, Any] | None:
        """What is said to a message, None when nobody waits for it any more."""
        message = call.message
        try:
            match message["do"]:
                case "status":
                    return self._status().to_json()
                case "stop":
                    return await self._long(self._stop(), self._lock, call)
                case "renew":
                    # It takes minutes where replicas load slowly, and no route may wait for it.
                    return await self._long(self.endpoint.renew(), self._renewing, call)
                case "leave":
                    self.stopping.set()
                case _:
                    folder = self.endpoint.spec.folder
                    change = in_spare(folder, lambda: self._change(message))
                    await self._alone(change, self._lock, call)
                    put_by(folder)
        except GivenUpError:
            self.endpoint.note(Noted(f"{message['do']}: given up before it was begun", Level.WARNING, source="host"))
            return None
        except QuarterdeckError as error:
            return wire.failure(error)
        except OSError as error:
            # A full disk or a folder that may not be written: it may have happened, and will not outlive the host.
            folder = self.endpoint.spec.folder
            why = f"the host can't keep its state in {folder}: {error.strerror or error}; make room and ask again"
            return wire.failure(Unreachable(f"{message['do']}: {why}"))
        return {}

    async def _alone(self, work: Awaitable[None], lock: asyncio.Lock, call: HostCall) -> None:
        """Do one thing under a lock after the other; one that was given up meanwhile is not begun."""
        begun = False
        try:
            gone = asyncio.create_task(call.reader.read(1), name="hung up?")
            turn = asyncio.create_task(lock.acquire(), name="turn")
            try:
                await asyncio.wait({gone, turn}, return_when=asyncio.FIRST_COMPLETED)
                if not turn.done() or gone.done() or call.given_up():
                    raise GivenUpError
                begun = True
                await work
            finally:
                gone.cancel()
                if turn.done() and not turn.cancelled():
                    lock.release()
                turn.cancel()
        finally:
            if not begun and asyncio.iscoroutine(work):
                work.close()

    async def _long(self, work: Awaitable[None], lock: asyncio.Lock, call: HostCall) -> dict[str, Any]:
        """Something that takes its time: meanwhile it is said that this host lives."""
        beating = asyncio.create_task(_beat(call.writer), name="beat")
        try:
            await self._alone(work, lock, call)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
        return {}

    async def _change(self, message: Mapping[str, Any]) -> None:
        endpoint = self.endpoint
        if message["do"] not in {"apply", "scale", "route", "remove"}:
            asker = message.get("by") or "an older version"
            raise Unreachable(
                f"{message['do']}: the host of {endpoint.spec.endpoint} runs {wire.version()} and does not know this,"
                f" which {asker} asks for; 'quarterdeck restart' changes it"
            )
        if self.stopped:
            raise Refused(f"{endpoint.spec.endpoint} is being stopped")
        endpoint.fence(message["token"])
        match message["do"]:
            case "apply":
                spec = EndpointSpec.from_json(message["spec"], endpoint.spec.folder, message["key"])
                version, model = noun(message["version"]), Path(message["model"])
                await endpoint.apply(message["slot"], version, model, message["replicas"], spec)
            case "scale":
                await endpoint.scale(message["slot"], message["replicas"])
            case "route":
                await endpoint.route(message["weights"], message["mirror"] or {}, noun(message.get("sticky")))
            case "remove":
                await endpoint.remove(message["slot"])

    async def _stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            try:
                await self.endpoint.stop()
            except BaseException:
                # What still runs was not stopped, and may be asked to once more.
                self.stopped = False
                raise
            self.stopping.set()

    def _status(self) -> wire.HostStatus:
        endpoint = self.endpoint
        return wire.HostStatus(
            endpoint=endpoint.spec.endpoint,
            folder=endpoint.spec.folder,
            alive=True,
            pid=os.getpid(),
            url=url_of(endpoint.spec.host, endpoint.state.port),
            slots=tuple(endpoint.broadcast.slots.values()),
            started_at=self._started_at,
            version=wire.version(),
            protocol=wire.PROTOCOL,
        )

    async def _watch(self, message: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell everything until the other side hangs up."""
        queue = self.endpoint.broadcast.read()
        works = [self._tell(queue, writer)]
        if message.get("protocol") == wire.PROTOCOL:
            self._watches.add(writer)
            writer.write(wire.line({"greeting": wire.greeting()}))
            works.append(_beat(writer))
        telling = [asyncio.create_task(work, name="tell a watch") for work in works]
        try:
            # Nothing more is said to a watch, so whatever comes means that it is over.
            await reader.read(1)
        finally:
            for task in telling:
                task.cancel()
            await asyncio.gather(*telling, return_exceptions=True)
            self.endpoint.broadcast.leave(queue)
            self._watches.discard(writer)

    async def _tell(self, queue: "asyncio.Queue[Any]", writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while (report := await queue.get()) is not None:
                writer.write(wire.line(plain(report)))
                await writer.drain()
        writer.close()


async def _beat(writer: asyncio.StreamWriter) -> None:
    """Say each second that this host lives."""
    with suppress(ConnectionError):
        while True:
            writer.write(wire.line({"beat": True}))
            await writer.drain()
            await asyncio.sleep(wire.BEAT_S)


def _hung_up(writer: asyncio.StreamWriter) -> bool:
    """Whether the other side has gone, though what it said is still being read."""
    descriptor = writer.get_extra_info("socket").fileno()
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, _HUNG_UP)
    return bool(poll.poll(0))
