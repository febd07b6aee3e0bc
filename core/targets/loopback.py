"""An HTTP server on loopback for requests that a target passes on to its place, by a way of the target's own.

It takes what our own addresses send: requests with a length, one after the other on a connection. No HTTP of others is
to be understood here.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import TypeAlias

from core.domain.errors import QuarterdeckError, Unreachable
from core.domain.model import Slot
from core.system.ports import named_port

LARGEST = 16 * 2**20
LINGER_S = 10.0
SLOT_HEADER = "x-quarterdeck-slot"
_BACK = ("content-type", "retry-after", "x-model-version", "x-label")

PassedAnswer: TypeAlias = tuple[int, Mapping[str, str], bytes]
"""Status, headers by small names, body."""


@dataclass(frozen=True, slots=True)
class PassedRequest:
    """One request, its headers by small names. `slot` is the one that it is pinned to, empty where it is to none."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    slot: Slot


class LoopbackServer:
    """Listens, and answers what `pass_on` gives; a QuarterdeckError that it raises is a 502 with its line."""

    def __init__(self, pass_on: Callable[[PassedRequest], Awaitable[PassedAnswer]]) -> None:
        self._pass_on = pass_on
        self._secret = token_hex(8)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._talks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens; nowhere before it was opened."""
        return f"http://127.0.0.1:{self._port}"

    def pin(self, slot: Slot) -> dict[str, str]:
        """The headers that pin a request to a slot; nobody can who was not told them."""
        return {SLOT_HEADER: f"{slot}.{self._secret}"}

    async def open(self, name: str) -> None:
        """Listen, where the same name did before: callers come back there. Anywhere, while another process does."""
        for port in (named_port(name), 0):
            with suppress(OSError):
                self._server = await asyncio.start_server(self._talk, "127.0.0.1", port, limit=2**16)
                self._port = int(self._server.sockets[0].getsockname()[1])
                return
        raise Unreachable("no port of this machine is free to listen on")

    async def close(self) -> None:
        """Hang up."""
        if self._server is not None:
            self._server.close()
        for task in self._talks:
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self._talks.add(task)
            task.add_done_callback(self._talks.discard)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # Who asked went away, or speaks no HTTP.
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False where nothing more is to come."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.rstrip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        size = int(headers.get("content-length", "0"))
        if "transfer-encoding" in headers or size > LARGEST:
            await _answer(writer, (413, {}, said("a request has its length, and 16 MB at the most")), closes=True)
            await _emptied(reader, writer)
            return False
        body = await reader.readexactly(size)
        answer = await self._answered(method, path, headers, body)
        closes = headers.get("connection", "").lower() == "close"
        await _answer(writer, answer, closes=closes)
        return not closes

    async def _answered(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> PassedAnswer:
        named = headers.get(SLOT_HEADER, "")
        slot, _, secret = named.partition(".")
        if named and not (slot and hmac.compare_digest(secret.encode(), self._secret.encode())):
            return 404, {}, said("no such slot")
        try:
            return await self._pass_on(PassedRequest(method, path, headers, body, slot))
        except QuarterdeckError as error:
            return 502, {}, said(str(error))


def said(text: str) -> bytes:
    """The body of an answer that is none: why."""
    return json.dumps({"error": text}).encode()


async def _emptied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read what a sender still writes: one who is hung up on meanwhile never comes to read why."""
    writer.write_eof()
    left = 4 * LARGEST
    async with asyncio.timeout(LINGER_S):
        while left > 0 and (chunk := await reader.read(2**16)):
            left -= len(chunk)


async def _answer(writer: asyncio.StreamWriter, answer: PassedAnswer, *, closes: bool) -> None:
    status, headers, body = answer
    lines = [
        f"HTTP/1.1 {status} {'OK' if status < 400 else 'No'}",
        *(f"{name}: {headers[name]}" for name in _BACK if name in headers),
        f"content-length: {len(body)}",
        f"connection: {'close' if closes else 'keep-alive'}",
        *("", ""),
    ]
    writer.write("\r\n".join(lines).encode("latin-1", errors="replace") + body)
    await writer.drain()
