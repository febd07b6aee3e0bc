"""What a column of texts is, decided by the many: numbers, true and false, dates or texts. Pure.

One odd cell among numbers is missing and listed; too many are refused by name.
"""

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from core.config.columns import ColumnSettings
from core.domain.errors import BadData
from core.work.attempts import (
    Attempt,
    Cells,
    attempt,
    booleans_in,
    cells_of,
    coded,
    dates_in,
    first_words,
    numbers_in,
    share,
)
from core.work.column_report import ColumnReport, ReadColumn, Unfit
from core.work.plain_numbers import read_plain
from scoring.cells import MISSING, CellReader, Decimal

SHOWN = 3
"""As many cells that did not fit are listed."""
FEW_CODES = 50
"""Up to so many different values a column that is partly numbers is one of codes."""
LONGEST = 40
COMMA, SAMPLED = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),(?:\d{1,2}|\d{4,})", re.ASCII), 200
"""A number that only a decimal comma explains, looked for in so many rows."""
FIRST = 20
"""Without a comma in so many cells a column decides nothing."""
EXACT, LARGEST = 2**53, 2**64


def read_column(values: pd.Series, asked: ColumnSettings | None, most_unfit: float, prefer: Decimal) -> ReadColumn:
    """Read one column of texts that are not all plain numbers, or not to be read so; raises BadData.

    `prefer` is the decimal sign where a column could have either.
    """
    asked = asked or ColumnSettings()
    cells = cells_of(values, asked.missing)
    if asked.type == "text":
        return _texts(values, cells, asked, ())
    if not cells.total:
        return _texts(values, cells, asked, ())
    dates = dates_in(values, cells, asked) if asked.type in (None, "date") else None
    if dates is not None and (asked.type == "date" or share(dates) >= 1 - most_unfit):
        return _within(dates, most_unfit)
    booleans = None if asked.type == "number" else booleans_in(values, cells, asked)
    if booleans is not None and (asked.type == "boolean" or share(booleans) >= 1 - most_unfit):
        return _within(booleans, most_unfit)
    if asked.type == "boolean":
        raise BadData(f"{cells.name}: no value is true or false; data.columns.{cells.name}.type is boolean")
    if asked.type is None and coded(cells):
        note = f"a number begins with 0, so these are codes; data.columns.{cells.name}: number reads numbers"
        return _texts(values, cells, asked, (note,))
    numbers = numbers_in(values, cells, asked, prefer)
    if asked.type == "number" or share(numbers) >= 1 - most_unfit:
        return _within(numbers, most_unfit)
    if share(numbers) > 0.5 and len(cells.texts) > FEW_CODES:
        _within(numbers, most_unfit)
    if asked.type is None and (words := first_words(cells)):
        text = next(text for text in cells.texts if len(text.split()) > 1)
        kept = f"first word of texts that mostly differ: {_short(text)!r} is {_short(text.split()[0])!r}"
        return _texts(values, words, asked, (f"{kept}; data.columns.{cells.name}: text keeps them whole",), True)
    return _texts(values, cells, asked, ())


def may_be_plain(asked: ColumnSettings | None, prefer: Decimal) -> bool:
    """Whether plain numbers would be read as such: where a comma is the sign 1.500 may be fifteen hundred."""
    if asked is None:
        return prefer == "."
    return prefer == "." and asked.type in (None, "number") and asked.decimal is None and not asked.missing


def _within(tried: Attempt, most_unfit: float) -> ReadColumn:
    """What was read, unless too many cells do not fit."""
    cells, name = tried.cells, tried.cells.name
    there = len(cells.codes) - tried.missing
    if tried.unfit > most_unfit * there:
        listed = ", ".join(f"{cell.text!r} in row {cell.row:,}" for cell in _first(tried))
        raise BadData(
            f"{name}: {tried.unfit:,} of {there:,} values are no {_kind(tried)} ({listed}); set data.columns.{name}: "
            f"text, or data.columns.{name}.missing, or data.max_unfit above {tried.unfit / there:.3g}"
        )
    values = _series(tried)
    reader = tried.reader
    notes = [*tried.notes, *_said(tried)]
    report = ColumnReport(
        name, _read_as(values, reader), there, there - tried.unfit, tried.missing, _first(tried), tuple(notes)
    )
    return ReadColumn(values, reader, report)


def _kind(tried: Attempt) -> str:
    return {"boolean": "true or false", "date": "dates"}.get(tried.reader.kind, "numbers")


def _read_as(values: pd.Series, reader: CellReader) -> str:
    if reader.kind == "boolean":
        return "true and false"
    if reader.kind == "date":
        return "dates"
    whole = pd.api.types.is_integer_dtype(values.dtype)
    return "whole numbers" if whole else "numbers"


def _said(tried: Attempt) -> list[str]:
    """How the spelling was understood, where it is not the plain one."""
    reader, cells = tried.reader, tried.cells
    notes = []
    if reader.decimal == ",":
        notes.append("decimal comma")
    if reader.mark:
        notes.append(f"{reader.mark} left out: {_example(tried, reader.mark)}")
    grouped = "." if reader.decimal == "," else ","
    if reader.kind == "number" and any(
        grouped in text for i, text in enumerate(cells.texts) if tried.values[i] is not None
    ):
        notes.append(f"thousands: {_example(tried, grouped)}")
    words = Counter(
        {
            t: n
            for t, n, v in zip(cells.texts, cells.counts, tried.values, strict=True)
            if v is None and t.lower() in MISSING
        }
    )
    if words:
        notes.append(f"missing: {', '.join(f'{word!r} {count:,} times' for word, count in words.most_common(3))}")
    return notes


def _example(tried: Attempt, sign: str) -> str:
    pairs = zip(tried.cells.texts, tried.values, strict=True)
    return next((f"{text} is {value}" for text, value in pairs if sign in text and value is not None), "")


def _first(tried: Attempt) -> tuple[Unfit, ...]:
    """The first cells that did not fit."""
    if not tried.odd:
        return ()
    rows = np.flatnonzero(np.isin(tried.cells.codes, list(tried.odd)))[:SHOWN]
    return tuple(
        Unfit(int(tried.raw.index[row]) + 1, _short(tried.cells.texts[tried.cells.codes[row]])) for row in rows
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _series(tried: Attempt) -> pd.Series:
    """The values in the narrowest type that holds them exactly."""
    present = [value for value in tried.values if value is not None]
    codes, index, name = tried.cells.codes, tried.raw.index, tried.raw.name
    gaps = bool((codes < 0).any()) or any(value is None for value in tried.values)
    picked = np.array([*tried.values, None], dtype=object)[codes]
    if tried.reader.kind == "boolean":
        return pd.Series(picked if gaps else picked.astype(bool), index=index, name=name)
    if tried.reader.kind == "date":
        return pd.Series(picked, index=index, name=name, dtype="str")
    if all(isinstance(value, int) for value in present):
        low, high = min(present, default=0), max(present, default=0)
        if low < -(2**63) or high >= LARGEST or (low < 0 and high >= 2**63):
            raise BadData(f"{name}: holds whole numbers beyond 64 bits; set data.columns.{name}: text")
        if max(-low, high) > EXACT and gaps:
            return pd.Series(picked, index=index, name=name).astype("UInt64" if high >= 2**63 else "Int64")
        kind = "float64" if gaps else "uint64" if high >= 2**63 else "int64"
        return pd.Series(picked.astype(kind), index=index, name=name)
    return pd.Series(picked.astype("float64"), index=index, name=name)


def _texts(
    values: pd.Series, cells: Cells, asked: ColumnSettings, notes: tuple[str, ...], first_word: bool = False
) -> ReadColumn:
    """Trimmed texts; only a blank and what the settings name is missing."""
    picked = np.array([*cells.texts, None], dtype=object)[cells.codes]
    said = [*notes, *_twins(cells)]
    if cells.trimmed:
        said.append("blanks around values left out")
    report = ColumnReport(cells.name, "texts", cells.total, cells.total, int((cells.codes < 0).sum()), (), tuple(said))
    series = pd.Series(picked, index=values.index, name=values.name, dtype="str")
    return ReadColumn(series, CellReader("text", missing=asked.missing, first_word=first_word), report)


def _twins(cells: Cells) -> list[str]:
    """Values that differ by capital letters alone."""
    groups: dict[str, list[str]] = {}
    for text in cells.texts:
        groups.setdefault(text.casefold(), []).append(text)
    twins = [group for group in groups.values() if len(group) > 1]
    if not twins:
        return []
    more = f" and {len(twins) - 1:,} more" if len(twins) > 1 else ""
    return [f"{' and '.join(map(repr, map(_short, twins[0][:3])))} differ by capital letters alone{more}"]


def read_target(values: pd.Series, asked: ColumnSettings | None) -> ReadColumn:
    """Labels from texts: whole numbers, numbers, true and false, else the texts themselves, trimmed.

    A blank is no label. A word such as None is one, unless all the others are numbers.
    """
    asked = asked or ColumnSettings()
    if asked.type != "text" and not asked.missing and (plain := read_plain([values])[0]) is not None:
        return plain
    cells = cells_of(values, asked.missing)
    if asked.type != "text" and cells.texts:
        if {text.lower() for text in cells.texts} <= {"true", "false"}:
            return _within(attempt(values, cells, CellReader("boolean", missing=asked.missing)), 0)
        numbers = attempt(values, cells, CellReader("number", asked.decimal or ".", missing=asked.missing))
        if not numbers.odd and not coded(cells) and any(value is not None for value in numbers.values):
            return _within(numbers, 0)
    words = [text for text in cells.texts if text.lower() in MISSING]
    note = (
        f"{', '.join(map(repr, words[:SHOWN]))} is a label; data.columns.{cells.name}.missing would leave its rows out"
    )
    return _texts(values, cells, asked, (note,) if words else ())


def preferred(columns: Iterable[pd.Series]) -> Decimal:
    """The decimal sign of a table: a comma where a column of texts can't be read otherwise."""
    for values in columns:
        if not any(isinstance(text, str) and "," in text for text in values.array[:FIRST].tolist()):
            continue
        first = [text.strip() for text in values.iloc[: 5 * SAMPLED].dropna()]
        first = [text for text in first if text][:SAMPLED]
        if sum(COMMA.fullmatch(text) is not None for text in first) > len(first) / 2:
            return ","
    return "."
