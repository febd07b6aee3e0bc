"""What type each column is, and which are dropped with a word."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.work.columns import screen
from core.work.reading import read_column
from tests.work.scene import ROWS, prepared, table, types


def test_columns_become_numbers_booleans_and_texts_and_keep_what_was_in_them(tmp_path: Path) -> None:
    some = range(ROWS)
    dataset = prepared(
        table(
            whole=pd.array([None if i == 3 else i % 9 for i in some], dtype="Int64"),
            flag=[None if i == 3 else i % 2 == 0 for i in some],
            nullable=pd.array([i % 3 == 0 for i in some], dtype="boolean"),
            money=[Decimal(i % 8) / 4 for i in some],
            mixed=[i % 3 if i % 2 else "other" for i in some],
            group=pd.Categorical([f"g{i % 3}" for i in some]),
            float32=np.array([i % 11 for i in some], dtype="float32"),
        ),
        tmp_path,
    )
    assert types(dataset) == {
        "x": "number",
        "whole": "integer",
        "flag": "boolean",
        "nullable": "boolean",
        "money": "number",
        "mixed": "category",
        "group": "category",
        "float32": "number",
    }
    both = pd.concat([dataset.train, dataset.test])
    assert set(both["mixed"]) == {"0", "1", "2", "other"}
    assert set(both["flag"].dropna()) == {True, False}
    assert both["whole"].isna().sum() == both["flag"].isna().sum() == 1


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (["k"] * ROWS, "is always k"),
        ([None] * ROWS, "has no value at all"),
        (list(range(ROWS)), "numbers the rows, from 0 to 119"),
        ([7 * i % ROWS + 1000 for i in range(ROWS)], "numbers the rows, from 1000 to 1119"),
        ([f"user {i}" for i in range(ROWS)], "names its row: 120 different texts in 120 rows"),
        ([i * 0.5 for i in range(ROWS)], "is the same as x"),
        (["no", "yes", "no"] * (ROWS // 3), "is the target y by another name"),
        ([f"2024-01-31 10:{i % 50:02}" for i in range(ROWS)], "is within one hour in every row"),
        (pd.to_timedelta(range(ROWS), unit="h"), "is a time span; give it as a number, such as its hours"),
        ([[i] for i in range(ROWS)], "holds list values, which no model takes"),
    ],
)
def test_a_column_that_cannot_help_is_dropped_with_a_word(column: Any, why: str, tmp_path: Path) -> None:
    said: list[str] = []
    dataset = prepared(table(extra=column), tmp_path, said)
    assert types(dataset) == {"x": "number"}
    assert list(dataset.train.columns) == ["x", "y"]
    assert [dropped["column"] for dropped in dataset.report["dropped"]] == ["extra"]
    assert any(line.startswith(f"extra: dropped, {why}") for line in said)


@pytest.mark.parametrize(
    ("column", "warning"),
    [
        ([None if i % 2 else i % 5 for i in range(ROWS)], "extra: 50% of the values are missing"),
        ([np.inf if i == 7 else i * i for i in range(ROWS)], "extra: 1 value counts as missing: infinite"),
        ([1e39 if i == 7 else i * i for i in range(ROWS)], "extra: 1 value counts as missing: beyond 3.4e+38"),
        (["1e39" if i < 3 else str(i * i) for i in range(ROWS)], "extra: 3 values count as missing: beyond 3.4e+38"),
        (["-1e400" if i < 3 else str(i * i) for i in range(ROWS)], "extra: 3 values count as missing: infinite"),
    ],
)
def test_a_column_that_is_doubtful_is_kept_with_a_word(column: Any, warning: str, tmp_path: Path) -> None:
    said: list[str] = []
    dataset = prepared(table(extra=column), tmp_path, said)
    assert "extra" in types(dataset)
    learned = dataset.train["extra"].to_numpy(np.float32, na_value=np.nan)
    assert not np.isinf(learned).any()
    assert warning in said
    assert warning in dataset.report["warnings"]


def test_many_different_texts_are_kept_with_a_word(tmp_path: Path) -> None:
    frame = pd.DataFrame({"town": [f"t{i % 300}" for i in range(900)], "y": ["a", "b", "b"] * 300})
    assert screen({str(name): values for name, values in frame.items()}, "y").warnings == (
        "town: 300 different texts; the rarest count as unknown",
    )


def test_columns_can_be_dropped_by_name(tmp_path: Path) -> None:
    assert types(prepared(table(z=[i % 7 for i in range(ROWS)]), tmp_path, drop=["x"])) == {"z": "integer"}


DAYS = [f"2024-{i % 12 + 1:02}-{i % 28 + 1:02}" for i in range(ROWS)]


@pytest.mark.parametrize(
    ("column", "parts"),
    [
        (DAYS, ("month", "weekday", "days")),
        (pd.to_datetime(pd.Series(DAYS)), ("month", "weekday", "days")),
        (pd.to_datetime(pd.Series(DAYS)).dt.tz_localize("Europe/Oslo"), ("month", "weekday", "hour", "days")),
        ([date.fromisoformat(day) for day in DAYS], ("month", "weekday", "days")),
        ([f"{day}T{i % 24:02}:00" for i, day in enumerate(DAYS)], ("month", "weekday", "hour", "days")),
    ],
    ids=["texts", "moments", "moments with an offset", "days", "texts with a time"],
)
def test_a_date_becomes_the_parts_that_are_not_always_the_same(
    column: Any, parts: tuple[str, ...], tmp_path: Path
) -> None:
    dataset = prepared(table(when=column), tmp_path)
    assert types(dataset)["when"] == "date"
    (field,) = [field for field in dataset.fields if field.name == "when"]
    assert tuple(part for part in field.parts if part != "year") == parts
    assert all(isinstance(text, str) for text in dataset.held_out["when"])


@pytest.mark.parametrize(
    ("texts", "first", "note"),
    [
        (["13/2/2024", "1/2/2024"], "2024-02-13", ""),
        (["2/13/2024", "1/2/2024"], "2024-02-13", ""),
        (["1.2.2024", "3.4.2024"], "2024-02-01", "1.2.2024 is taken for day 1 of month 2"),
        (["1/2/2024", "3/4/2024"], "2024-01-02", "data.columns.d.day_first settles it"),
        (["Feb 13 2024", "1 March 2024"], "2024-02-13", ""),
    ],
)
def test_which_comes_first_of_day_and_month_is_decided_by_the_many_or_said(
    texts: list[str], first: str, note: str
) -> None:
    read = read_column(pd.Series(texts * 10, name="d", dtype="str"), None, 0.05, ".")
    assert read.report.read_as == "dates"
    assert read.values.iloc[0] == first
    assert note in read.report.line()


def test_a_word_among_dates_is_missing_and_listed() -> None:
    read = read_column(pd.Series([*DAYS, "soon", "n/a"], name="d", dtype="str"), None, 0.05, ".")
    assert read.values.isna().sum() == 2
    assert "'soon' in row 121 counts as missing" in read.report.line()


def test_an_id_that_grows_with_the_target_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    ids = [100_000 + 17 * i + i % 5 for i in range(ROWS)]
    prepared(table(account=ids, y=["no"] * 70 + ["yes"] * 50), tmp_path, said)
    assert "account: grows with y, as an id would that gives it away; data.drop leaves it out" in said
    said.clear()
    prepared(table(account=ids), tmp_path, said)
    assert not any("grows" in line for line in said)
