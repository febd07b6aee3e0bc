"""What a model has not seen in training: categories that it does not know, numbers outside the range of its rows.

Both are answered all the same. Metrics count them, and who asks for notes is told of them row by row.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import gt, lt
from typing import Any, TypeAlias, TypedDict

from scoring.manifest import ModelField
from scoring.payload import Row

MOST_NOTES = 100
"""So many notes stand in an answer; a further one says how many were left out."""
LOOKED_AT = 4
"""So many rows of a call are compared with the ranges: of a busy service's, that is a sample."""
SHOWN = 40
Unknown: TypeAlias = tuple[int, int]
"""A row and the place of its field, where a category is not known."""


class Note(TypedDict, total=False):
    """One value of a request that the model has not seen the like of."""

    row: int
    field: str
    value: Any
    note: str


@dataclass(slots=True)
class Notes:
    """Those of one request: the first ones, and how many more there were."""

    first: list[Note] = field(default_factory=list)
    more: int = 0

    def take(self, note: Note) -> None:
        """One more."""
        if len(self.first) < MOST_NOTES:
            self.first.append(note)
        else:
            self.more += 1

    def document(self) -> list[Note]:
        """As an answer has them."""
        return [*self.first, {"note": f"{self.more} more"}] if self.more else self.first


class Ranges:
    """Finds numbers outside the trained ranges in a matrix. Without any range it finds none."""

    def __init__(self, fields: Sequence[ModelField]) -> None:
        self._fields = tuple(fields)
        self._starts = [0]
        for each in self._fields:
            self._starts.append(self._starts[-1] + each.width)
        self._columns = self._starts[-1]
        ends = [_ends(each) for each in self._fields for _ in range(each.width)]
        self._lows, self._highs = [low for low, _ in ends], [high for _, high in ends]
        self.known = any(each.range is not None for each in self._fields)

    def count(self, matrix: "array[float]", rows: int, outside: dict[int, int]) -> tuple[int, int]:
        """Add up the values outside by the place of their field, in a part of the rows; how many rows that were, and
        how many of them hold any."""
        if not self.known:
            return 0, 0
        looked_at, strange = min(rows, LOOKED_AT), 0
        step = self._columns * (rows // LOOKED_AT or 1)
        for start in range(0, looked_at * step, step):
            values = matrix[start : start + self._columns].tolist()
            if any(map(gt, values, self._highs)) or any(map(lt, values, self._lows)):
                places = [place for place, at in enumerate(self._starts[:-1]) if self._is_outside(at, values[at])]
                strange += bool(places)
                for place in places:
                    outside[place] = outside.get(place, 0) + 1
        return looked_at, strange

    def note(self, rows: Sequence[Row], matrix: "array[float]", start: int, first: int, notes: Notes) -> None:
        """Take down what there is to say of rows as they were sent; their numbers begin at `start`."""
        for index, row in enumerate(rows):
            at = start + index * self._columns
            for place, (about, value) in enumerate(zip(self._fields, row, strict=True)):
                if said := self._said(place, value, matrix[at + self._starts[place]]):
                    notes.take({"row": first + index, "field": about.name, "value": _shown(value), "note": said})

    def _said(self, place: int, sent: Any, value: float) -> str:
        about = self._fields[place]
        if about.categories is not None:
            return "unknown category" if math.isnan(value) and not _is_missing(about, sent) else ""
        if about.range is None or not self._is_outside(self._starts[place], value):
            return ""
        low, high = about.range
        return f"outside {low:.7g} to {high:.7g}, the range in training"

    def _is_outside(self, column: int, value: float) -> bool:
        return value > self._highs[column] or value < self._lows[column]


def add(counts: dict[int, int], unknown: Sequence[Unknown]) -> int:
    """Count unknown categories by the place of their field; tells how many rows they stand in."""
    for _, place in unknown:
        counts[place] = counts.get(place, 0) + 1
    return len({row for row, _ in unknown})


def _ends(about: ModelField) -> tuple[float, float]:
    """As the matrix has them: a bound that is rounded otherwise than a value would not hold it."""
    if about.range is None:
        return -math.inf, math.inf
    low, high = array("f", about.range)
    return low, high


def _is_missing(about: ModelField, sent: Any) -> bool:
    return sent is None or (isinstance(sent, str) and about.reader is not None and about.reader.read(sent) is None)


def _shown(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= SHOWN else f"{value[:SHOWN]}…"
