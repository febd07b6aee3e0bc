"""The replicas' log files: their last lines, following them, and keeping them small."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from core.system.text import clean, clean_line

KEEP_BYTES = 1 << 20
TAIL_BYTES = 64 << 10
POLL_S = 0.2
NOTE = re.compile(r"\d\d:\d\d:\d\d · ")
"""How the service marks a line about something in good order."""


def last_line(path: Path) -> str:
    """The last line that says what is wrong, shortened; empty where what came last was in good order."""
    lines = [line.strip() for line in tail(path, 5) if line.strip()]
    return "" if not lines or NOTE.match(lines[-1]) else clean_line(lines[-1], 300)


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            found = _lines(file.read())
    except FileNotFoundError:
        return []
    return found[-lines:] if lines > 0 else []


def bound(folder: Path) -> None:
    """Move what is over a megabyte aside, one generation back. Writers append, so they go on at the start."""
    for path in folder.glob("*.log"):
        if path.stat().st_size > KEEP_BYTES:
            shutil.copyfile(path, path.with_suffix(".log.1"))
            os.truncate(path, 0)


async def follow(paths: Callable[[], list[Path]], lines: int, closed: Callable[[], bool]) -> AsyncGenerator[str, None]:
    """The last lines of files, then each new one; files may appear and be cut short meanwhile."""
    places: dict[Path, int] = {}
    for path in paths():
        places[path] = path.stat().st_size
    for line in [line for path in places for line in tail(path, lines)][-lines:] if lines else []:
        yield line
    while not closed():
        for path in paths():
            for line in _fresh(path, places):
                yield line
        # Files have no way to call us that works on every system and every kind of disk.
        await asyncio.sleep(POLL_S)


def _fresh(path: Path, places: dict[Path, int]) -> list[str]:
    """Whole lines written since the last look."""
    size = path.stat().st_size
    place = places.get(path, 0)
    if size < place:
        place = 0
    if size == place:
        return []
    with path.open("rb") as file:
        file.seek(place)
        data = file.read(size - place)
    whole = data.rfind(b"\n") + 1
    places[path] = place + whole
    return _lines(data[:whole])


def _lines(data: bytes) -> list[str]:
    """Text that is not ours, made safe where it comes in."""
    found = data.decode(errors="replace").removesuffix("\n").split("\n")
    return [clean(line.rstrip("\r").replace("\r", " ")) for line in found] if data else []
