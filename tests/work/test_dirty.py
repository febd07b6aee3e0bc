"""A clean table, and the same one as people would have written it: what is learned from is the same."""

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings as how, strategies as st
from pandas.testing import assert_frame_equal

from core.work.data import prepare, read
from scoring.cells import CellReader
from tests.work.scene import settings

ROWS = 200
NAMES = ["amount", "count", "flag", "city", "zip", "y"]
Row = list[str]


def clean() -> list[Row]:
    """Numbers, whole numbers, true and false, texts, codes and a target of two labels."""
    draw = np.random.default_rng(7)
    return [
        [
            f"{draw.normal(0, 4000):.2f}",
            str(draw.integers(0, 90_000)),
            str(bool(draw.integers(2))),
            ("Oslo", "Rome", "NA", "None")[draw.integers(4)],
            f"{draw.integers(0, 60):05}",
            "ab"[draw.integers(2)],
        ]
        for _ in range(ROWS)
    ]


def written(rows: list[Row], separator: str = ",", quoting: int = csv.QUOTE_MINIMAL, ends: str = "\n") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=ends)  # type: ignore[arg-type]
    writer.writerows([NAMES, *rows])
    return text.getvalue()


def each(column: int, change: Callable[[str], str]) -> list[Row]:
    return [[change(cell) if at == column else cell for at, cell in enumerate(row)] for row in clean()]


def grouped(cell: str) -> str:
    return f"{int(cell):,}"


DIRTY: Mapping[str, bytes] = {
    "decimal comma": written(each(0, lambda cell: cell.replace(".", ",")), ";").encode(),
    "thousands": written(each(1, grouped)).encode(),
    "percent": written(each(0, lambda cell: f"{cell} %")).encode(),
    "currency": written(each(0, lambda cell: f"-${cell[1:]}" if cell[0] == "-" else f"${cell}")).encode(),
    "negative in brackets": written(each(0, lambda cell: f"({cell[1:]})" if cell[0] == "-" else cell)).encode(),
    "blanks around": written([[f" {cell}  " for cell in row] for row in clean()]).encode(),
    "true and false in capitals": written(each(2, str.upper)).encode(),
    "yes and no": written(each(2, lambda cell: "yes" if cell == "True" else "No")).encode(),
    "all quoted": written(clean(), quoting=csv.QUOTE_ALL).encode(),
    "tabs and carriage returns": written(clean(), "\t", ends="\r\n").encode(),
    "UTF-16": written(clean()).encode("utf-16"),
    "a preamble": ("Export of the day\n\n" + written(clean())).encode(),
}


def taught(content: bytes, folder: Path) -> pd.DataFrame:
    (folder / "rows.csv").write_bytes(content)
    chosen = settings(folder)
    dataset = prepare(read(chosen, lambda _: None), chosen, lambda _: None)
    return pd.concat([dataset.train, dataset.test])


@pytest.mark.parametrize("way", DIRTY)
def test_a_table_written_another_way_teaches_the_same(way: str, tmp_path: Path) -> None:
    assert_frame_equal(taught(DIRTY[way], tmp_path), taught(written(clean()).encode(), tmp_path))


@pytest.mark.parametrize("word", ["n.a.", "?", "-", "NULL", "abc"])
def test_one_odd_cell_among_numbers_is_missing_and_changes_no_other(word: str, tmp_path: Path) -> None:
    rows = clean()
    rows[3][0] = word
    dirty, neat = taught(written(rows).encode(), tmp_path), taught(written(clean()).encode(), tmp_path)
    assert dirty["amount"].isna().sum() == 1
    there = dirty["amount"].notna()
    assert_frame_equal(dirty[there.to_numpy()], neat[there.to_numpy()])


def test_codes_keep_their_zeros_and_words_in_texts_are_values(tmp_path: Path) -> None:
    table = taught(written(clean()).encode(), tmp_path)
    assert table["zip"].str.len().eq(5).all()
    assert set(table["city"]) == {"Oslo", "Rome", "NA", "None"}


@given(value=st.floats(-1e12, 1e12), decimals=st.integers(0, 6))
@how(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_number_is_the_same_however_it_is_grouped(value: float, decimals: int) -> None:
    english = f"{value:,.{decimals}f}"
    german = english.translate(str.maketrans(",.", ".,"))
    plain = CellReader("number").read(f"{value:.{decimals}f}")
    assert CellReader("number").read(english) == CellReader("number", ",").read(german) == plain
