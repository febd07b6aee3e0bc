"""What the scoring bench measures with: both generators count what a server answers, however it ends an answer."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BODY = b'{"data": [[1, 2]]}'
SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\nContent-Length: 4\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\n"
EVERY = 3
"""Connections at once."""


class Server:
    """Answers each request with the same bytes, a thread a connection."""

    def __init__(self, answer: bytes, hangs_up: bool) -> None:
        self.answer = answer
        self.hangs_up = hangs_up
        self.answered = 0
        self.bad: list[bytes] = []
        self.counting = threading.Lock()
        self.serving: list[threading.Thread] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = int(self.listener.getsockname()[1])

    def run(self) -> None:
        """Until its listener is shut."""
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            self.serving.append(threading.Thread(target=self.serve, args=(line,), daemon=True))
            self.serving[-1].start()

    def serve(self, line: socket.socket) -> None:
        """One connection."""
        with line, line.makefile("rb") as file:
            try:
                while first := file.readline():
                    while file.readline() not in (b"\r\n", b""):
                        pass
                    if file.read(len(BODY)) != BODY or first != b"POST /predict HTTP/1.1\r\n":
                        self.bad.append(first)
                    with self.counting:
                        self.answered += 1
                    line.sendall(self.answer)
                    if self.hangs_up:
                        return
            except OSError:
                return


@contextmanager
def serving(answer: bytes, hangs_up: bool) -> Iterator[Server]:
    """A server, until the block ends."""
    server = Server(answer, hangs_up)
    accepting = threading.Thread(target=server.run, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        for thread in (accepting, *server.serving):
            thread.join(10)


def told_by(name: str, port: int) -> "subprocess.CompletedProcess[bytes]":
    """One generator's second."""
    return subprocess.run(
        [sys.executable, "-m", f"tests.bench.{name}", str(port), "/predict", "1", str(EVERY)],
        cwd=ROOT,
        input=BODY,
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["generator", "second_generator"])
@pytest.mark.parametrize(
    ("answer", "hangs_up"),
    [
        (SIZED + b"\r\nfine", False),
        (SIZED + b"Connection: close\r\n\r\nfine", True),
        (SIZED + b"\r\nfine", True),
        (CHUNKED, False),
        (CONTINUED + SIZED + b"\r\nfine", False),
        (b"HTTP/1.0 200 OK\r\n\r\nfine", True),
    ],
    ids=["keeps", "says that it closes", "closes unsaid", "chunked", "says 100 first", "no length"],
)
def test_every_answer_is_counted_and_the_next_one_asked_for(name: str, answer: bytes, hangs_up: bool) -> None:
    """A generator that never connects anew would count one answer a connection."""
    with serving(answer, hangs_up) as server:
        told = told_by(name, server.port)
    assert told.returncode == 0, told.stderr.decode()
    counted = len(json.loads(told.stdout))
    assert server.bad == []
    assert counted > EVERY
    assert 0 <= server.answered - counted <= EVERY


@pytest.mark.parametrize("name", ["generator", "second_generator"])
def test_a_refusal_is_no_answer(name: str) -> None:
    with serving(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", False) as server:
        told = told_by(name, server.port)
    assert told.returncode != 0
    assert b"503" in told.stderr
