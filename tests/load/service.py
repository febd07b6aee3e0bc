"""A small scoring service to load: answers at once, names its version and label, fails when it is told to."""

import asyncio
import sys

OK = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-model-version: 7\r\nx-label: late\r\n"
    b"content-length: 20\r\n\r\n" + b'{"predictions":["a"]'[:20]
)
BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nx-model-version: 8\r\ncontent-length: 4\r\n\r\noops"
REFUSED = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno"


class Service(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as far as a load needs it. Every `break_every`th answer is a 500; 0: none."""

    def __init__(self, key: str, break_every: int, seen: list[int]):
        self._key = f"authorization: bearer {key}".encode().lower() if key else b""
        self._break_every = break_every
        self._seen = seen
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._rest) < end + 4 + length:
                return
            self._rest = self._rest[end + 4 + length :]
            self._transport.write(self._answer(head))  # type: ignore[attr-defined]

    def _answer(self, head: bytes) -> bytes:
        self._seen[0] += 1
        if self._key and self._key not in head:
            return REFUSED
        return BROKEN if self._break_every and self._seen[0] % self._break_every == 0 else OK


async def serve(key: str, break_every: int) -> None:
    """Until it is killed; prints its address first."""
    seen = [0]
    server = await asyncio.get_running_loop().create_server(lambda: Service(key, break_every, seen), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
