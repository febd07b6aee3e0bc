"""The rows of a release: read, judged, split into training and held-out rows. Trains nothing."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types
from sklearn.model_selection import train_test_split

from core.config.config import data_path
from core.config.settings import SAMPLES, SQL, DataSettings, Settings
from core.domain.errors import BadData
from core.system.suggest import nearest
from core.work.column_report import ColumnReport
from core.work.columns import Field, ReadingRules, Screened, screen
from core.work.content import records_of
from core.work.data_report import report_of
from core.work.raw_columns import all_texts, spelled, uncategorical
from core.work.reading import read_target
from core.work.sql import read_query
from core.work.tables import read_table

Label: TypeAlias = str | int | float | bool
Tell: TypeAlias = Callable[[str], None]

MIN_ROWS = 30
MAX_LABELS = 100
RARE = 0.05
"""A label with a smaller share of the rows is worth a warning."""
RARE_SHOWN = 5
LINES = 100
"""As many of a kind are said; the others stand in the report alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Raw rows with their target, cleaned but not encoded. `digest` is the SHA-256 of content, target and split."""

    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    fields: tuple[Field, ...]
    labels: tuple[Label, ...]
    digest: str
    report: dict[str, Any]

    @property
    def held_out(self) -> pd.DataFrame:
        """The held-out rows as a client sends them: without the target."""
        return self.test[[field.name for field in self.fields]]


def read(settings: Settings, say: Tell) -> pd.DataFrame:
    """All rows that the settings choose, as they are; raises BadData."""
    data = settings.data
    path = data_path(settings)
    if data.source == SQL:
        if data.sql is None:
            raise BadData("data.source: sql needs data.sql with a query and the url of its database")
        frame = _drawn(read_query(data.sql, settings.folder), data)
    elif path is None:
        frame = _sample(data)
    else:
        if not path.exists() and (near := nearest(data.source, SAMPLES)):
            raise BadData(f"{path}: no such file; data.source: did you mean the sample {near}?")
        if data.months is not None:
            raise BadData("data.months: only the sample flights has months; choose rows in the file instead")
        frame = read_table(path, say, data.max_unfit)
        frame = _drawn(frame, data)
    name = data.source if path is None else path.name
    note = " (synthetic)" if data.source == "support-tickets" else ""
    say(f"{name}{note}: {len(frame):,} rows, {len(frame.columns)} columns")
    return frame


def _drawn(frame: pd.DataFrame, data: DataSettings) -> pd.DataFrame:
    """As many rows as are asked for, with the numbers that they had: the report names them."""
    few = data.rows is not None and data.rows < len(frame)
    return frame.sample(n=data.rows, random_state=data.random_state) if few else frame


def _sample(data: DataSettings) -> pd.DataFrame:
    if data.months is not None and data.source != "flights":
        raise BadData(f"data.months: the sample {data.source} has no months; leave the setting out")
    if data.source == "flights":
        from core.work.samples.flights import flights  # noqa: PLC0415 - each reads its own library

        return flights(data.rows, data.months, data.random_state)
    if data.source == "iris":
        from core.work.samples.iris import iris  # noqa: PLC0415

        return iris()
    from core.work.samples.tickets import tickets  # noqa: PLC0415

    return tickets(data.rows, data.random_state)


def prepare(
    frame: pd.DataFrame, settings: Settings, say: Tell, tell: Callable[[int], None] = lambda _: None
) -> Dataset:
    """Judge the rows, drop what can't help, split by label; the same rows and settings give the same parts.

    `tell` hears how many columns are read. Raises BadData when no model can be trained on them; everything else that
    is worth knowing is said and reported.
    """
    data = settings.data
    rows = len(frame)
    frame = _chosen(frame, data)
    frame, read_as = _with_target(frame, data)
    warnings = [f"{_counted(rows - len(frame))} without {data.target} left out"] if len(frame) < rows else []
    columns = {str(name): values for name, values in frame.items()}
    del frame
    screened = screen(columns, data.target, ReadingRules(data.columns, data.max_unfit), tell)
    if screened.refused:
        for line in (*(column.line() for column in (*read_as, *screened.read)), *screened.refused):
            say(line)
        more = f" (and {len(screened.refused) - 1} more such)" if screened.refused[1:] else ""
        raise BadData(f"{screened.refused[0]}{more}")
    screened = replace(screened, frame=screened.frame.reset_index(drop=True))
    read = (*read_as, *screened.read)
    labels = _classes(screened.frame[data.target], data, settings.train.cv_folds)
    if not screened.fields:
        raise BadData(f"no column is left beside {data.target}: {_dropped(screened)}")
    marks = pd.util.hash_pandas_object(screened.frame, index=False).to_numpy()
    train, test, seen_again = split(screened.frame, data, marks)
    warnings += [*_rare(screened.frame[data.target]), *_twins(marks, seen_again, len(test)), *screened.warnings]
    warnings += [f"{data.target}: shuffled among the rows to train, as asked"] if data.shuffle_labels else []
    _say_the_first([column.line() for column in read if column.worth_a_word], "such columns", say)
    _say_the_first([f"{name}: dropped, {why}" for name, why in screened.dropped.items()], "dropped", say)
    _say_the_first(warnings, "such", say)
    digest = _digest(list(screened.frame.columns), marks, data)
    report = report_of(screened, data, rows, warnings) | {
        "train_rows": len(train),
        "test_rows": len(test),
        "digest": digest,
        "read": [column.document() for column in read],
    }
    say(f"{len(train):,} rows to train, {len(test):,} held out, {len(screened.fields)} fields")
    return Dataset(train, test, data.target, screened.fields, labels, digest, report)


def _say_the_first(lines: Sequence[str], what: str, say: Tell) -> None:
    """The first lines of a kind; the report has them all, a log of thousands is read by nobody."""
    for line in lines[:LINES]:
        say(line)
    if len(lines) > LINES:
        say(f"and {len(lines) - LINES:,} more {what}: quarterdeck data tells them all")


def _chosen(frame: pd.DataFrame, data: DataSettings) -> pd.DataFrame:
    """The table without the columns that the settings drop, once it is known to hold the target and rows."""
    names = list(frame.columns)
    if frame.empty:
        raise BadData(f"{Path(data.source).name}: holds no rows")
    for key, wanted in (("target", [data.target]), ("drop", data.drop)):
        for name in wanted:
            if name not in names:
                raise BadData(f"data.{key}: {Path(data.source).name} has no column {name!r}; {_offer(name, names)}")
    if data.target in data.drop:
        raise BadData(f"data.drop: {data.target} is the target; it can't be dropped")
    return frame.drop(columns=list(data.drop))


def _with_target(frame: pd.DataFrame, data: DataSettings) -> tuple[pd.DataFrame, tuple[ColumnReport, ...]]:
    """The rows that have a label, and how it was read where it was text."""
    target = uncategorical(frame[data.target])
    reports: tuple[ColumnReport, ...] = ()
    if all_texts(target) or data.target in data.columns:
        read = read_target(spelled(target), data.columns.get(data.target))
        target, reports = read.values, (read.report,)
    there = target.notna()
    frame = frame.copy(deep=False) if there.all() else frame[there]
    frame[data.target] = _target(target[there])
    return frame, reports


def _offer(name: str, names: Sequence[str]) -> str:
    near = nearest(name, names)
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"did you mean {near}? it has {listed}" if near else f"it has {listed}"


def _target(values: pd.Series) -> pd.Series:
    """The target as whole numbers, booleans or texts; whole numbers read as 1.0 because some were missing are 1."""
    if types.is_bool_dtype(values.dtype) or set(map(type, values)) == {bool}:
        return values.astype(bool)
    if types.is_numeric_dtype(values.dtype):
        whole = bool((values % 1 == 0).all())
        if whole and types.is_unsigned_integer_dtype(values.dtype):
            return values.astype("uint64")
        return values.astype("int64") if whole else values.astype("float64")
    return values.astype(object).map(str).astype("str")


def _classes(target: pd.Series, data: DataSettings, folds: int) -> tuple[Label, ...]:
    """The labels of a classification, sorted, each with enough rows to be learned and judged."""
    counts = target.value_counts()
    labels: list[Label] = sorted(target.unique().tolist())
    if len(target) < MIN_ROWS:
        raise BadData(f"{_counted(len(target))}: too few; at least {MIN_ROWS} are needed")
    if len(labels) == 1:
        raise BadData(f"data.target: {data.target} is {labels[0]!r} in every row; two different labels are needed")
    if len(labels) > MAX_LABELS:
        hint = "numbers to estimate are not trained yet" if types.is_numeric_dtype(target.dtype) else "name another"
        raise BadData(
            f"data.target: {data.target} has {len(labels):,} different values, at most {MAX_LABELS} are labels; {hint}"
        )
    need = max(math.ceil(1 / min(data.split, 1 - data.split)), math.ceil(folds / (1 - data.split)), 2)
    count = int(counts.iloc[-1])
    if count < need:
        rarest = counts.index.tolist()[-1]
        raise BadData(
            f"data.target: {data.target} is {rarest!r} in {_counted(count)}; at least {need} of a label are needed for "
            f"split {data.split:g} and {folds} folds: leave it out or gather more"
        )
    return tuple(labels)


def _rare(target: pd.Series) -> list[str]:
    shares = target.value_counts(normalize=True, ascending=True)
    rare = [f"{label} ({share:.1%})" for label, share in shares.items() if share < RARE]
    if not rare:
        return []
    listed = ", ".join(rare[:RARE_SHOWN]) + (f" and {len(rare) - RARE_SHOWN} more" if len(rare) > RARE_SHOWN else "")
    return [f"{target.name}: {len(rare)} label{'' if len(rare) == 1 else 's'} under {RARE:.0%} of the rows: {listed}"]


def _twins(marks: NDArray[np.integer[Any]], seen_again: int, held_out: int) -> list[str]:
    """Rows that are there more than once; those on both sides of the split make a model look better than it is."""
    count = len(marks) - len(pd.unique(marks))
    if not count:
        return []
    apart = f"; {seen_again:,} of {held_out:,} held-out rows are among those to train" if seen_again else ""
    return [f"{_counted(count)} the same as an earlier one{apart}"]


def _counted(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def split(
    frame: pd.DataFrame, data: DataSettings, marks: NDArray[np.integer[Any]]
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Training and held-out rows, each label in both by its share; and how many held out are among the others too,
    told by the `marks` of equal rows."""
    # Of codes, and not of the labels, as numpy sorts a million texts without letting anybody else speak.
    labels = pd.factorize(frame[data.target], sort=True)[0]
    train, test, known, asked = train_test_split(
        frame, marks, test_size=data.split, random_state=data.random_state, stratify=labels
    )
    seen_again = int(pd.Series(asked).isin(known).sum())
    train, test = train.reset_index(drop=True), test.reset_index(drop=True)
    if data.shuffle_labels:
        # Only what is learned from is spoilt: it must be judged by the truth.
        draw = np.random.default_rng(data.random_state)
        train[data.target] = train[data.target].to_numpy()[draw.permutation(len(train))]
    return train, test, seen_again


def _digest(names: list[str], marks: NDArray[np.integer[Any]], data: DataSettings) -> str:
    how = [names, data.target, data.split, data.random_state, data.shuffle_labels]
    digest = hashlib.sha256(json.dumps(how).encode())
    digest.update(marks.tobytes())
    return digest.hexdigest()


def _dropped(screened: Screened) -> str:
    return "; ".join(f"{name} {why}" for name, why in screened.dropped.items()) or "there were no others"


def write_rows(frame: pd.DataFrame, path: Path, count: int) -> None:
    """The first rows as JSON lines, raw as a client sends them; a missing value is null."""
    records = records_of(frame.head(count))
    path.write_text("".join(json.dumps(record, allow_nan=False) + "\n" for record in records), encoding="utf-8")
