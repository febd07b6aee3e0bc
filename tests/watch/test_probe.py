"""Where nobody asks: /health, the key, the request, or nobody, and which of them it is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.watch.probe import ask


@contextlib.asynccontextmanager
async def endpoint(health: int, predict: int, key: str = "") -> AsyncIterator[str]:
    """Answers of an endpoint as it may be; 0 hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (line.split(":")[1] for line in head.lower().split("\r\n") if "content-length" in line), "0"
                )
                await reader.readexactly(int(length))
                status = health if head.startswith("GET /health") else predict
                if status and key and f"bearer {key}" not in head.lower() and "/predict" in head:
                    status = 401
                if not status:
                    break
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nx-model-version: 7\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        # Who hangs up last says so a turn later.
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("health", "predict", "key", "said"),
    [
        (0, 200, "", "it is /health: no answer (RemoteProtocolError)"),
        (503, 200, "", "it is /health: it answers 503"),
        (200, 500, "", "it is the request: /health answers, a request without a key gets 500"),
        (200, 0, "", "it is the request: /health answers, a request does not (RemoteProtocolError)"),
        (200, 200, "other", "it is the key: /health answers, a request with the endpoint's key gets 401"),
        (200, 200, "mine", "it is nobody who asks: /health and a request with the endpoint's key are answered by v7"),
    ],
)
async def test_which_of_them_it_is(tmp_path: Path, health: int, predict: int, key: str, said: str) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"a": 1}\n')
    async with endpoint(health, predict, key) as url:
        assert await ask(url, "mine" if key else "", rows) == said
        if (health, predict) == (200, 200):
            told = await ask(url, "", tmp_path / "none")
            assert told == "/health answers well; there is no row to send a request with"
