"""A load generator for where there is no wrk: 50 connections, each asks again as soon as it is answered.

    python -m tests.bench.generator PORT PATH SECONDS < BODY

Prints the latencies in milliseconds as JSON. It parses as little as it can, and may still be the limit.
"""

import asyncio
import json
import sys
import time

CONNECTIONS = 50


class Connection(asyncio.Protocol):
    """Sends the same request again and again."""

    def __init__(self, request: bytes, until: float, latencies_ms: list[float]) -> None:
        self.request = request
        self.until = until
        self.latencies_ms = latencies_ms
        self.received = b""
        self.sent_at = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        """Send the request."""
        self.received = b""
        self.sent_at = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Ask again once the answer is whole."""
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator or len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(head.decode()))
            return
        now = time.perf_counter()
        self.latencies_ms.append((now - self.sent_at) * 1000)
        if now < self.until:
            self.ask()
        else:
            self.transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """The server may not hang up before the time is over."""
        if not self.done.done():
            self.done.set_result(None)


async def main(port: int, path: str, seconds: float, body: bytes) -> list[float]:
    """All latencies, in milliseconds."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    latencies_ms: list[float] = []
    until = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(head.encode() + body, until, latencies_ms), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(connection.done for _, connection in made))
    return latencies_ms


if __name__ == "__main__":
    told = asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.stdin.buffer.read()))
    print(json.dumps(told))
