"""What type each column is, and which are dropped with a word."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.work.columns import screen
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
        (
            [f"2024-01-{i % 28 + 1:02}" for i in range(ROWS)],
            "looks like a date; give its parts, such as month and hour",
        ),
        (pd.date_range("2024-01-01", periods=ROWS), "is a date; give its parts, such as month and hour, as numbers"),
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
        ([np.inf if i == 7 else i * i for i in range(ROWS)], "extra: 1 infinite value counts as missing"),
    ],
)
def test_a_column_that_is_doubtful_is_kept_with_a_word(column: Any, warning: str, tmp_path: Path) -> None:
    said: list[str] = []
    dataset = prepared(table(extra=column), tmp_path, said)
    assert "extra" in types(dataset)
    assert warning in said
    assert warning in dataset.report["warnings"]


def test_many_different_texts_are_kept_with_a_word(tmp_path: Path) -> None:
    frame = pd.DataFrame({"town": [f"t{i % 300}" for i in range(900)], "y": ["a", "b", "b"] * 300})
    assert screen(frame, "y").warnings == ("town: 300 different texts; the rarest count as unknown",)


def test_columns_can_be_dropped_by_name(tmp_path: Path) -> None:
    assert types(prepared(table(z=[i % 7 for i in range(ROWS)]), tmp_path, drop=["x"])) == {"z": "integer"}
