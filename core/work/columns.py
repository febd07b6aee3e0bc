"""Columns before training: what type each is, and which can't help. Knows nothing of the target's task."""

import decimal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from core.config.columns import ColumnSettings
from core.domain.errors import BadData
from core.work.column_report import ColumnReport, ReadColumn
from core.work.content import Content, codes_of, content_of
from core.work.dates import parts_of
from core.work.plain_numbers import read_plain, together
from core.work.raw_columns import all_texts, dated, spelled, text_of, uncategorical
from core.work.reading import may_be_plain, preferred, read_column
from scoring.cells import Decimal

FieldType: TypeAlias = Literal["number", "integer", "boolean", "category", "date"]

LARGEST = float(np.finfo(np.float32).max)
"""Models learn from numbers of four bytes, for which a larger one is infinite."""
MANY_VALUES = 200
ALL_DIFFERENT = 0.9
"""From this share of different values on a text names its row, and says nothing of the next one."""
DENSE = 0.8
"""Whole numbers that are all different and fill this share of their range number the rows."""
IN_ORDER = 0.01
"""Where labels change less often along a column, the column tells the label."""
FEW_ROWS = 20
"""Under so many rows different values prove nothing."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the model's input; `type` is number, integer, boolean, category or date."""

    name: str
    type: FieldType
    reader: dict[str, Any] | None = None
    """How the texts of its cells are read, where it had any; as the model's manifest keeps it."""
    parts: tuple[str, ...] = ()
    """Of a date what the model sees."""


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How columns of texts are read: what the project says of each, and the share that may not fit."""

    columns: Mapping[str, ColumnSettings] = field(default_factory=dict)
    most_unfit: float = 0.05


@dataclass(frozen=True, slots=True)
class Screened:
    """A table whose columns are all of use; `dropped` says why others were not, `warnings` what to look at."""

    frame: pd.DataFrame
    fields: tuple[Field, ...]
    dropped: dict[str, str]
    warnings: tuple[str, ...]
    read: tuple[ColumnReport, ...] = ()
    refused: tuple[str, ...] = ()
    """Why columns can't be read as they are: with one the table is of no use."""


def screen(
    columns: dict[str, pd.Series],
    target: str,
    rules: ReadingRules | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> Screened:
    """The columns that can be learned from, as plain numbers, booleans and texts, and the target as it is.

    Each column is taken out of `columns` as it is read, as the texts of a long table beside its numbers take too much
    memory. After each `tell` hears how many are done.
    """
    rules = rules or ReadingRules()
    truth = columns.pop(target)
    prefer = preferred(values for values in columns.values() if all_texts(values))
    labels = pd.factorize(truth)
    reports: list[ColumnReport] = []
    kept: dict[str, pd.Series] = {}
    fields: list[Field] = []
    dropped: dict[str, str] = {}
    warned: list[str] = []
    refused: list[str] = []
    seen: dict[int, list[str]] = {}
    for done, (name, raw, plain_one) in enumerate(_read(columns, len(truth), rules, prefer)):
        tell(done)
        column, reader = raw, None
        if plain_one is not None or all_texts(raw) or name in rules.columns:
            try:
                read = plain_one or read_column(spelled(raw), rules.columns.get(name), rules.most_unfit, prefer)
            except BadData as why_not:
                refused.append(str(why_not))
                continue
            column, reader = read.values, None if read.reader is None else read.reader.document()
            reports.append(read.report)
        values, kind = (column, "date") if reader and reader["kind"] == "date" else plain(column)
        if isinstance(kind, _Useless):
            dropped[name] = kind.why
            continue
        content = content_of(values)
        if why := (
            _why_not(values, kind, content)
            or _copy_of(values, name, content.mark, kept, seen)
            or _twin_of_the_target(values, content, target, labels)
        ):
            dropped[name] = why
            continue
        parts = parts_of(values) if kind == "date" else ()
        if kind == "date" and not parts:
            dropped[name] = "is within one hour in every row"
            continue
        kept[name] = values
        fields.append(Field(name, kind, reader, parts))
        warned += _warnings(column, values, kind, content)
        if kind == "integer" and content.different >= ALL_DIFFERENT * content.count and _grows(values, labels):
            warned.append(f"{name}: grows with {target}, as an id would that gives it away; data.drop leaves it out")
    table = pd.DataFrame({**kept, target: truth}, index=truth.index)
    return Screened(table, tuple(fields), dropped, tuple(warned), tuple(reports), tuple(refused))


def _read(
    columns: dict[str, pd.Series], rows: int, rules: ReadingRules, prefer: Decimal
) -> Iterator[tuple[str, pd.Series, ReadColumn | None]]:
    """Each column, with what it is where it is one of plain numbers."""
    while columns:
        names = list(islice(columns, together(rows)))
        part = {name: dated(uncategorical(columns.pop(name))) for name in names}
        wanted = [
            name
            for name, column in part.items()
            if may_be_plain(rules.columns.get(name), prefer) and (name in rules.columns or all_texts(column))
        ]
        found = dict(zip(wanted, read_plain([spelled(part[name]) for name in wanted]), strict=True))
        for name in names:
            yield name, part.pop(name), found.pop(name, None)


@dataclass(frozen=True, slots=True)
class _Useless:
    why: str


_AS_THEY_ARE: Mapping[np.dtype[Any], FieldType] = {
    np.dtype(np.int64): "integer",
    np.dtype(np.float64): "number",
    np.dtype(np.bool_): "boolean",
}
"""Most columns; to look closer costs more than to read them."""


def plain(values: pd.Series) -> tuple[pd.Series, FieldType | _Useless]:
    """A column as float64, int64, bool or text, and its type. Raw values stay what they are."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype in _AS_THEY_ARE:
        return (_finite(values) if dtype == np.float64 else values), _AS_THEY_ARE[dtype]
    if types.is_bool_dtype(dtype):
        return _booleans(values), "boolean"
    if types.is_timedelta64_dtype(dtype):
        return values, _Useless("is a time span; give it as a number, such as its hours")
    if types.is_integer_dtype(dtype):
        return _whole(values), "integer"
    if types.is_float_dtype(dtype):
        return _finite(values), "number"
    return _objects(values)


def _finite(values: pd.Series) -> pd.Series:
    """Numbers of which one that is infinite, for a model at least, is missing."""
    numbers = values if values.dtype == np.float64 else values.astype("float64")
    beyond = np.abs(numbers.to_numpy()) > LARGEST
    return numbers.mask(beyond) if beyond.any() else numbers


def _objects(values: pd.Series) -> tuple[pd.Series, FieldType | _Useless]:
    """A column of texts, or of Python's objects as CSV with gaps and Parquet give them."""
    if isinstance(values.dtype, pd.StringDtype):
        return values, "category"
    kinds = {type(value) for value in values.dropna()}
    if kinds == {bool}:
        return _booleans(values), "boolean"
    if kinds and kinds <= {decimal.Decimal, int, float}:
        return _finite(values), "number"
    if kinds <= {str, bool, int, float, decimal.Decimal}:
        return values.map(text_of, na_action="ignore").astype("str"), "category"
    kind = min(kind.__name__ for kind in kinds)
    return values, _Useless(f"holds {kind} values, which no model takes")


def _whole(values: pd.Series) -> pd.Series:
    """Whole numbers, exact: as floats only where some are missing and none is beyond 2^53."""
    large = max(-int(values.min()), int(values.max())) if values.notna().any() else 0
    unsigned = large >= 2**63
    if not values.isna().any():
        return values.astype("uint64" if unsigned else "int64")
    return values.astype("float64") if large <= 2**53 else values.astype("UInt64" if unsigned else "Int64")


def _booleans(values: pd.Series) -> pd.Series:
    """True, False and, where some are missing, None: however the file said it."""
    return values.astype(object).where(values.notna(), None) if values.isna().any() else values.astype(bool)


def _why_not(values: pd.Series, kind: FieldType, content: Content) -> str:
    """Why nothing can be learned from a column; empty when something can."""
    count, different = content.count, content.different
    if different == 0:
        return "has no value at all"
    if different == 1 and count == len(values):
        return f"is always {values.iloc[0]}"
    if count >= FEW_ROWS and kind == "category" and different >= ALL_DIFFERENT * count:
        return f"names its row: {different:,} different texts in {count:,} rows"
    if count >= FEW_ROWS and kind == "integer" and different == count:
        low, high = int(values.min()), int(values.max())
        if count >= DENSE * (high - low + 1):
            return f"numbers the rows, from {low} to {high}"
    return ""


def _copy_of(values: pd.Series, name: str, mark: int, kept: Mapping[str, pd.Series], seen: dict[int, list[str]]) -> str:
    """Which column this one repeats, in words; empty without one. `seen` holds names by content."""
    for other in seen.setdefault(mark, []):
        if values.equals(kept[other]):
            return f"is the same as {other}"
    seen[mark].append(name)
    return ""


def _twin_of_the_target(values: pd.Series, content: Content, target: str, known: tuple[Any, Any]) -> str:
    """Whether each label has one value of its own, and each value one label: yes and no as 1 and 0 too."""
    theirs, labels = known
    if content.different != len(labels) or content.count < len(values):
        return ""
    ours = codes_of(values, content)
    if len(np.unique(ours * len(labels) + theirs)) != len(labels):
        return ""
    return f"is the target {target} by another name"


def _grows(values: pd.Series, known: tuple[Any, Any]) -> bool:
    """Whether rows in the order of a column stand label by label, but for a few."""
    theirs, labels = known
    if len(values) < FEW_ROWS:
        return False
    in_order = theirs[np.argsort(values.to_numpy(np.float64, na_value=np.inf), kind="stable")]
    changes = int((in_order[1:] != in_order[:-1]).sum())
    return changes < len(labels) + IN_ORDER * len(values)


def _warnings(raw: pd.Series, values: pd.Series, kind: FieldType, content: Content) -> list[str]:
    """What someone should know of a column that is kept."""
    found = []
    missing, different = len(values) - content.count, content.different
    if missing >= 0.5 * len(values):
        found.append(f"{raw.name}: {missing / len(values):.0%} of the values are missing")
    if kind == "category" and different > MANY_VALUES:
        found.append(f"{raw.name}: {different:,} different texts; the rarest count as unknown")
    if beyond := missing and missing - int(raw.isna().sum()):
        infinite = int(np.isinf(raw.to_numpy(np.float64, na_value=np.nan)).sum())
        for count, what in ((infinite, "infinite"), (beyond - infinite, f"beyond {LARGEST:.1e}")):
            counted = "1 value counts" if count == 1 else f"{count:,} values count"
            found += [f"{raw.name}: {counted} as missing: {what}"] if count else []
    return found
