"""Lines for whoever reads stdout and stderr. Printing never ends, delays or fails what is being done.

A stream that is closed, full, broken or read by nobody costs the lines that it could not take, and nothing else.
"""

import atexit
import contextlib
import io
import json
import os
import select
import sys
import threading
import time
from collections import deque
from contextvars import ContextVar
from typing import TextIO

from core.domain.hints import as_called
from core.system.text import clean, escaped

MOST_CHUNKS = 2000
"""So many pieces of text wait for a slow reader; of more, the oldest are lost, and the loss is said."""
A_WRITE = 1 << 16
LAST_WORDS_S = 1.0
STALLED_MS = 100
PLAIN = str.maketrans(
    {"✔": "ok", "✖": "FAILED", "●": "*", "○": "o", "◦": "o", "▶": ">", "→": "->", "←": "<-", "–": "-", "—": "-"}
    | {"…": "...", "‖": "||", "·": "-", "×": "x", "≤": "<=", "≥": ">=", "±": "+-", "µ": "u"}
)
"""Glyphs for a terminal that has none: left to `?`, a verdict that passed would look like one that failed."""

CALLED: ContextVar[tuple[str, str]] = ContextVar("CALLED", default=("", ""))
"""The `--config` and the `--endpoint` of this command, else empty: what its lines name to be called has them too."""


class Document(str):
    """A line of JSON, which is said whole: cut, it would be none."""

    __slots__ = ()


def json_line(value: object) -> Document:
    """A value as one line of JSON in which no character does anything to a terminal."""
    return Document(escaped(json.dumps(value, ensure_ascii=False)))


def say(line: str, stream: TextIO | io.TextIOBase | None) -> None:
    """One line, at once where that is possible; nothing is raised where it is not."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):  # what can't be encoded is a ValueError too
        stream.write(f"{line if isinstance(line, Document) else clean(pasteable(line))}\n")
        stream.flush()


def pasteable(text: str) -> str:
    """A text whose commands mean the project and the endpoint that this command was called with."""
    return as_called(text, *CALLED.get())


def install() -> None:
    """Put streams that never fail and never wait in the place of stdout and stderr, also for what libraries print."""
    _occupy()
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - lives as long as the process
    outward = _Writer(1)
    errors = outward if os.path.sameopenfile(1, 2) else _Writer(2)
    sys.stdout = _Stream(outward, 1, sys.__stdout__)
    sys.stderr = _Stream(errors, 2, sys.__stderr__)
    _WRITERS.update({1: outward, 2: errors})
    atexit.register(_last_words, {outward, errors})


def _occupy() -> None:
    """Closed streams lead nowhere; else the next file that is opened would get their numbers, and their text."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _last_words(writers: "set[_Writer]") -> None:
    """What is still to be written gets a moment, whether or not somebody reads."""
    until = time.monotonic() + LAST_WORDS_S
    with contextlib.suppress(KeyboardInterrupt):
        for writer in writers:
            writer.settle(until - time.monotonic())


def refused() -> str:
    """Why stdout did not take all that was said, once that is known; empty where it did, and where a reader left."""
    writer = _WRITERS.get(1)
    if writer is None:
        return ""
    writer.settle(LAST_WORDS_S)
    return writer.refused


class _Stream(io.TextIOBase):
    """A text stream that hands over what it is given, and does not look back."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, writer: "_Writer", number: int, real: TextIO | None) -> None:
        self._writer = writer
        self._number = number
        if real is not None and real.encoding:
            self.encoding = real.encoding

    def write(self, text: str) -> int:
        """Never fails, never waits."""
        self._writer.take(self._bytes(text))
        return len(text)

    def _bytes(self, text: str) -> bytes:
        try:
            return text.encode(self.encoding)
        except UnicodeEncodeError:
            return text.translate(PLAIN).encode(self.encoding, self.errors)

    def writable(self) -> bool:
        """As every such stream."""
        return True

    def isatty(self) -> bool:
        """Whether a person may be reading."""
        return os.isatty(self._number)

    def fileno(self) -> int:
        """The number underneath."""
        return self._number


class _Writer:
    """Writes to one file descriptor from a thread of its own, which alone waits for the reader."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._waiting: deque[bytes] = deque()
        self._lost = 0
        self._busy = False
        self.refused = ""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def take(self, chunk: bytes) -> None:
        """Something to write, after what came before it."""
        if self._thread is None and sys.is_finalizing():
            return  # No thread begins any more: who started one would wait for it for ever.
        with self._changed:
            if len(self._waiting) >= MOST_CHUNKS:
                self._lost += self._waiting.popleft().count(b"\n")
            self._waiting.append(chunk)
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"output {self._number}", daemon=True)
                with contextlib.suppress(RuntimeError):  # the interpreter is ending
                    self._thread.start()

    def settle(self, within_s: float) -> None:
        """Wait until all is written, or could not be, but not longer than this."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout=max(within_s, 0.0))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                self._busy = True
                lost, batch = self._next()
            if lost and self._write(f"({lost} lines were lost)\n".encode()):
                lost += batch.count(b"\n")
            else:
                lost = self._write(batch)
            with self._changed:
                self._lost += lost

    def _next(self) -> tuple[int, bytes]:
        """How many lines were lost before, and what waits, up to a size."""
        lost, self._lost = self._lost, 0
        parts, size = [], 0
        while self._waiting and size < A_WRITE:
            parts.append(self._waiting.popleft())
            size += len(parts[-1])
        return lost, b"".join(parts)

    def _write(self, text: bytes) -> int:
        """Write all of it; returns how many lines could not be written."""
        left = memoryview(text)
        while left:
            try:
                left = left[os.write(self._number, left) :]
            except BlockingIOError:
                # Somebody who shares the terminal has made it so that a full one refuses instead of waiting.
                select.select([], [self._number], [], STALLED_MS / 1000)
            except OSError as error:
                # Who leaves, as `head` does, has read what they wanted.
                self.refused = "" if isinstance(error, BrokenPipeError) else error.strerror or str(error)
                return bytes(left).count(b"\n")
        return 0


_WRITERS: dict[int, _Writer] = {}
"""Those that `install` put in the place of stdout and stderr."""
