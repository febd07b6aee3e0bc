"""As much of HTTP as the host needs to probe the router, its admin socket and a replica: GET and POST, nothing else."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from core.domain.errors import Unreachable

Where: TypeAlias = Path | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Response:
    """A status, headers with small names, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One connection that is kept: questions go over it one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, where: Where) -> "Connection":
        """Connect; raises OSError."""
        if isinstance(where, Path):
            return cls(*await asyncio.open_unix_connection(str(where)))
        return cls(*await asyncio.open_connection(*where))

    async def ask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET", body: bytes = b""
    ) -> Response:
        """One question and its answer; raises Unreachable when the connection ends in between."""
        lines = [f"{method} {path} HTTP/1.1", "host: quarterdeck", *(f"{k}: {v}" for k, v in (headers or {}).items())]
        if method == "POST":
            lines.append(f"content-length: {len(body)}")
        try:
            self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await self._writer.drain()
            return await self._answer()
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise Unreachable(f"{path}: the connection ended ({type(error).__name__})") from error

    async def _answer(self) -> Response:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = await self._chunks()
        else:
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Response(int(first.split(" ", 2)[1]), headers, body)

    async def _chunks(self) -> bytes:
        parts = []
        while size := int((await self._reader.readline()).split(b";")[0], 16):
            parts.append(await self._reader.readexactly(size))
            await self._reader.readline()
        await self._reader.readline()
        return b"".join(parts)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def ask(where: Where, path: str, *, method: str = "GET", timeout_s: float = 2.0) -> Response:
    """One question on a connection of its own; raises Unreachable when nobody answers in time."""
    try:
        async with asyncio.timeout(timeout_s):
            line = await Connection.open(where)
            try:
                return await line.ask(path, method=method)
            finally:
                line.close()
    except (OSError, TimeoutError) as error:
        place = where if isinstance(where, Path) else f"{where[0]}:{where[1]}"
        raise Unreachable(f"{place}{path}: no answer ({type(error).__name__})") from error
