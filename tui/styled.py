"""Lines of the screen: pieces of text, each with the role that gives it its colour."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip

from tui.theme import Palette

Piece: TypeAlias = tuple[str, str]
"""Text and its role."""
Line: TypeAlias = tuple[Piece, ...]

EIGHTHS = " ▏▎▍▌▋▊▉"


def width(line: Iterable[Piece]) -> int:
    """How many cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


def cut(text: str, cells: int) -> str:
    """Text in at most so many cells; `…` says that some is missing."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1).rstrip() + "…" if cells > 1 else "…"[:cells]


def left(text: str, cells: int) -> str:
    """Text in exactly so many cells, from the left."""
    return set_cell_size(cut(text, cells), cells) if cells > 0 else ""


def right(text: str, cells: int) -> str:
    """Text in exactly so many cells, to the right."""
    short = cut(text, cells)
    return " " * (cells - cell_len(short)) + short


def fit(line: Line, cells: int) -> Line:
    """A line in at most so many cells."""
    if width(line) <= cells:
        return line
    kept: list[Piece] = []
    room = cells
    for text, role in line:
        if cell_len(text) > room:
            return (*kept, (cut(text, room), role)) if room > 0 else tuple(kept)
        kept.append((text, role))
        room -= cell_len(text)
    return tuple(kept)


def apart(one: Line, two: Line, cells: int) -> Line:
    """One at the left, two at the right; two is kept whole when there is too little room."""
    room = cells - width(two)
    if room <= 0:
        return fit(two, cells)
    short = fit(one, max(0, room - 1))
    return (*short, (" " * (room - width(short)), "text"), *two)


def wrapped(text: str, cells: int, role: str) -> list[Line]:
    """Text over as many lines as it needs, broken at blanks."""
    rows: list[str] = []
    # A figure stays with its unit.
    for word in " ".join(text.split()).replace(" %", "\N{NO-BREAK SPACE}%").split(" "):
        if rows and cell_len(rows[-1]) + 1 + cell_len(word) <= cells:
            rows[-1] += f" {word}"
        else:
            rows.append(cut(word, cells))
    return [((row, role),) for row in rows]


def bar(fraction: float, cells: int, role: str) -> Line:
    """A bar of so many cells, exact to an eighth of one, on a light track."""
    share = min(1.0, max(0.0, fraction))
    whole, part = divmod(round(share * cells * 8), 8)
    tip = EIGHTHS[part] if part else ""
    return (("█" * whole + tip, role), ("░" * (cells - whole - len(tip)), "bar.track"))


def strip(line: Line, cells: int, palette: Palette) -> Strip:
    """A line as Textual paints it."""
    segments = [Segment(text, palette.style(role)) for text, role in fit(line, cells) if text]
    return Strip(segments).adjust_cell_length(cells, palette.style("text"))


def padded(lines: Sequence[Line], height: int) -> list[Line]:
    """Exactly so many lines."""
    return [*lines[:height], *([()] * (height - len(lines)))]
