"""A command in a terminal of its own: what it draws is read and kept, so that it never waits for a reader."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

from tests.story.kills_scene import COMMAND, DEADLINE_S, wait_for

LOOK_S = 0.1
_PAINT = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]")


class ShownProject(Protocol):
    """What a command in a terminal needs to know."""

    @property
    def folder(self) -> Path:
        """Where it lies."""
        ...

    def flags(self) -> Sequence[str]:
        """What stands behind its words."""
        ...

    def environ(self, **more: str) -> dict[str, str]:
        """Its variables."""
        ...


class Terminal:
    """`quarterdeck` on a pseudo terminal; hung up when left, as by closing a window."""

    def __init__(self, scene: ShownProject, *arguments: str, cells: int = 120, height: int = 36) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, cells, 0, 0))
        self.process = subprocess.Popen(
            [str(COMMAND), *arguments, *scene.flags()],
            cwd=scene.folder,
            env=scene.environ(TERM="xterm-256color", COLUMNS="", LINES=""),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  (one call, no lock)
        )
        os.close(theirs)
        self._drawn = bytearray()
        self._left = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A terminal that somebody still reads from is not hung up by closing it.
        self._left.set()
        self._reader.join()
        os.close(self._ours)
        try:
            self.process.wait(DEADLINE_S)
        finally:
            if self.process.returncode is None:
                self.process.kill()
                self.process.wait()

    @property
    def text(self) -> str:
        """Everything that was drawn so far, without its colours and places."""
        return _PAINT.sub(b" ", bytes(self._drawn)).decode(errors="replace")

    def shows(self, part: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until something was drawn."""
        wait_for(lambda: part in self.text, f"{part!r} on the screen; it ends {self.text[-2000:]!r}", deadline_s)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._ours, keys.encode())

    def _read(self) -> None:
        while not self._left.is_set():
            if not select.select([self._ours], [], [], LOOK_S)[0]:
                continue
            try:
                drawn = os.read(self._ours, 65536)
            except OSError:
                return
            if not drawn:
                return
            self._drawn += drawn
