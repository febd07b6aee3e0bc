"""From rows as they were sent to the float32 matrix that the model reads; a missing value is NaN there."""

import math
import struct
from array import array
from collections.abc import Sequence
from typing import Any

import orjson

from scoring.manifest import Field
from scoring.payload import PayloadError, Row

NAN = math.nan
_ABSENT = object()
_INFINITIES = (struct.pack("f", math.inf), struct.pack("f", -math.inf))


class Encoder:
    """Appends rows to a matrix of float32 for one model's fields."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        self._codes: list[tuple[int, dict[Any, float]]] = [
            (place, {None: NAN} | {text: float(code) for code, text in enumerate(field.categories)})
            for place, field in enumerate(fields)
            if field.categories is not None
        ]

    def encode(self, rows: list[Row], matrix: "array[float]") -> int:
        """Append rows to the matrix and return how many categories in them are unknown.

        `PayloadError` names the first value that does not fit, and leaves the matrix as it was.
        """
        start = len(matrix)
        unknown = 0
        try:
            for index, row in enumerate(rows):
                unknown += self._encode_row(index, row, matrix)
            if _has_infinity(matrix, start):
                self._refuse_infinity(rows, matrix, start)
        except PayloadError:
            del matrix[start:]
            raise
        return unknown

    def _encode_row(self, index: int, row: Row, matrix: "array[float]") -> int:
        unknown = 0
        for place, codes in self._codes:
            value = row[place]
            code = codes.get(value, _ABSENT) if type(value) is str or value is None else _ABSENT
            if code is _ABSENT:
                code = self._rare(index, place, value, codes)
                unknown += code is NAN
            row[place] = code
        try:
            # None is the usual reason to fail, and looking for it first is cheaper than failing.
            matrix.extend([NAN if value is None else value for value in row] if None in row else row)
        except (TypeError, OverflowError):
            self._refuse(index, row)
        return unknown

    def _rare(self, index: int, place: int, value: Any, codes: dict[Any, float]) -> float:
        """The code of a category that is not a known text: numbers compare by their JSON text."""
        if isinstance(value, list | dict):
            raise PayloadError(422, f"row {index}: {self._fields[place].name} must be a text or null, not a container")
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return codes.get(text, NAN)

    def _refuse(self, index: int, row: Row) -> None:
        for field, value in zip(self._fields, row, strict=True):
            if value is not None and not isinstance(value, int | float):
                shown = orjson.dumps(value).decode()
                shown = shown if len(shown) <= 40 else f"{shown[:40]}…"
                raise PayloadError(422, f"row {index}: {field.name} must be a number, true, false or null, not {shown}")
            if isinstance(value, int):
                self._refuse_large(index, field, value)

    def _refuse_large(self, index: int, field: Field, value: float) -> None:
        try:
            fits = math.isfinite(array("f", [value])[0]) or math.isnan(value)
        except OverflowError:
            fits = False
        if not fits:
            raise PayloadError(422, f"row {index}: {field.name} is too large for a 32-bit float")

    def _refuse_infinity(self, rows: list[Row], matrix: "array[float]", start: int) -> None:
        for place in range(start, len(matrix)):
            if math.isinf(matrix[place]):
                index, column = divmod(place - start, len(self._fields))
                self._refuse_large(index, self._fields[column], rows[index][column])


def _has_infinity(matrix: "array[float]", start: int) -> bool:
    """Whether a number too large for float32 became infinite; bytes are searched faster than numbers."""
    raw = memoryview(matrix)[start:].tobytes()
    return any(infinity in raw for infinity in _INFINITIES)
