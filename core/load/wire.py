"""The reporter's end of the wire to the engine. Lives in Locust's process, among its greenlets."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from gevent import select

LOOK_S = 0.1
GOODBYE_S = 2.0
"""How long the last lines may take to get to the engine."""


class Wire:
    """JSON lines to the engine and back. Writing never waits: the load must not feel a slow reader."""

    def __init__(self, fd: int):
        self._fd = fd
        os.set_blocking(fd, False)
        self._unsent = b""

    def say(self, kind: str, **line: Any) -> None:
        """One line to the engine; what does not fit now leaves with the next one."""
        self._unsent += json.dumps({"kind": kind, **line}).encode() + b"\n"
        self._push()

    def _push(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self._fd, self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsent = b""  # the engine is gone, and `commands` ends with it

    def commands(self) -> Iterator[dict[str, Any]]:
        """Each command as it arrives; ends with the engine."""
        rest = b""
        while True:
            select.select([self._fd], [], [])
            try:
                chunk = os.read(self._fd, 65536)
            except OSError:
                return
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from map(json.loads, lines)

    def flush(self) -> None:
        """Wait until the engine has everything, within `GOODBYE_S`."""
        until = time.monotonic() + GOODBYE_S
        while self._unsent and time.monotonic() < until:
            select.select([], [self._fd], [], LOOK_S)
            self._push()

    def close(self) -> None:
        """Let go of it, as a forked worker must: the engine knows by the end of it that Locust ended."""
        os.close(self._fd)
