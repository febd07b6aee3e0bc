"""Small files as people have them, each read as its author meant; the files were written for this."""

import json
import math
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import BadData
from core.work.data import Dataset, prepare, read
from scoring.cells import CellReader, from_document
from scoring.encode import Encoder
from scoring.manifest import ModelField
from scoring.payload import PayloadError
from tests.work.scene import settings, types

TABLES = Path(__file__).parents[1] / "data" / "tables"
CASES: Mapping[str, tuple[str, str, dict[str, str], set[object], str]] = {
    "adult2": ("adult2.csv", "income", {"hours": "number", "workclass": "category"}, {"<=50K", ">50K"}, "missing: '?'"),
    "boolmix": ("boolmix.csv", "label", {"member": "boolean"}, {"go", "stay"}, "member: true and false"),
    "dates": ("dates.csv", "label", {"d1": "date", "x": "number"}, {"p", "q"}, "d2: dropped, is the same as d1"),
    "de": (
        "de.csv",
        "Ziel",
        {"Betrag": "number", "Ort": "category"},
        {"pos", "neg"},
        "decimal comma",
    ),
    "evil": ("evil.csv", "kind", {"a": "number"}, {"yes", "no"}, "80% of the values are missing"),
    "nanlabels": ("nanlabels.csv", "label", {"x": "number"}, {"EU", "NA"}, "'NA' is a label"),
    "onebad": ("onebad.csv", "label", {"amount": "number"}, {"n", "p"}, "'n.a.'"),
    "pct": (
        "pct.csv",
        "label",
        {"rate": "number", "income": "integer", "price": "number"},
        {"pos", "neg"},
        "thousands: 62,644 is 62644",
    ),
    "quoted": ("quoted.csv", "label", {"note\nlong": "category"}, {"p", "q"}, "rows to train"),
    "short": ("short.csv", "label", {"x": "integer"}, {"p", "q"}, "3 values where the header has 4 names: left out"),
    "sleep": (
        "sleep.csv",
        "Sleep Disorder",
        {"bmi": "number"},
        {"None", "Insomnia", "Sleep Apnea"},
        "'None' is a label",
    ),
    "u64": ("u64.parquet", "label", {"hash": "integer"}, {"high", "low"}, "rows to train"),
}


def dataset_of(name: str, target: str, folder: Path, said: list[str], **data: Any) -> Dataset:
    chosen = settings(folder, str(TABLES / name), target, **data)
    return prepare(read(chosen, said.append), chosen, said.append)


@pytest.mark.parametrize("case", CASES)
def test_a_table_is_read_as_its_author_meant_and_what_was_done_is_said(case: str, tmp_path: Path) -> None:
    name, target, wanted, labels, word = CASES[case]
    said: list[str] = []
    dataset = dataset_of(name, target, tmp_path, said)
    assert wanted.items() <= types(dataset).items()
    assert set(dataset.labels) == labels
    assert any(word in line for line in said), said
    assert json.loads(json.dumps(dataset.report)) == dataset.report


SPELLED = (
    ("adult2", "hours", " 26", 26),
    ("adult2", "hours", "?", None),
    ("adult2", "age", "20", 20),
    ("boolmix", "member", "True", True),
    ("boolmix", "member", "unknown", None),
    ("de", "Betrag", "204,09191213851824", 204.09191213851824),
    ("pct", "rate", "18.1%", 18.1),
    ("pct", "income", "62,644", 62644),
    ("pct", "price", "$133.57", 133.57),
    ("onebad", "amount", "-30", -30),
)


@pytest.mark.parametrize(("case", "column", "spelled", "plain"), SPELLED)
def test_a_client_may_send_the_spelling_of_the_file_or_plain_values(
    case: str, column: str, spelled: str, plain: object, tmp_path: Path
) -> None:
    name, target, *_ = CASES[case]
    field = next(field for field in dataset_of(name, target, tmp_path, []).fields if field.name == column)
    encoder = Encoder([ModelField(field.name, field.type, reader=from_document(field.reader))])
    one, two = array("f"), array("f")
    assert encoder.encode([[spelled]], one) == encoder.encode([[plain]], two) == []
    assert one.tobytes() == two.tobytes()


def test_blanks_around_a_category_are_left_out_and_a_blank_alone_is_missing() -> None:
    encoder = Encoder([ModelField("work", "category", ("Private", "State"), reader=CellReader("text"))])
    matrix = array("f")
    assert encoder.encode([[" Private"], ["State "], ["  "], [None]], matrix) == []
    assert matrix.tolist()[:2] == [0.0, 1.0]
    assert all(math.isnan(value) for value in matrix[2:])
    assert encoder.encode([["Other"]], matrix) == [(0, 0)]


def test_a_text_that_is_no_number_is_refused_and_leaves_no_row() -> None:
    encoder = Encoder([ModelField("a", "number"), ModelField("b", "number", reader=CellReader("number"))])
    matrix = array("f")
    with pytest.raises(PayloadError, match="row 1: b must be a number, true, false or null, not"):
        encoder.encode([[1, "2"], [1, "much"]], matrix)
    assert len(matrix) == 0
    with pytest.raises(PayloadError, match="row 0: a must be a number"):
        encoder.encode([["1", "2"]], matrix)


def test_where_columns_are_refused_what_all_were_read_as_is_said(tmp_path: Path) -> None:
    lines = [
        f"{f'odd {i}' if i % 5 == 0 else i * 0.5},{i / 4},{f'x{i}' if i % 4 == 0 else i},{'ab'[i % 2]}"
        for i in range(1000)
    ]
    (tmp_path / "odd.csv").write_text("amount,fine,more,y\n" + "\n".join(lines) + "\n")
    chosen = settings(tmp_path, "odd.csv", "y")
    said: list[str] = []
    with pytest.raises(BadData, match=r"^amount: 200 of 1,000 values are no numbers .* \(and 1 more such\)$"):
        prepare(read(chosen, said.append), chosen, said.append)
    assert "fine: numbers; all 1,000 fit" in said
    assert any(line.startswith("more: 250 of 1,000 values are no numbers") for line in said)


def test_too_many_odd_cells_are_refused_by_name_and_setting(tmp_path: Path) -> None:
    lines = [f"{'spoilt ' + str(i) if i % 5 == 0 else i * 0.5},{'ab'[i % 2]}" for i in range(1000)]
    (tmp_path / "odd.csv").write_text("amount,y\n" + "\n".join(lines) + "\n")
    chosen = settings(tmp_path, "odd.csv", "y")
    with pytest.raises(BadData) as refused:
        prepare(read(chosen, print), chosen, print)
    assert str(refused.value) == (
        "amount: 200 of 1,000 values are no numbers ('spoilt 0' in row 1, 'spoilt 5' in row 6, 'spoilt 10' in row 11); "
        "set data.columns.amount: text, or data.columns.amount.missing, or data.max_unfit above 0.2"
    )
