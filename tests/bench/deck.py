"""What the deck costs, in a terminal of 120x36: its share of a core under a live feed, keys to paint, first paint.

Run as `python -m tests.bench.deck`. The deck is a child on a pseudo-terminal, as it is for a person; its link feeds
each second what a load test does: three samples, a look of the autoscaler, what the watch saw, and verdicts.
"""

import asyncio
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

ROWS, COLUMNS = 36, 120
SECONDS = 20
LIMITS = {"share of one core, load test": 15.0, "key to paint": 100.0, "first paint": 1000.0}


class Feed:
    """The recording, as if it had ended just now, then a second of load each second."""

    def __init__(self, live: bool) -> None:
        self.live = live

    async def events(self, after: int | None = None) -> AsyncIterator[Any]:
        """First all that was, then what comes."""
        from core.state import events as ev
        from tests.recordings.make import MOMENT
        from tests.tui.replay import recorded

        start = time.time()
        known = [moved(event, start - MOMENT) for event in recorded(MOMENT)]
        for event in known:
            yield event
        cycle = [e for e in known if e.at > start - 20 and isinstance(e.body, ev.Sampled | ev.Observed | ev.Judged)]
        looks = [e for e in known if isinstance(e.body, ev.Looked)]
        seq, round_s = known[-1].seq, 20
        while True:
            begun = time.time()
            now = begun - start
            for event in [e for e in cycle if int(e.at - start + 20) == int(now) % round_s] + looks[-1:]:
                if self.live:
                    seq += 1
                    yield replace(moved(event, begun - event.at), seq=seq)
            await asyncio.sleep(max(0.0, 1 - (time.time() - begun)))

    async def do(self, command: object) -> None:
        """Nobody drives here."""


def moved(event: Any, seconds: float) -> Any:
    """An event so many seconds later, and what it tells of too."""
    body = event.body
    for name in ("sample", "scaled"):
        told = getattr(body, name, None)
        if told is not None:
            body = replace(body, **{name: replace(told, at=told.at + seconds)})
    return replace(event, at=event.at + seconds, body=body)


def child(live: bool) -> None:
    """The deck itself."""
    from tui.app import DeckApp

    DeckApp(Feed(live)).run()


class Terminal:
    """The deck's other end: what it paints can be waited for, keys can be sent."""

    def __init__(self, command: list[str], folder: Path | None = None) -> None:
        self.begun = time.perf_counter()
        self.near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        env = {**os.environ, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            command, stdin=far, stdout=far, stderr=far, start_new_session=True, env=env, cwd=folder
        )
        os.close(far)

    def until(self, text: bytes, seconds: float = 30.0) -> float:
        """When the deck had painted this; raises TimeoutError."""
        seen = b""
        deadline = time.perf_counter() + seconds
        while text not in seen:
            if not select.select([self.near], [], [], max(0.0, deadline - time.perf_counter()))[0]:
                raise TimeoutError(f"the deck did not paint {text!r} in {seconds:g} s: {seen[-400:]!r}")
            seen += os.read(self.near, 65536)
        return time.perf_counter()

    def press(self, key: bytes) -> float:
        """Send a key; when it was sent."""
        os.write(self.near, key)
        return time.perf_counter()

    def drain(self, seconds: float) -> int:
        """Read what is painted for a while; how many bytes."""
        count = 0
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.near], [], [], left)[0]:
                count += len(os.read(self.near, 65536))
        return count


@contextmanager
def terminal(command: list[str], folder: Path | None = None) -> Iterator[Terminal]:
    """A deck that is gone afterwards."""
    one = Terminal(command, folder)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait(10)
        os.close(one.near)


def fed(mode: str) -> list[str]:
    """The deck over the feed, `live` or `quiet`."""
    return [sys.executable, "-m", "tests.bench.deck", mode]


def first_paint_ms() -> float:
    """From the start of `quarterdeck` in a new project to its first panes, the best of three."""
    command = str(Path(sys.executable).parent / "quarterdeck")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([command, "init", folder, "--sample", "iris"], check=True, capture_output=True, timeout=60)
        for _ in range(3):
            with terminal([command], Path(folder)) as one:
                found.append(1000 * (one.until(b"stages") - one.begun))
    return min(found)


def keys_ms(one: Terminal) -> list[float]:
    """From a key to what it opens, ten times, under the feed."""
    found = []
    for _ in range(10):
        sent = one.press(b"?")
        found.append(1000 * (one.until(b"any other key closes") - sent))
        one.press(b"x")
        one.drain(0.5)
    return sorted(found)


def share_percent(one: Terminal, seconds: float) -> tuple[float, float]:
    """CPU of the deck in percent of a core, and the kilobytes a second that it paints."""
    process = psutil.Process(one.process.pid)
    before, begun = process.cpu_times(), time.perf_counter()
    painted = one.drain(seconds)
    took = time.perf_counter() - begun
    after = process.cpu_times()
    return 100 * (after.user + after.system - before.user - before.system) / took, painted / took / 1000


def main() -> int:
    """The table; 1 when a figure is over its limit."""
    paint = first_paint_ms()
    with terminal(fed("live")) as one:
        one.until(b"gates")
        one.drain(3)
        share, painted = share_percent(one, SECONDS)
        keys = keys_ms(one)
    with terminal(fed("quiet")) as one:
        one.until(b"gates")
        one.drain(3)
        idle, _ = share_percent(one, SECONDS / 2)
    rows = [
        ("first paint", paint, "ms"),
        ("share of one core, load test", share, "%"),
        ("share of one core, nothing happens", idle, "%"),
        ("painted under load", painted, "kB/s"),
        ("key to paint", keys[len(keys) // 2], "ms"),
        ("key to paint, slowest of ten", keys[-1], "ms"),
    ]
    for name, value, unit in rows:
        limit = LIMITS.get(name)
        print(f"{name:<38}{value:8.1f} {unit:<5}" + (f" under {limit:g}" if limit is not None else ""))
    return int(any(value > LIMITS.get(name, value) for name, value, _ in rows))


if __name__ == "__main__":
    if sys.argv[1:]:
        child(sys.argv[1] == "live")
    else:
        sys.exit(main())
