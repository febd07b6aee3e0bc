"""A few pages over HTTP, for the watch, which has a way back to drive: whoever asks slowly, much or often costs little.

One request a connection. No proxy's word about who asks is believed.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

HEAD_BYTES, BODY_BYTES = 8192, 4096
READ_S, ANSWER_S, WRITE_S = 5.0, 20.0, 5.0
MOST, PAUSE_S = 32, 0.02
"""So many are talked to at once, and one more each so many seconds; the others wait where the system lets them."""
BACKLOG = 64
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
HEADERS = (
    "Cache-Control: no-store",
    f"Content-Security-Policy: {POLICY}",
    "Referrer-Policy: no-referrer",
    "X-Content-Type-Options: nosniff",
    "X-Robots-Tag: noindex",
    "Connection: close",
)
log = logging.getLogger("quarterdeck")


@dataclass(frozen=True, slots=True)
class PageAsked:
    """What somebody asks for; `peer` is the address that the connection came from."""

    method: str
    path: str
    body: bytes
    peer: str


@dataclass(frozen=True, slots=True)
class WatchPage:
    """What is answered: HTML. `allow` names the methods that there are, where it was another."""

    status: HTTPStatus
    html: str
    allow: str = ""


class _Refused(Exception):
    """A request that is not read to its end."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class PageServer:
    """Listens at one address. `answer` makes the page; what it raises is a 500 without words."""

    def __init__(self, answer: Callable[[PageAsked], Awaitable[WatchPage]]) -> None:
        self._answer = answer

    async def run(self, listening: socket.socket) -> None:
        """Until cancelled; the socket is closed then, and everybody hung up on."""
        loop, places = asyncio.get_running_loop(), asyncio.Semaphore(MOST)
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await places.acquire()
                    try:
                        line, peer = await loop.sock_accept(listening)
                    except OSError as error:
                        places.release()
                        log.warning("pages: nobody can be let in: %s", error.strerror or error)
                        await asyncio.sleep(1.0)
                        continue
                    group.create_task(self._talk(line, str(peer[0]), places))
                    await asyncio.sleep(PAUSE_S)
        finally:
            listening.close()

    async def _talk(self, line: socket.socket, peer: str, places: asyncio.Semaphore) -> None:
        writer = None
        try:
            reader, writer = await asyncio.open_connection(sock=line, limit=HEAD_BYTES)
            try:
                async with asyncio.timeout(READ_S):
                    asked = await _read(reader, peer)
                async with asyncio.timeout(ANSWER_S):
                    page, head_only = await self._answer(asked), asked.method == "HEAD"
            except _Refused as error:
                page, head_only = WatchPage(error.status, error.status.phrase), False
            async with asyncio.timeout(WRITE_S):
                writer.write(_bytes(page, head_only))
                await writer.drain()
        except (OSError, EOFError, TimeoutError):
            pass  # Whoever asked left, or took too long.
        except Exception:
            # The request stays out of the log: its path may be secret.
            log.exception("a page could not be made")
            if writer is not None:
                failed = HTTPStatus.INTERNAL_SERVER_ERROR
                writer.write(_bytes(WatchPage(failed, failed.phrase), False))
        finally:
            places.release()
            if writer is not None:
                writer.close()
            else:
                line.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; raises OSError. Asks for the host's address, so it may take a while."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    made.setblocking(False)
    return made


async def _read(reader: asyncio.StreamReader, peer: str) -> PageAsked:
    """One request, no larger than it may be; raises _Refused, EOFError."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError:
        raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    first, *rest = head.rstrip("\r\n").split("\r\n")
    method, path, protocol = (*first.split(" "), "", "", "")[:3]
    if not protocol.startswith("HTTP/1.") or not path.startswith("/"):
        raise _Refused(HTTPStatus.BAD_REQUEST)
    lengths = set()
    for line in rest:
        name, _, value = line.partition(":")
        if name.lower() == "transfer-encoding":
            raise _Refused(HTTPStatus.LENGTH_REQUIRED)
        if name.lower() == "content-length":
            lengths.add(value.strip())
    length = lengths.pop() if lengths else "0"
    if lengths or not (length.isascii() and length.isdigit()):
        raise _Refused(HTTPStatus.BAD_REQUEST)
    if len(length) > 9 or int(length) > BODY_BYTES:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return PageAsked(method, path.partition("?")[0], await reader.readexactly(int(length)), peer)


def _bytes(page: WatchPage, head_only: bool) -> bytes:
    body = page.html.encode()
    lines = [
        f"HTTP/1.1 {page.status.value} {page.status.phrase}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        *([f"Allow: {page.allow}"] if page.allow else []),
        *HEADERS,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head_only else body)
