"""A load generator of our own: one process, 50 connections, each asks again as soon as it is answered.

    python -m tests.bench.generator PORT PATH SECONDS [CONNECTIONS] < BODY

Prints the latencies in milliseconds as JSON. A server that hangs up after an answer is connected to anew, and the time
that this takes counts for the next request, as it does for whoever calls such a server.
"""

import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass

CONNECTIONS = 50
CHUNK = 1 << 16


class BadAnswer(Exception):
    """The server refused a request, or said something that is no HTTP."""


@dataclass(slots=True)
class Answer:
    """What has come of one answer so far."""

    received: bytes = b""

    def take(self, data: bytes) -> bool:
        """More of it; whether it is whole now."""
        self.received += data
        while True:
            head, separator, rest = self.received.partition(b"\r\n\r\n")
            if not separator:
                return False
            if not head.startswith((b"HTTP/1.1 100", b"HTTP/1.0 100")):
                break
            self.received = rest  # 100 Continue: the answer itself comes after it
        if not head[9:12] == b"200":
            raise BadAnswer(self.received[:300].decode(errors="replace"))
        if (length := _header(head, b"content-length")) is not None:
            return len(rest) >= int(length)
        if _header(head, b"transfer-encoding") == b"chunked":
            return rest.endswith(b"0\r\n\r\n")
        return False  # it ends when the server hangs up

    @property
    def closes(self) -> bool:
        """Whether the server hangs up after it."""
        head = self.received.partition(b"\r\n\r\n")[0]
        said = _header(head, b"connection")
        return said == b"close" or (said != b"keep-alive" and head.startswith(b"HTTP/1.0"))


def _header(head: bytes, name: bytes) -> bytes | None:
    lines = head.lower()
    at = lines.find(b"\r\n" + name + b":")
    return None if at < 0 else lines[at + len(name) + 3 :].split(b"\r\n", 1)[0].strip()


class Connection:
    """Sends the same request again and again, over one connection as long as it lasts."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port = port
        self.request = request
        self.answer = Answer()
        self.sent_at = 0.0
        self.socket = socket.create_connection(("127.0.0.1", port))

    def ask(self) -> None:
        """Send the request."""
        self.answer = Answer()
        self.sent_at = time.perf_counter()
        self.socket.sendall(self.request)

    def hear(self) -> float | None:
        """Take what has come; the milliseconds that it took once the answer is whole."""
        data = self.socket.recv(CHUNK)
        if not data and not self.answer.received:
            raise ConnectionResetError
        if not self.answer.take(data) and data:
            return None
        return (time.perf_counter() - self.sent_at) * 1000


def main(port: int, path: str, seconds: float, body: bytes, connections: int = CONNECTIONS) -> list[float]:
    """All latencies, in milliseconds."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    request = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
    latencies_ms: list[float] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connect(selector, port, request)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            for key, _ in selector.select(timeout=0.1):
                connection: Connection = key.data
                try:
                    took_ms = connection.hear()
                except ConnectionResetError:  # it hung up between two requests, which it may
                    again(selector, connection)
                    continue
                if took_ms is None:
                    continue
                latencies_ms.append(took_ms)
                if connection.answer.closes:
                    again(selector, connection)
                else:
                    connection.ask()
    return latencies_ms


def connect(selector: selectors.BaseSelector, port: int, request: bytes) -> Connection:
    """One more connection, which asks at once."""
    began = time.perf_counter()
    connection = Connection(port, request)
    connection.ask()
    connection.sent_at = began
    selector.register(connection.socket, selectors.EVENT_READ, connection)
    return connection


def again(selector: selectors.BaseSelector, connection: Connection) -> None:
    """Another connection in the place of one that the server has closed."""
    selector.unregister(connection.socket)
    connection.socket.close()
    connect(selector, connection.port, connection.request)


if __name__ == "__main__":
    connections = int(sys.argv[4]) if sys.argv[4:] else CONNECTIONS
    told = main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.stdin.buffer.read(), connections)
    sys.stdout.write(json.dumps(told))
