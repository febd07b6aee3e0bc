"""From rows as they were sent to the float32 matrix that the model reads; a missing value is NaN there."""

import math
import struct
from array import array
from collections.abc import Sequence
from typing import Any, NoReturn

import orjson

from scoring import dates
from scoring.cells import UnfitError
from scoring.manifest import FLOAT32_MAX, ModelField
from scoring.notes import Unknown
from scoring.payload import PayloadError, Row

NAN = math.nan
UNKNOWN = float("nan")
"""A missing value too, but another object: its place says that the category was not known."""
SHOWN = 40
"""So many characters of a wrong value stand in an error."""

_INFINITY, _MINUS_INFINITY = struct.pack("f", math.inf), struct.pack("f", -math.inf)


class Encoder:
    """Appends rows to a matrix of float32 for one model's fields."""

    def __init__(self, fields: Sequence[ModelField]) -> None:
        self._fields = tuple(fields)
        self._columns = [field for field in fields for _ in range(field.width)]
        self._dates = [(place, field) for place, field in enumerate(fields) if field.type == "date"]
        self._words = frozenset(place for place, field in enumerate(fields) if only_words(field.categories))
        self._codes: list[tuple[int, dict[Any, float]]] = [
            (place, {None: NAN} | {text: float(code) for code, text in enumerate(field.categories)})
            for place, field in enumerate(fields)
            if field.categories is not None
        ]
        self._readers = [(place, field.reader) for place, field in enumerate(fields) if field.reader is not None]
        self._texts = {place: reader for place, reader in self._readers if fields[place].categories is not None}
        self._spelled = [
            (place, reader) for place, reader in self._readers if place not in self._texts and reader.kind != "date"
        ]

    def encode(self, rows: list[Row], matrix: "array[float]", first: int = 0) -> list[Unknown]:
        """Append rows to the matrix and return where unknown categories stand in them; rows count from `first`.

        Rows are used up. `PayloadError` names the first value that does not fit, and leaves the matrix as it was.
        """
        start = len(matrix)
        unknown: list[Unknown] = []
        for index, row in enumerate(rows, first):
            try:
                for place, codes in self._codes:
                    value = row[place]
                    code = codes.get(value)
                    if code is None:
                        code = self._rare(index, place, value, codes)
                        if code is UNKNOWN:
                            unknown.append((index, place))
                    row[place] = code
                flat = self._flat(index, row) if self._dates else row
                # None is the usual reason to fail, and looking for it first is cheaper than failing.
                matrix.extend([NAN if value is None else value for value in flat] if None in flat else flat)
            except PayloadError:
                del matrix[start:]
                raise
            except (TypeError, OverflowError):
                # An array keeps what came before the value that failed.
                del matrix[start + (index - first) * len(self._columns) :]
                if not self._read_texts(index, row, matrix):
                    del matrix[start:]
                    self._refuse(index, row)
        return unknown

    def infinite(self, matrix: "array[float]", start: int, rows: int, first: int = 0) -> PayloadError | None:
        """What to say of a number that was too large for float32 among `rows` rows from `start`; None without one."""
        columns = len(self._columns)
        for place in range(start, start + rows * columns):
            if math.isinf(matrix[place]):
                index, column = divmod(place - start, columns)
                return _too_large(first + index, self._columns[column])
        return None

    def _rare(self, index: int, place: int, value: Any, codes: dict[Any, float]) -> float:
        """The code of what is not a known text: texts compare as their column's reader reads them, numbers by their
        JSON text, and the rest is unknown.

        A number for a field of words alone is a row in another order, and would get an answer that means nothing.
        """
        if place in self._words and isinstance(value, int | float):
            name, sent = self._fields[place].name, _shown(value)
            text = f"row {index}: {name} must be a text or null, not {sent} (values go in the order of the fields)"
            raise PayloadError(422, text)
        if not isinstance(value, str):
            return codes.get(orjson.dumps(value).decode(), UNKNOWN)
        reader = self._texts.get(place)
        # A blank is missing, and not an unknown category.
        return UNKNOWN if reader is None else codes.get(reader.read(value), UNKNOWN)

    def _flat(self, index: int, row: Row) -> Row:
        """A row in which each date is the numbers that the model sees."""
        flat, taken = [], 0
        for place, field in self._dates:
            flat += row[taken:place]
            flat += self._parts(index, field, row[place])
            taken = place + 1
        return flat + row[taken:]

    def _parts(self, index: int, field: ModelField, value: Any) -> Row:
        text = value
        if isinstance(value, str) and field.reader is not None:
            try:
                text = field.reader.read(value)
            except UnfitError:
                raise _no_date(index, field, value) from None
        if text is None:
            return [NAN] * field.width
        when = dates.read(text, True) if isinstance(text, str) else None
        if when is None:
            raise _no_date(index, field, value)
        return [dates.PARTS[part](when) for part in field.parts]

    def _read_texts(self, index: int, row: Row, matrix: "array[float]") -> bool:
        """Append a row whose numbers came as texts, as the file had them; False where a value is none of them."""
        read = list(row)
        for place, reader in self._spelled:
            if isinstance(value := read[place], str):
                try:
                    read[place] = reader.read(value)
                except UnfitError:
                    return False
        start = len(matrix)
        try:
            matrix.extend([NAN if value is None else value for value in self._flat(index, read)])
        except (TypeError, OverflowError):
            del matrix[start:]
            return False
        return True

    def _refuse(self, index: int, row: Row) -> NoReturn:
        """Say which value of a row does not fit."""
        for field, value in zip(self._fields, row, strict=True):
            if isinstance(value, str) and field.categories is None and _reads(field, value):
                continue
            if isinstance(value, str) and field.parts:
                raise _no_date(index, field, value)
            if isinstance(value, list | dict) or (isinstance(value, str) and field.categories is None):
                wanted = "a number, true, false or null" if field.categories is None else "a text or null"
                raise PayloadError(422, f"row {index}: {field.name} must be {wanted}, not {_shown(value)}")
        for field, value in zip(self._fields, row, strict=True):
            if isinstance(value, int) and abs(value) > FLOAT32_MAX:
                raise _too_large(index, field)
        raise PayloadError(422, f"row {index} can't be turned into numbers")


def _reads(field: ModelField, text: str) -> bool:
    """Whether a text is a value of a field that is no text itself: a date, or a number as the model's table had it."""
    read: str | float | None = text
    if field.reader is not None:
        try:
            read = field.reader.read(text)
        except UnfitError:
            return False
    elif not field.parts:
        return False
    return read is None or not field.parts or (isinstance(read, str) and dates.read(read, True) is not None)


def only_words(categories: Sequence[str] | None) -> bool:
    """Whether no category is a number or a boolean in its JSON text."""
    if not categories:
        return False
    for text in categories:
        try:
            if isinstance(orjson.loads(text), int | float):
                return False
        except orjson.JSONDecodeError:
            continue
    return True


def has_infinity(matrix: "array[float]") -> bool:
    """Whether a number too large for float32 became infinite; bytes are searched faster than numbers."""
    raw = matrix.tobytes()
    return raw.find(_INFINITY) >= 0 or raw.find(_MINUS_INFINITY) >= 0


def _no_date(index: int, field: ModelField, value: object) -> PayloadError:
    return PayloadError(
        422, f"row {index}: {field.name} must be a date such as 2024-01-31 or null, not {_shown(value)}"
    )


def _too_large(index: int, field: ModelField) -> PayloadError:
    return PayloadError(422, f"row {index}: {field.name} is too large for a 32-bit float")


def _shown(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
