"""Columns before training: what type each is, and which can't help. Knows nothing of the target's task."""

import decimal
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from core.config.columns import ColumnSettings
from core.work.column_report import ColumnReport
from core.work.dates import is_date
from core.work.reading import preferred, read_column

FieldType: TypeAlias = Literal["number", "integer", "boolean", "category"]

MANY_VALUES = 200
ALL_DIFFERENT = 0.9
"""From this share of different values on a text names its row, and says nothing of the next one."""
DENSE = 0.8
"""Whole numbers that are all different and fill this share of their range number the rows."""
FEW_ROWS = 20
"""Under so many rows different values prove nothing."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the model's input; `type` is number, integer, boolean or category."""

    name: str
    type: FieldType
    reader: dict[str, Any] | None = None
    """How the texts of its cells are read, where it had any; as the model's manifest keeps it."""


@dataclass(frozen=True, slots=True)
class Rules:
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


def screen(frame: pd.DataFrame, target: str, rules: Rules | None = None) -> Screened:
    """The columns that can be learned from, as plain numbers, booleans and texts, and the target as it is."""
    rules = rules or Rules()
    prefer = preferred(frame[name] for name in frame.columns if name != target and all_texts(frame[name]))
    reports: list[ColumnReport] = []
    kept: dict[str, pd.Series] = {}
    fields: list[Field] = []
    dropped: dict[str, str] = {}
    warned: list[str] = []
    seen: dict[int, list[str]] = {}
    for name in frame.columns:
        if name == target:
            continue
        column, reader = uncategorical(frame[name]), None
        if all_texts(column) or name in rules.columns:
            read = read_column(spelled(column), rules.columns.get(name), rules.most_unfit, prefer)
            column, reader = read.values, None if read.reader is None else read.reader.document()
            reports.append(read.report)
        values, kind = plain(column)
        if isinstance(kind, _Useless):
            dropped[name] = kind.why
            continue
        if why := _why_not(values, kind) or _copy_of(values, name, kept, seen):
            dropped[name] = why
            continue
        kept[name] = values
        fields.append(Field(name, kind, reader))
        warned += _warnings(column, values, kind)
    for name in [name for name, values in kept.items() if _same(values, frame[target])]:
        dropped[name] = f"is the target {target} by another name"
        del kept[name]
    fields = [each for each in fields if each.name in kept]
    table = pd.DataFrame({**kept, target: frame[target]}, index=frame.index)
    return Screened(table, tuple(fields), dropped, tuple(warned), tuple(reports))


@dataclass(frozen=True, slots=True)
class _Useless:
    why: str


def plain(values: pd.Series) -> tuple[pd.Series, FieldType | _Useless]:
    """A column as float64, int64, bool or text, and its type. Raw values stay what they are."""
    values = uncategorical(values)
    dtype = values.dtype
    if types.is_bool_dtype(dtype):
        return _booleans(values), "boolean"
    if types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        return values, _Useless("is a date; give its parts, such as month and hour, as numbers")
    if types.is_integer_dtype(dtype):
        return _whole(values), "integer"
    if types.is_float_dtype(dtype):
        return values.astype("float64").replace([np.inf, -np.inf], np.nan), "number"
    return _objects(values)


def _objects(values: pd.Series) -> tuple[pd.Series, FieldType | _Useless]:
    """A column of texts, or of Python's objects as CSV with gaps and Parquet give them."""
    there = values.dropna()
    kinds = {type(value) for value in there}
    if kinds == {bool}:
        return _booleans(values), "boolean"
    if kinds and kinds <= {decimal.Decimal, int, float}:
        return values.astype("float64").replace([np.inf, -np.inf], np.nan), "number"
    if kinds <= {str, bool, int, float, decimal.Decimal}:
        if len(there) and there.astype(str).map(is_date).all():
            return values, _Useless("looks like a date; give its parts, such as month and hour, as numbers")
        return values.map(_text, na_action="ignore").astype("str"), "category"
    kind = min(kind.__name__ for kind in kinds)
    return values, _Useless(f"holds {kind} values, which no model takes")


def uncategorical(values: pd.Series) -> pd.Series:
    """A column of pandas' categories as what they are."""
    is_one = isinstance(values.dtype, pd.CategoricalDtype)
    return values.astype(values.cat.categories.dtype) if is_one else values


def all_texts(values: pd.Series) -> bool:
    """Whether a column holds texts and gaps alone."""
    if isinstance(values.dtype, pd.StringDtype):
        return True
    return values.dtype == object and {type(value) for value in values.dropna()} == {str}


def spelled(values: pd.Series) -> pd.Series:
    """A column whose settings ask for another type than its file gives, in texts."""
    return values if all_texts(values) else values.astype(object).map(_text, na_action="ignore")


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


def _text(value: Any) -> str:
    """A value of a category: text as it is, anything else as JSON writes it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _why_not(values: pd.Series, kind: FieldType) -> str:
    """Why nothing can be learned from a column; empty when something can."""
    different, count = values.nunique(), int(values.notna().sum())
    if different == 0:
        return "has no value at all"
    if values.nunique(dropna=False) == 1:
        return f"is always {values.iloc[0]}"
    if count >= FEW_ROWS and kind == "category" and different >= ALL_DIFFERENT * count:
        return f"names its row: {different:,} different texts in {count:,} rows"
    if count >= FEW_ROWS and kind == "integer" and different == count:
        low, high = int(values.min()), int(values.max())
        if count >= DENSE * (high - low + 1):
            return f"numbers the rows, from {low} to {high}"
    return ""


def _copy_of(values: pd.Series, name: str, kept: dict[str, pd.Series], seen: dict[int, list[str]]) -> str:
    """Which column this one repeats, in words; empty without one. `seen` holds names by content."""
    mark = int(pd.util.hash_pandas_object(values, index=False).sum())
    for other in seen.setdefault(mark, []):
        if values.equals(kept[other]):
            return f"is the same as {other}"
    seen[mark].append(name)
    return ""


def _same(values: pd.Series, target: pd.Series) -> bool:
    """Whether each label has one value of its own, and each value one label: yes and no as 1 and 0 too."""
    ours, values_ = pd.factorize(values)
    theirs, labels = pd.factorize(target)
    if len(values_) != len(labels) or bool((ours < 0).any()):
        return False
    return len(np.unique(ours * len(labels) + theirs)) == len(labels)


def _warnings(raw: pd.Series, values: pd.Series, kind: FieldType) -> list[str]:
    """What someone should know of a column that is kept."""
    found = []
    missing = values.isna().mean()
    if missing >= 0.5:
        found.append(f"{raw.name}: {missing:.0%} of the values are missing")
    if kind == "category" and values.nunique() > MANY_VALUES:
        found.append(f"{raw.name}: {values.nunique():,} different texts; the rarest count as unknown")
    infinite = int(values.isna().sum() - raw.isna().sum())
    if infinite:
        what = "1 infinite value counts" if infinite == 1 else f"{infinite:,} infinite values count"
        found.append(f"{raw.name}: {what} as missing")
    return found
