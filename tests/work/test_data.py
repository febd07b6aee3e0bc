"""The data step: real files in, judged rows out; everything that is wrong is one line."""

import gzip
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from core.config import load
from core.errors import BadData
from core.settings import Settings
from core.work.columns import screen
from core.work.data import Dataset, prepare, read, write_rows

ROWS = 120


RARE = (
    "data.target: y is 3 in 2 rows; at least 5 of a label are needed for split 0.2 and 3 folds: leave it out or "
    "gather more"
)


def settings(folder: Path, source: str = "rows.csv", target: str = "y", **data: Any) -> Settings:
    """A project over one file."""
    text = json.dumps({"data": {"source": source, "target": target, **data}, "endpoint": {"name": "x"}})
    (folder / "quarterdeck.yaml").write_text(text)
    return load(folder, environ={})


def table(**columns: Any) -> pd.DataFrame:
    """Rows with a number `x` and a target `y` of two labels, and more columns."""
    base: Mapping[str, Any] = {"x": [i * 0.5 for i in range(ROWS)], "y": ["no", "yes", "no"] * (ROWS // 3)}
    return pd.DataFrame({**base, **columns})


def prepared(frame: pd.DataFrame, folder: Path, said: list[str] | None = None, **data: Any) -> Dataset:
    """The frame after the data step."""
    return prepare(frame, settings(folder, **data), (said if said is not None else []).append)


def from_csv(text: str | bytes, folder: Path, name: str = "rows.csv", **data: Any) -> pd.DataFrame:
    """What a file with this content reads as."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(settings(folder, name, **data), lambda _: None)


def types(dataset: Dataset) -> dict[str, str]:
    """The type of each field."""
    return {field.name: field.type for field in dataset.fields}


def refused(frame: pd.DataFrame, folder: Path, **data: Any) -> str:
    """The one line that refuses a frame."""
    with pytest.raises(BadData) as caught:
        prepared(frame, folder, **data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


CUSTOMERS = "age,city,vip,tier,note\n" + "".join(
    f"{20 + i % 40},{['Oslo', 'Rome', ''][i % 3]},{['True', 'False', ''][i % 7 % 3]},{i % 4 + 1},n/a\n"
    for i in range(ROWS)
)


def test_a_csv_with_texts_gaps_and_four_whole_labels_works(tmp_path: Path) -> None:
    said: list[str] = []
    dataset = prepared(from_csv(CUSTOMERS, tmp_path), tmp_path, said, target="tier")
    assert types(dataset) == {"age": "integer", "city": "category", "vip": "boolean"}
    assert dataset.labels == (1, 2, 3, 4)
    assert all(type(label) is int for label in dataset.labels)
    assert dataset.report["dropped"] == [{"column": "note", "why": "has no value at all"}]
    assert "note: dropped, has no value at all" in said
    assert (len(dataset.train), len(dataset.test)) == (96, 24)


def test_a_parquet_file_says_the_same_as_its_csv(tmp_path: Path) -> None:
    from_csv(CUSTOMERS, tmp_path).to_parquet(tmp_path / "rows.parquet")
    one = prepared(from_csv(CUSTOMERS, tmp_path), tmp_path, target="tier")
    two = prepared(read(settings(tmp_path, "rows.parquet", "tier"), print), tmp_path, target="tier")
    assert_frame_equal(one.train, two.train)
    assert one.digest == two.digest


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_header(separator: str, tmp_path: Path) -> None:
    frame = from_csv(f"\ufeff a {separator}b{separator}y\n1{separator}'x'{separator}no\n", tmp_path)
    assert list(frame.columns) == ["a", "b", "y"]
    assert frame.iloc[0].tolist() == [1, "'x'", "no"]


def test_a_compressed_csv_is_read(tmp_path: Path) -> None:
    assert len(from_csv(gzip.compress(b"a,y\n1,no\n"), tmp_path, "rows.csv.gz")) == 1


def test_a_column_without_a_name_gets_its_place(tmp_path: Path) -> None:
    assert list(from_csv("a,,y\n1,2,3\n", tmp_path).columns) == ["a", "column 2", "y"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "rows.csv: is empty; a header and rows are needed"),
        ("\n \n", "rows.csv: is empty; a header and rows are needed"),
        ("a,y\n1,2\n1,2,3\n", "rows.csv: line 3: 3 values where the header has 2 names"),
        ("a,y\n1,2,3\n1,2,3\n", "rows.csv: rows have more values than the header has names"),
        ('a,y\n1,2\n"1,2\n', "rows.csv: a quote that row 2 opens is never closed"),
        ("a,b,a\n1,2,3\n", "rows.csv: two columns are called a; rename one"),
        (b"a,\xff\n1,2\n", "rows.csv: is not text in UTF-8; save it as UTF-8"),
        (b"a,y\n1,\xff\n", "rows.csv: is not text in UTF-8; save it as UTF-8"),
    ],
)
def test_a_csv_that_cannot_be_read_says_where(content: str | bytes, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BadData) as caught:
        from_csv(content, tmp_path)
    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("rows.parquet", b"a,y\n1,2\n", r"rows\.parquet: is not a Parquet file, or not a whole one"),
        ("rows.xlsx", b"PK", r"rows\.xlsx: only \.csv, \.csv\.gz, \.tsv, \.parquet, \.pq are read"),
        ("rows.csv.gz", b"a,y\n1,2\n", r"rows\.csv\.gz: can't be read: Not a gzipped file"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(name: str, content: bytes, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=complaint):
        from_csv(content, tmp_path, name)


def test_a_file_that_is_not_there_is_refused_and_a_sample_offered(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"gone\.csv: no such file; set data\.source or pass --input-data"):
        read(settings(tmp_path, "gone.csv"), print)
    with pytest.raises(BadData, match="did you mean the sample flights"):
        read(settings(tmp_path, "flihgts"), print)


def test_two_columns_of_a_parquet_file_with_one_name_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1], " a ": [2]}).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(BadData, match="two columns are called a"):
        read(settings(tmp_path, "rows.parquet"), print)


@pytest.mark.parametrize(
    ("sample", "target", "rows", "columns"),
    [("iris", "species", None, 5), ("support-tickets", "priority", 300, 25), ("flights", "late", 300, 19)],
)
def test_samples_come_ready_to_learn_from(
    sample: str, target: str, rows: int | None, columns: int, tmp_path: Path
) -> None:
    said: list[str] = []
    chosen = settings(tmp_path, sample, target, rows=rows)
    dataset = prepare(read(chosen, said.append), chosen, said.append)
    assert len(dataset.fields) == columns - 1
    assert dataset.report["synthetic"] is (sample == "support-tickets")
    assert ("(synthetic)" in said[0]) is (sample == "support-tickets")


@pytest.mark.parametrize("source", ["rows.csv", "iris"])
def test_only_flights_have_months(source: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"data\.months"):
        from_csv("a,y\n1,2\n", tmp_path, months=[1]) if source == "rows.csv" else read(
            settings(tmp_path, source, months=[1]), print
        )


def test_fewer_rows_are_drawn_from_a_file_the_same_way_every_time(tmp_path: Path) -> None:
    one, two = (from_csv(CUSTOMERS, tmp_path, rows=50) for _ in range(2))
    assert len(one) == 50
    assert_frame_equal(one, two)


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


def test_rare_labels_and_repeated_rows_are_worth_a_word(tmp_path: Path) -> None:
    said: list[str] = []
    frame = table(x=[float(i % 60) for i in range(ROWS)], y=["rare" if i % 24 == 0 else "often" for i in range(ROWS)])
    prepared(frame, tmp_path, said)
    assert "y: only 4.2% of the rows are rare" in said
    assert any(line.endswith("rows the same as an earlier one") for line in said)


def test_columns_can_be_dropped_by_name(tmp_path: Path) -> None:
    assert types(prepared(table(z=[i % 7 for i in range(ROWS)]), tmp_path, drop=["x"])) == {"z": "integer"}


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
        (table(y=[None] * ROWS), {}, "0 rows are too few; at least 30 are needed"),
        (table().head(29), {}, "29 rows are too few; at least 30 are needed"),
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
