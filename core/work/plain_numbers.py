"""Columns of which every cell is a plain number or blank: most columns of most tables, many of them read at once."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from core.work.column_report import ColumnReport, ReadColumn
from scoring.cells import CellReader

PLAIN = r"^[+-]?(0|[1-9]\d{0,14}|(0|[1-9]\d{0,14})?\.\d+|(0|[1-9]\d{0,14})\.)([eE][+-]?\d{1,2})?$"
WHOLE = r"^[+-]?\d+$"
CELLS = 400_000
"""So many cells are read together: of a long table one column, of a wide one hundreds, as a call of Arrow costs more
than a short column."""


def together(rows: int) -> int:
    """How many columns of so many rows are read at once."""
    return max(1, CELLS // max(1, rows))


def read_plain(columns: Sequence[pd.Series]) -> list[ReadColumn | None]:
    """Each of these columns of texts, all of the same rows; None for one that is not plain numbers."""
    if not columns or not len(columns[0]):
        return [None] * len(columns)
    rows = len(columns[0])
    texts = pc.utf8_trim_whitespace(_joined(columns))
    there = pc.if_else(pc.equal(texts, ""), None, texts)
    given = there.is_valid().to_numpy(zero_copy_only=False).reshape(-1, rows).sum(axis=1)
    plain = _all(there, PLAIN, rows) & (given > 0)
    if not plain.any():
        return [None] * len(columns)
    there = there if plain.all() else there.filter(pa.array(np.repeat(plain, rows)))
    whole = _all(there, WHOLE, rows)
    numbers = pc.cast(pc.replace_substring_regex(there, r"^\+", ""), pa.float64())
    table = numbers.to_numpy(zero_copy_only=False).reshape(-1, rows)
    found: list[ReadColumn | None] = [None] * len(columns)
    for at, place in enumerate(np.flatnonzero(plain).tolist()):
        raw, count = columns[place], int(given[place])
        # Fifteen digits are exact in a float too.
        values = table[at].astype(np.int64) if whole[at] and count == rows else table[at]
        kind = "whole numbers" if whole[at] else "numbers"
        report = ColumnReport(str(raw.name), kind, count, count, rows - count)
        series = pd.Series(values, index=raw.index, name=raw.name, copy=False)
        found[place] = ReadColumn(series, CellReader("number"), report)
    return found


def _joined(columns: Sequence[pd.Series]) -> pa.Array:
    """One column below the other."""
    parts: list[pa.Array] = []
    for values in columns:
        part = pa.array(values.array, type=pa.large_string(), from_pandas=True)
        parts += part.chunks if isinstance(part, pa.ChunkedArray) else [part]
    return pa.concat_arrays(parts)


def _all(texts: pa.Array, form: str, rows: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which columns have this form in every cell that is not blank."""
    fits = pc.fill_null(pc.match_substring_regex(texts, form), True)
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = fits.to_numpy(zero_copy_only=False).reshape(-1, rows).all(1)
    return found
