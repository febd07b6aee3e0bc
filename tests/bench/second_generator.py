"""A second load generator, to check the first by: 50 processes, each with one socket that it waits on.

    python -m tests.bench.second_generator PORT PATH SECONDS [USERS] < BODY

It shares no code with the first, and no way of waiting, reading or counting. Prints latencies in milliseconds as JSON.
"""

import json
import os
import socket
import sys
import time
from array import array
from io import BufferedReader

USERS = 50
TOGETHER_S = 0.5
"""All begin at one moment, so long after the first was made."""


class RefusedError(Exception):
    """The server refused a request."""


class User:
    """One user, who asks and waits for the answer, and asks again."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port = port
        self.request = request
        self.line: socket.socket | None = None
        self.file: BufferedReader | None = None

    def run(self, begin: float, until: float) -> "array[float]":
        """The latencies between two moments, in milliseconds."""
        took_ms: array[float] = array("d")
        time.sleep(max(0.0, begin - time.perf_counter()))
        while (began := time.perf_counter()) < until:
            if self.ask():
                took_ms.append((time.perf_counter() - began) * 1000)
        return took_ms

    def ask(self) -> bool:
        """One request and its answer; False where the server had hung up before it."""
        if self.line is None or self.file is None:
            self.line = socket.create_connection(("127.0.0.1", self.port))
            self.file = self.line.makefile("rb")
        try:
            self.line.sendall(self.request)
            version, status, headers = self.head(self.file)
        except (ConnectionError, IndexError):
            self.hang_up()
            return False
        if status != 200:
            raise RefusedError(f"it answered {status}")
        sized = "content-length" in headers or headers.get("transfer-encoding") == "chunked"
        self.body(self.file, headers)
        word = headers.get("connection", "keep-alive" if version == "HTTP/1.1" else "close")
        if word == "close" or not sized:
            self.hang_up()
        return True

    def head(self, file: BufferedReader) -> tuple[str, int, dict[str, str]]:
        """The first lines of the answer itself; raises IndexError where none came."""
        while True:
            words = file.readline().decode("latin-1").split()
            headers: dict[str, str] = {}
            while text := file.readline().strip().decode("latin-1"):
                name, _, value = text.lower().partition(":")
                headers[name] = value.strip()
            if words[1] != "100":
                return words[0], int(words[1]), headers

    def body(self, file: BufferedReader, headers: dict[str, str]) -> None:
        """Read the rest."""
        if "content-length" in headers:
            file.read(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            while size := int(file.readline().split(b";")[0], 16):
                file.read(size + 2)
            file.readline()
        else:
            file.read()

    def hang_up(self) -> None:
        """The next request needs another connection."""
        if self.line is not None:
            self.line.close()
        if self.file is not None:
            self.file.close()
        self.line = self.file = None


def main(port: int, path: str, seconds: float, body: bytes, users: int = USERS) -> list[float]:
    """All latencies, in milliseconds."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    request = f"{head}\r\n\r\n".encode() + body
    begin = time.perf_counter() + TOGETHER_S
    pipes = []
    for _ in range(users):
        told, tells = os.pipe()
        if os.fork() == 0:
            code = 1
            try:
                with os.fdopen(tells, "wb") as pipe:
                    User(port, request).run(begin, begin + seconds).tofile(pipe)
                code = 0
            except (RefusedError, OSError) as error:
                sys.stderr.write(f"{error}\n")
            finally:
                os._exit(code)
        os.close(tells)
        pipes.append(told)
    latencies_ms: array[float] = array("d")
    for told in pipes:
        with os.fdopen(told, "rb") as pipe:
            latencies_ms.frombytes(pipe.read())
    if any(os.waitstatus_to_exitcode(os.wait()[1]) for _ in pipes):
        raise SystemExit("a user of it failed")
    return latencies_ms.tolist()


if __name__ == "__main__":
    users = int(sys.argv[4]) if sys.argv[4:] else USERS
    everything = main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.stdin.buffer.read(), users)
    sys.stdout.write(json.dumps(everything))
