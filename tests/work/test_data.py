"""The data step: judged rows, split the same way every time; what is wrong is one line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from core.work.data import write_rows
from core.work.rows import count
from tests.work.scene import CUSTOMERS, ROWS, from_csv, prepared, refused, table

RARE = (
    "data.target: y is 3 in 2 rows; at least 5 of a label are needed for split 0.2 and 3 folds: leave it out or "
    "gather more"
)


def test_the_same_rows_and_settings_give_the_same_parts_and_digest(tmp_path: Path) -> None:
    one, two = prepared(table(), tmp_path), prepared(table(), tmp_path)
    assert_frame_equal(one.train, two.train)
    assert_frame_equal(one.test, two.test)
    assert one.digest == two.digest
    assert len(one.digest) == 64


@pytest.mark.parametrize(
    ("change", "data"),
    [
        ({"x": [i * 0.25 for i in range(ROWS)]}, {}),
        ({"y": ["no", "yes", "yes"] * (ROWS // 3)}, {}),
        ({"z": [i % 7 for i in range(ROWS)]}, {}),
        ({}, {"random_state": 1}),
        ({}, {"split": 0.3}),
        ({}, {"shuffle_labels": True}),
    ],
)
def test_the_digest_changes_with_content_and_split(
    change: Mapping[str, Any], data: Mapping[str, Any], tmp_path: Path
) -> None:
    assert prepared(table(**change), tmp_path, **data).digest != prepared(table(), tmp_path).digest


def test_no_row_is_in_both_parts_and_labels_keep_their_shares(tmp_path: Path) -> None:
    dataset = prepared(table(), tmp_path)
    assert sorted([*dataset.train["x"], *dataset.test["x"]]) == table()["x"].tolist()
    assert (dataset.test["y"] == "yes").mean() == pytest.approx(1 / 3)


def test_shuffled_labels_spoil_the_training_rows_alone(tmp_path: Path) -> None:
    honest, spoilt = prepared(table(), tmp_path), prepared(table(), tmp_path, shuffle_labels=True)
    assert_frame_equal(honest.test, spoilt.test)
    assert_frame_equal(honest.train.drop(columns="y"), spoilt.train.drop(columns="y"))
    assert (honest.train["y"] != spoilt.train["y"]).mean() > 0.3
    assert spoilt.report["labels_shuffled"] is True


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ([3, 1] * 60, (1, 3)),
        ([3.0, 1.0] * 60, (1, 3)),
        ([0.5, 1.0] * 60, (0.5, 1.0)),
        ([True, False] * 60, (False, True)),
        (["b", "a"] * 60, ("a", "b")),
        (["b", 1] * 60, ("1", "b")),
        (pd.Categorical(["b", "a"] * 60), ("a", "b")),
        (pd.Categorical([2, 1] * 60), (1, 2)),
    ],
)
def test_labels_keep_the_type_that_the_target_has(given: Any, labels: tuple[object, ...], tmp_path: Path) -> None:
    dataset = prepared(table(y=given), tmp_path)
    assert dataset.labels == labels
    assert [type(label) for label in dataset.labels] == [type(label) for label in labels]
    assert set(dataset.test["y"].tolist()) == set(labels)


def test_rows_without_a_target_are_left_out_and_whole_labels_stay_whole(tmp_path: Path) -> None:
    said: list[str] = []
    dataset = prepared(table(y=[None if i == 5 else i % 2 for i in range(ROWS)]), tmp_path, said)
    assert dataset.labels == (0, 1)
    assert (dataset.report["rows_read"], dataset.report["rows"]) == (ROWS, ROWS - 1)
    assert "1 row without y left out" in said


def test_booleans_with_gaps_can_be_a_target(tmp_path: Path) -> None:
    given: list[object] = [None if i == 5 else i % 2 == 0 for i in range(ROWS)]
    assert prepared(table(y=given), tmp_path).labels == (False, True)


def test_rare_labels_and_repeated_rows_are_worth_a_word(tmp_path: Path) -> None:
    said: list[str] = []
    frame = table(x=[float(i % 60) for i in range(ROWS)], y=["rare" if i % 24 == 0 else "often" for i in range(ROWS)])
    prepared(frame, tmp_path, said)
    assert "y: 1 label under 5% of the rows: rare (4.2%)" in said
    assert any("rows the same as an earlier one; " in line for line in said)


@pytest.mark.parametrize(
    ("frame", "data", "complaint"),
    [
        (table(), {"target": "Y"}, "data.target: rows.csv has no column 'Y'; it has x, y"),
        (
            table(late=[1] * ROWS),
            {"target": "lat"},
            "data.target: rows.csv has no column 'lat'; did you mean late? it has x, y, late",
        ),
        (table(), {"drop": ["z"]}, "data.drop: rows.csv has no column 'z'; it has x, y"),
        (table(), {"drop": ["y"]}, "data.drop: y is the target; it can't be dropped"),
        (table().head(0), {}, "rows.csv: holds no rows"),
        (table(y=[None] * ROWS), {}, "0 rows: too few; at least 30 are needed"),
        (table().head(29), {}, "29 rows: too few; at least 30 are needed"),
        (table(y=["no"] * ROWS), {}, "data.target: y is 'no' in every row; two different labels are needed"),
        (table(y=[1] * ROWS), {}, "data.target: y is 1 in every row; two different labels are needed"),
        (
            table(y=[3 if i < 2 else i % 2 for i in range(ROWS)]),
            {},
            RARE,
        ),
        (
            table(y=[i * 0.3 for i in range(ROWS)]),
            {},
            "data.target: y has 120 different values, at most 100 are labels; numbers to estimate are not trained yet",
        ),
        (
            table(y=[f"u{i}" for i in range(ROWS)]),
            {},
            "data.target: y has 120 different values, at most 100 are labels; name another",
        ),
        (table(x=[1] * ROWS), {}, "no column is left beside y: x is always 1"),
        (table()[["y"]], {}, "no column is left beside y: there were no others"),
    ],
)
def test_rows_that_no_model_can_learn_from_are_one_line(
    frame: pd.DataFrame, data: Mapping[str, Any], complaint: str, tmp_path: Path
) -> None:
    assert refused(frame, tmp_path, **data) == complaint


def test_a_table_with_many_columns_names_a_dozen(tmp_path: Path) -> None:
    wide = table(**{f"c{i}": [i] * ROWS for i in range(20)})
    assert refused(wide, tmp_path, target="zebra").endswith("c8, c9 and 10 more")


def test_the_report_can_be_written_down(tmp_path: Path) -> None:
    report = prepared(from_csv(CUSTOMERS, tmp_path), tmp_path, target="tier").report
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    age, city, _ = report["columns"]
    assert age == {
        "name": "age",
        "type": "integer",
        "missing": 0,
        "different": 40,
        "min": 20.0,
        "mean": 39.5,
        "max": 59.0,
    }
    assert city == {"name": "city", "type": "category", "missing": 40, "different": 2, "most": {"Oslo": 40, "Rome": 40}}
    assert report["labels"] == {"1": 30, "2": 30, "3": 30, "4": 30}


def test_held_out_rows_are_written_raw_as_a_client_sends_them(tmp_path: Path) -> None:
    dataset = prepared(from_csv(CUSTOMERS, tmp_path), tmp_path, target="tier")
    write_rows(dataset.held_out, tmp_path / "rows.jsonl", 20)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 20
    assert all(list(row) == ["age", "city", "vip"] for row in rows)
    assert {type(row["age"]) for row in rows} == {int}
    assert {row["city"] for row in rows} == {"Oslo", "Rome", None}
    assert {row["vip"] for row in rows} == {True, False, None}


def test_rows_that_are_on_both_sides_of_the_split_are_told(tmp_path: Path) -> None:
    said: list[str] = []
    twice = [i // 2 * 0.5 for i in range(ROWS)]
    prepared(table(x=twice, y=["no" if i // 2 % 3 else "yes" for i in range(ROWS)]), tmp_path, said)
    (line,) = [line for line in said if "the same as an earlier one" in line]
    again = int(line.split("; ")[1].split(" of ")[0])
    assert 0 < again <= 24
    assert line.endswith(f"; {again} of 24 held-out rows are among those to train")


@pytest.mark.parametrize(
    ("rows", "said"), [(950, "950 rows"), (20_000, "20k rows"), (999_400, "999k rows"), (1_000_000, "1,000,000 rows")]
)
def test_rows_are_counted_as_people_say_it(rows: int, said: str) -> None:
    assert count(rows) == said
