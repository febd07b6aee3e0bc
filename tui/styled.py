"""Lines of the screen: pieces of text, each with the role that gives it its colour."""

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip

from tui.theme import Palette

Piece: TypeAlias = tuple[str, str]
"""Text and its role."""
Line: TypeAlias = tuple[Piece, ...]
Part: TypeAlias = tuple[int, Line]
"""A piece of a line that stays or leaves as a whole, and its rank: 0 never leaves, the highest leaves first."""

EIGHTHS = " ▏▎▍▌▋▊▉"
_NUMBER = re.compile(r"[-+]?\d[\d.,:]*(?:[ \N{NO-BREAK SPACE}]?%|[ \N{NO-BREAK SPACE}]?ms\b|[kM]\b)?")


def width(line: Iterable[Piece]) -> int:
    """How many cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


def cut(text: str, cells: int) -> str:
    """Text in at most so many cells; `…` says that some is missing.

    A figure is never cut, nor does it touch the `…`: it stays or goes as a whole.
    """
    if cell_len(text) <= cells:
        return text
    if cells <= 1:
        return "…"[: max(0, cells)]
    # Padding may stand in for half of a wide character, so only what is really there counts.
    kept = len(set_cell_size(text, cells - 1).rstrip())
    for number in _NUMBER.finditer(text):
        if number.start() < kept < number.end():
            kept = number.start()
            break
    short = text[:kept].rstrip()
    while short[-1:].isdigit() and cell_len(short) + 2 > cells:
        short = short.rstrip("0123456789.,:+-").rstrip()
    return short + (" …" if short[-1:].isdigit() else "…")


def left(text: str, cells: int) -> str:
    """Text in exactly so many cells, from the left."""
    return set_cell_size(cut(text, cells), cells) if cells > 0 else ""


def right(text: str, cells: int) -> str:
    """Text to the right of so many cells; what needs more gets more, for a figure is never cut."""
    return " " * (cells - cell_len(text)) + text


def fit(line: Line, cells: int) -> Line:
    """A line in at most so many cells."""
    if width(line) <= cells:
        return line
    kept: list[Piece] = []
    room = cells
    for text, role in line:
        if cell_len(text) > room:
            short = cut(text, room) if room > 0 else ""
            # A `…` that touches a whole figure would look like a part of it.
            touches = short == "…" and kept and kept[-1][0][-1:].isdigit()
            return tuple(kept) if touches or not short else (*kept, (short, role))
        kept.append((text, role))
        room -= cell_len(text)
    return tuple(kept)


def fitting(parts: Sequence[Part], cells: int) -> Line:
    """The parts in order, without those that have to leave for the others to be whole."""
    kept = list(parts)
    for rank in sorted({rank for rank, _ in parts if rank}, reverse=True):
        if sum(width(line) for _, line in kept) <= cells:
            break
        kept = [part for part in kept if part[0] != rank]
    return tuple(piece for _, line in kept for piece in line)


def aligned(rows: Sequence[Sequence[Part]], cells: int) -> list[Line]:
    """Rows of the same parts as columns, each to the right and as wide as its widest; whole columns leave."""
    widths = [max(width(line) for _, line in column) for column in zip(*rows, strict=True)]
    padded_rows = [
        [(rank, ((" " * (room - width(line)), "text"), *line)) for (rank, line), room in zip(row, widths, strict=True)]
        for row in rows
    ]
    return [fitting(row, cells) for row in padded_rows]


def apart(one: Line, two: Line, cells: int) -> Line:
    """One at the left, two at the right; two is kept whole when there is too little room."""
    room = cells - width(two)
    if room <= 0:
        return fit(two, cells)
    short = fit(one, max(0, room - 1))
    return (*short, (" " * (room - width(short)), "text"), *two)


def columns(parts: Sequence[Line], cells: int) -> Line:
    """Lines side by side, so many cells each."""
    line: Line = ()
    for part in parts:
        line = (*line, *part, (" " * (cells - width(part)), "text"))
    return line


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
    safe = tuple((_safe(text), role) for text, role in line)
    segments = [Segment(text, palette.style(role)) for text, role in fit(safe, cells) if text]
    return Strip(segments).adjust_cell_length(cells, palette.style("text"))


def _safe(text: str) -> str:
    """What would move the cursor or turn the direction of text never reaches the terminal, whoever let it in."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "�" for c in text)


def padded(lines: Sequence[Line], height: int) -> list[Line]:
    """Exactly so many lines."""
    return [*lines[:height], *([()] * (height - len(lines)))]
