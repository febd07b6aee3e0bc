"""Columns that are read together are read as each alone, and what is counted is what pandas counts."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from core.work.column_report import ReadColumn
from core.work.content import codes_of, commonest, content_of, records_of
from core.work.plain_numbers import CELLS, read_plain, together

CELL = st.one_of(
    st.integers(-(10**16), 10**16).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["", "  ", "+7", " 3.5 ", "007", "1,5", "nan", "1e5", ".5", "-0", "x", "12%"]),
)
TABLES = st.integers(1, 6).flatmap(
    lambda rows: st.lists(st.lists(CELL, min_size=rows, max_size=rows), min_size=1, max_size=6)
)


def texts(cells: list[str], name: str = "c") -> pd.Series:
    """A column as a file gives it."""
    return pd.Series(cells, name=name, dtype="str")


@given(TABLES)
def test_columns_that_are_read_together_are_read_as_each_alone(table: list[list[str]]) -> None:
    columns = [texts(cells, f"c{at}") for at, cells in enumerate(table)]
    for column, found in zip(columns, read_plain(columns), strict=True):
        (alone,) = read_plain([column])
        assert (found is None) == (alone is None)
        if found is None or alone is None:
            continue
        pd.testing.assert_series_equal(found.values, alone.values)
        assert found.report == alone.report
        assert [None if pd.isna(value) else value for value in found.values] == [
            None if not cell.strip() else float(cell) for cell in column
        ]


def whole(found: ReadColumn | None) -> np.ndarray[Any, Any]:
    """The values of a column that was plain."""
    assert found is not None
    return found.values.to_numpy()


def test_a_column_with_an_odd_cell_leaves_those_beside_it_plain() -> None:
    first, odd, gaps, blank = read_plain([texts(["1", "2"]), texts(["1", "x"]), texts(["1.5", " "]), texts(["", " "])])
    assert whole(first).tolist() == [1, 2]
    assert whole(first).dtype == np.int64
    assert odd is None
    assert blank is None
    np.testing.assert_equal(whole(gaps), [1.5, np.nan])


def test_of_a_long_table_one_column_is_read_at_once_and_of_a_wide_one_many() -> None:
    assert together(CELLS * 3) == 1
    assert together(300) > 1000
    assert read_plain([]) == []


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 2, 3],
        [1.5, None, 1.5, None],
        [True, False, True, True],
        [True, None, False, None],
        ["b", "a", None, "b"],
        pd.array([2**60 + 1, None, 2**60 + 1, 5], dtype="Int64"),
        [None, None, None, None],
    ],
)
def test_what_a_column_holds_is_what_pandas_counts(values: Any) -> None:
    column = pd.Series(values)
    content = content_of(column)
    assert content.count == column.count()
    assert content.different == column.nunique()
    assert content.mark == content_of(column.copy()).mark
    assert content.mark != content_of(column.iloc[::-1].reset_index(drop=True)).mark or column.equals(
        column.iloc[::-1].reset_index(drop=True)
    )
    codes = codes_of(column, content)
    assert ((codes < 0) == column.isna()).all()
    assert len(set(codes[codes >= 0])) == content.different


def test_the_most_common_texts_come_first() -> None:
    assert commonest(content_of(texts(["b", "a", "b", "c", "c", "d"])), 3) == {"b": 2, "c": 2, "a": 1}
    assert commonest(content_of(texts([""] * 0)), 3) == {}


def test_a_row_as_json_has_plain_values_and_null_for_what_is_missing() -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, 2],
            "part": [0.5, np.nan],
            "large": pd.array([2**60 + 1, None], dtype="Int64"),
            "flag": pd.Series([True, None], dtype=object),
            "text": pd.Series(["a", None], dtype="str"),
        }
    )
    rows = records_of(frame)
    assert rows == [
        {"whole": 1, "part": 0.5, "large": 2**60 + 1, "flag": True, "text": "a"},
        {"whole": 2, "part": None, "large": None, "flag": None, "text": None},
    ]
    assert [type(value) for value in rows[0].values()] == [int, float, int, bool, str]
