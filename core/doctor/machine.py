"""The machine itself: room on its disks, and the terminal that this was called in."""

import locale
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from core.domain.diagnosis import Diagnoses, Examination, fail, looking, ok, warn
from core.journal.reserve import ROOMY
from core.system.text import size

LITTLE = 1 << 30
"""Less than this and a few releases more fill the disk."""
FEW_FILES = 10_000
COLUMNS, ROWS = 80, 24


def examinations(folder: Path) -> list[Examination]:
    """`folder` is where the project is, or this was called."""
    return [
        looking("disk", lambda: disk(folder)),
        looking("terminal", lambda: terminal(os.environ, _size(), locale.getpreferredencoding(False))),
    ]


def disk(folder: Path) -> Diagnoses:
    """Room where the project lies and where temporary files go."""
    scratch = Path(tempfile.gettempdir())
    places = [folder] if folder.stat().st_dev == scratch.stat().st_dev else [folder, scratch]
    for place in places:
        free, files = shutil.disk_usage(place).free, os.statvfs(place)
        said = f"{size(free)} free at {place}"
        if free < ROOMY:
            yield fail(f"{said}: releases can't be written down", "free some space; the journal's upkeep needs it too")
        elif files.f_files and files.f_favail < FEW_FILES:
            yield warn(f"{said}, but room for {files.f_favail} files alone", "remove files that nobody needs")
        elif free < LITTLE:
            yield warn(said, "free some space: retention.runs and retention.telemetry_days keep less")
        else:
            yield ok(said)


def _size() -> os.terminal_size | None:
    """Of the terminal behind stdout; None where there is none."""
    try:
        return os.get_terminal_size(1)
    except OSError:
        return None


def terminal(environ: Mapping[str, str], cells: os.terminal_size | None, encoding: str) -> Diagnoses:
    """Whether the deck can be drawn here."""
    if cells is None:
        return [ok("none here: commands print lines, the deck can't be shown")]
    word, wrong = environ.get("TERM", ""), []
    if word in {"", "dumb"}:
        wrong.append(warn(f"TERM is {word or 'not set'}: the deck can't be drawn", "export TERM=xterm-256color"))
    if cells.columns < COLUMNS or cells.lines < ROWS:
        wrong.append(warn(f"{cells.columns}x{cells.lines}: the deck needs {COLUMNS}x{ROWS}", "make it larger"))
    if encoding.lower().replace("-", "") != "utf8":
        wrong.append(warn(f"its locale says {encoding}: marks and curves turn into ?", "export LC_ALL=C.UTF-8"))
    return wrong or [ok(f"{cells.columns}x{cells.lines}, {_colours(environ)}, {encoding}")]


def _colours(environ: Mapping[str, str]) -> str:
    """How many it shows, as it says itself."""
    if "NO_COLOR" in environ:
        return "without colours (NO_COLOR is set)"
    if environ.get("COLORTERM", "") in {"truecolor", "24bit"}:
        return "16 million colours"
    return "256 colours" if "256" in environ.get("TERM", "") else "16 colours"
