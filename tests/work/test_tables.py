"""Real files in, tables out; a file that cannot be read is one line that says where."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from core.domain.errors import BadData
from core.work.data import prepare, read
from tests.work.scene import CUSTOMERS, from_csv, prepared, settings, types


def test_a_csv_with_texts_gaps_and_four_whole_labels_works(tmp_path: Path) -> None:
    said: list[str] = []
    dataset = prepared(from_csv(CUSTOMERS, tmp_path), tmp_path, said, target="tier")
    assert types(dataset) == {"age": "integer", "city": "category", "vip": "boolean"}
    assert dataset.labels == (1, 2, 3, 4)
    assert all(type(label) is int for label in dataset.labels)
    assert dataset.report["dropped"] == [{"column": "note", "why": "is always n/a"}]
    assert "note: dropped, is always n/a" in said
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
    assert frame.iloc[0].tolist() == ["1", "'x'", "no"]


def test_a_compressed_csv_is_read(tmp_path: Path) -> None:
    assert len(from_csv(gzip.compress(b"a,y\n1,no\n"), tmp_path, "rows.csv.gz")) == 1


def test_a_column_without_a_name_gets_its_place(tmp_path: Path) -> None:
    assert list(from_csv("a,,y\n1,2,3\n", tmp_path).columns) == ["a", "column 2", "y"]


NUL = "holds a NUL byte, as no text does; save the table as CSV in UTF-8"
ONE, TWO = "; 1 such, data.max_unfit allows 5%", "; 2 such, data.max_unfit allows 5%"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "rows.csv: is empty; a header and rows are needed"),
        ("\n \n", "rows.csv: is empty; a header and rows are needed"),
        ("a,b,y\n1,\0002,yes\n" * 30, f"rows.csv: line 2: {NUL}"),
        (bytes(range(256)) * 20, f"rows.csv: line 1: {NUL}"),
        (
            "a,y\n1,no\n".encode("utf-16-be") * 100 + b"\xdc\x00",
            "rows.csv: begins as UTF-16 and is none further on (illegal encoding); save it as CSV in UTF-8",
        ),
        (
            "a,y\n1,2\n1,2,3\n",
            "rows.csv: line 3: 3 values where the header has 2 names" + ONE,
        ),
        (
            "a,y\n1,2,3\n1,2,3\n",
            "rows.csv: line 2: 3 values where the header has 2 names" + TWO,
        ),
        ('a,y\n1,2\n"1,2\n', "rows.csv: line 3: a quote that is opened here is never closed"),
        ("a,b,a\n1,2,3\n", "rows.csv: two columns are called a; rename one"),
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
        ("rows.doc", b"PK", r"rows\.doc: only \.csv, \.csv\.gz, \.tsv, \.tsv\.gz, \.parquet"),
        ("rows.xlsx", b"PK", r"rows\.xlsx: is not a workbook that can be read: "),
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


@pytest.mark.parametrize(
    ("encoding", "called"),
    [("cp1252", "Windows-1252"), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("utf-8", ""), ("utf-8-sig", "")],
)
def test_the_encoding_is_found_and_said(encoding: str, called: str, tmp_path: Path) -> None:
    text = "ort,preis,y\n" + "Köln,3 €,ja\nMünchen,4 €,nein\n“Höchst”,5 €,ja\n" * 40
    (tmp_path / "rows.csv").write_bytes(text.encode(encoding))
    said: list[str] = []
    frame = read(settings(tmp_path), said.append)
    assert set(frame["ort"]) == {"Köln", "München", "“Höchst”"}
    assert (f"rows.csv: read as {called}" in said) is bool(called)


@pytest.mark.parametrize("name", ["rows.feather", "rows.jsonl", "rows.parquet"])
def test_files_that_know_their_types_keep_whole_numbers_exact(name: str, tmp_path: Path) -> None:
    whole = pd.DataFrame({"big": pd.array([2**63 + 5, None, 7], dtype="UInt64"), "y": ["a", "b", "a"]})
    if name.endswith("jsonl"):
        (tmp_path / name).write_text('{"big": 9007199254740993, "y": "a"}\n{"big": null, "y": "b"}\n')
    else:
        whole.to_feather(tmp_path / name) if name.endswith("feather") else whole.to_parquet(tmp_path / name)
    frame = read(settings(tmp_path, name), lambda _: None)
    assert frame["big"][0] == (9007199254740993 if name.endswith("jsonl") else 2**63 + 5)
    assert frame["big"].isna().sum() == 1


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("latin-1", "Windows-1252"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_an_encoding_is_found_and_said(encoding: str, said: str | None, tmp_path: Path) -> None:
    euro = "" if encoding == "latin-1" else " für 5 €"
    rows = "".join(f"Straße {i}{euro},{'Größe' if i % 2 else 'Länge'}\n" for i in range(40))
    (tmp_path / "rows.csv").write_bytes(f"Ort,y\n{rows}".encode(encoding))
    told: list[str] = []
    frame = read(settings(tmp_path), told.append)
    assert frame["Ort"].iloc[1] == f"Straße 1{euro}"
    assert set(frame["y"]) == {"Größe", "Länge"}
    assert [line for line in told if "read as" in line] == ([f"rows.csv: read as {said}"] if said else [])
