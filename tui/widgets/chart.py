"""Charts: curves over time in the theme's colours, from plotext's cells. The one place that knows plotext.

A chart is kept until the data it was made of, or its size, is another.
"""

import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.state.endpoint import Mark
from tui import format as as_text
from tui.styled import Line, Piece, right
from tui.view import View
from tui.widgets.marks import MARK, mark_role

GAP_S, SPARSE = 3.0, 2.5
"""Samples further apart than this, or than so many times what each covers, have a gap between them."""
TURN = 2
"""So many cells long is each turn of curves that lie on each other."""
GUTTER = 6
"""Cells for the figures at the left of every chart, so that all charts share one time axis."""
_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")
_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a chart: times in seconds since the epoch, and values.

    It breaks before each place of `breaks`: what nobody watched is a gap, never a line.
    """

    role: str
    xs: Sequence[float]
    ys: Sequence[float]
    breaks: frozenset[int] = frozenset()

    def stretches(self) -> Iterator[tuple[Sequence[float], Sequence[float]]]:
        """The parts without a gap."""
        start = 0
        for at in range(1, len(self.xs) + 1):
            if at == len(self.xs) or at in self.breaks:
                yield self.xs[start:at], self.ys[start:at]
                start = at


@dataclass(frozen=True, slots=True)
class Axis:
    """The stretch of time that all charts show, in seconds since the epoch."""

    start: float
    end: float

    def column(self, at: float, cells: int) -> int | None:
        """The cell of a moment; None outside."""
        if not self.start <= at <= self.end or cells < 1:
            return None
        return min(cells - 1, int((at - self.start) / (self.end - self.start) * cells))


SHORT_S, WINDOW_S, LONG_S, LONGEST_S = 60.0, 180.0, 900.0, 3600.0
STRETCHES = (None, LONG_S, LONGEST_S)
"""What a key turns through: as long as there is something to show, up to three minutes; fifteen; sixty."""
GROWS_S = 30.0
TICKS_S = ((SHORT_S, 15), (2 * SHORT_S, 30), (2 * WINDOW_S, 60), (LONG_S, 180))


def axis(end: float, first: float | None = None, most: float = WINDOW_S) -> Axis:
    """Up to the newest sample: from `first` on, a minute at least and `most` at most, in steps of half a minute."""
    span = most if first is None else min(most, max(SHORT_S, math.ceil((end - first) / GROWS_S) * GROWS_S))
    return Axis(end - span, end)


def axis_of(view: View, full: bool = False) -> Axis:
    """The time that all charts of a deck show; one that fills the screen shows up to fifteen minutes."""
    if view.stretch_s is not None:
        return axis(view.end, None, view.stretch_s)
    return axis(view.end, view.start, LONG_S if full else WINDOW_S)


def ceiling(value: float) -> float:
    """A round figure above, of few, so that the scale seldom changes."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(step * unit for step in _STEPS if step * unit >= value * 0.999)


def breaks(xs: Sequence[float], seconds: Sequence[float]) -> frozenset[int]:
    """Before which of these samples, each over so many seconds, there is time that nobody watched."""
    return frozenset(at for at in range(1, len(xs)) if xs[at] - xs[at - 1] > max(GAP_S, SPARSE * seconds[at]))


class Chart:
    """One chart, drawn again only when it must be."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._size: tuple[float | None, ...] = ()
        self._lines: list[Line] = []
        self.drawn = 0

    def lines(
        self,
        key: tuple[object, ...],
        curves: Sequence[Curve],
        over: Axis,
        marks: Sequence[Mark],
        size: tuple[int, int],
        unit: str = "",
        top: float | None = None,
        limit: float | None = None,
        woven: bool = False,
    ) -> list[Line]:
        """The chart in `size` cells, figures at the left included; `key` holds what it is made of.

        `top` is the end of its scale, else one is found; a `limit` within it is drawn in. Curves that lie on each
        other take turns where they are `woven`: none is hidden.
        """
        width, height = size
        whole = (width, height, over.start, over.end, top, limit)
        key = (*key, _drawing())
        same = len(key) == len(self._key) and all(one is two for one, two in zip(key, self._key, strict=True))
        if not same or whole != self._size:
            self._key, self._size = key, whole
            self._lines = _drawn(curves, over, marks, (width, height), unit, top, limit, woven)
            self.drawn += 1
        return self._lines


def _drawn(
    curves: Sequence[Curve],
    over: Axis,
    marks: Sequence[Mark],
    size: tuple[int, int],
    unit: str,
    most: float | None,
    limit: float | None,
    woven: bool,
) -> list[Line]:
    width, height = size
    room = width - GUTTER
    if room < 8 or height < 1:
        return [() for _ in range(max(0, height))]
    top = most or ceiling(max((max(curve.ys) for curve in curves if curve.ys), default=0.0))
    known = [curve for curve in curves if curve.xs]
    if woven and len(known) > 1:
        rows = _woven([_cells([curve], over, top, room, height) for curve in known])
    else:
        rows = _cells(known, over, top, room, height)
    for mark in marks:
        column = over.column(mark.at, room)
        for row in rows if column is not None else ():
            if row[column][0] == " ":  # type: ignore[index]
                row[column] = (MARK[mark.kind], mark_role(mark))  # type: ignore[index]
    if limit is not None and 0 < limit <= top:
        row = rows[round((1 - limit / top) * (height - 1))]
        row[:] = [("╌", "failed") if cell[0] in " \u2800" else cell for cell in row]
    labels = {0: (as_text.whole(top) if top >= 10 else f"{top:g}") + unit}
    if height >= 5:
        labels[height // 2] = as_text.whole(top / 2) if top >= 10 else f"{top / 2:g}"
    if height >= 2:
        labels[height - 1] = "0"
    gutter = [right(labels.get(at, ""), GUTTER - 1) + " " for at in range(height)]
    return [((gutter[at], "dim"), *_joined(row)) for at, row in enumerate(rows)]


def _joined(row: Sequence[Piece]) -> Line:
    """Neighbours of one role as one piece."""
    pieces: list[Piece] = []
    for text, role in row:
        if pieces and (pieces[-1][1] == role or text == " "):
            pieces[-1] = (pieces[-1][0] + text, pieces[-1][1])
        else:
            pieces.append((text, role))
    return tuple(pieces)


def load() -> None:
    """Import what draws. Takes 0.2 s, so the first paint goes without; till then charts are empty."""
    import plotext  # noqa: PLC0415

    plotext.terminal.limit(False, False)


def _drawing() -> Any:
    """The module that draws, once `load` is through; None before."""
    module: Any = sys.modules.get("plotext")
    # A thread may be in the middle of importing it.
    return module if module is not None and not getattr(module.__spec__, "_initializing", False) else None


def _cells(curves: Sequence[Curve], over: Axis, top: float, width: int, height: int) -> list[list[Piece]]:
    plotext = _drawing()
    if not curves or plotext is None:
        return [[(" ", "text")] * width for _ in range(height)]
    figure = plotext.figure.clear()
    figure.plot_size(width, height)
    figure.axes(False)
    for name in ("x", "y"):
        figure.ruler(name).frequency(0)
    figure.ruler("x").lim(over.start, over.end)
    figure.ruler("y").lim(0, top)
    for number, curve in enumerate(curves):
        # The colour is the curve's number: what it looks like is the theme's matter.
        pen = plotext.marker("braille", pixel=plotext.pixel((0, 0, number)))
        for xs, ys in curve.stretches():
            figure.draw(figure.signal(xs, ys, marker=pen).lines(True))
    return [_row(text, curves, width) for text in figure.build().string().split("\n")[:height]]


def _woven(layers: Sequence[list[list[Piece]]]) -> list[list[Piece]]:
    """Curves drawn apart as one picture: a cell that several fill goes to each in its turn."""
    rows: list[list[Piece]] = []
    for lines in zip(*layers, strict=True):
        row: list[Piece] = []
        for at, cells in enumerate(zip(*lines, strict=True)):
            filled = [cell for cell in cells if cell[0] not in " \u2800"]
            row.append(filled[at // TURN % len(filled)] if filled else (" ", "text"))
        rows.append(row)
    return rows


def _row(text: str, curves: Sequence[Curve], width: int) -> list[Piece]:
    """One line of plotext's output, its colours turned back into curves."""
    row: list[Piece] = []
    role = "text"
    pieces = _COLOUR.split(text)
    for at, piece in enumerate(pieces):
        if at % 2 == 0:
            row += [(char, role) for char in piece]
        elif piece.startswith("38;2;"):
            number = int(piece.split(";")[4])
            role = curves[number].role if number < len(curves) else "text"
    return [*row[:width], *([(" ", "text")] * (width - len(row)))]


def times(over: Axis, width: int) -> Line:
    """The figures under the lowest chart: minutes before now."""
    room = width - GUTTER
    cells = [" "] * room
    span = over.end - over.start
    step = next((step for most, step in TICKS_S if span <= most), 600)
    count = int((over.end - over.start) / step)
    for back in range(count, 0, -1):
        text = f"-{as_text.span(back * step)}"
        column = over.column(over.end - back * step, room) or 0
        if column + len(text) < room - 4:
            cells[column : column + len(text)] = list(text)
    cells[room - 3 :] = list("now")
    return ((" " * GUTTER, "text"), ("".join(cells), "dim"))
