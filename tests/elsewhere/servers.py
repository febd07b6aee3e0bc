"""Servers on loopback that say what a test wrote, and those that mean no good."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

Say = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Asked:
    """What came: path, parameters, headers."""

    path: str
    parameters: dict[str, str]
    headers: dict[str, str]


@dataclass
class Server:
    """`got` is all that was asked of it."""

    port: int = 0
    got: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(say: Say) -> AsyncIterator[Server]:
    """Somebody who answers each connection once; whoever is still talked to at the end is hung up on."""
    found, talks = Server(), set[asyncio.Task[None]]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            target = urlsplit(head[0].split(" ")[1])
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            given = {name: values[0] for name, values in parse_qs(target.query).items()}
            found.got.append(Asked(target.path, given, headers))
            await say(writer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        found.port = server.sockets[0].getsockname()[1]
        yield found
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


def saying(body: bytes, status: int = 200, *headers: str) -> Say:
    """Answers that."""

    async def say(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)

    return say


async def silent(writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def endless(writer: asyncio.StreamWriter) -> None:
    """Answers without an end, as fast as it is read."""
    writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 1073741824\r\n\r\n")
    while True:
        writer.write(b"9" * 65536)
        await writer.drain()


async def dripping(writer: asyncio.StreamWriter) -> None:
    """A byte now and then: each read of it is in time."""
    writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def hanging_up(writer: asyncio.StreamWriter) -> None:
    """Leaves in the middle of its answer."""
    writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n{")


async def speaking_otherwise(writer: asyncio.StreamWriter) -> None:
    """Speaks no HTTP."""
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")


async def long_winded(writer: asyncio.StreamWriter) -> None:
    """Headers without an end."""
    writer.write(b"HTTP/1.1 200 X\r\n")
    for number in range(5000):
        writer.write(f"x-{number}: {'x' * 200}\r\n".encode())
    await writer.drain()
