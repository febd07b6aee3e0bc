"""Dates as people write them, and what the model sees of them."""

from array import array
from datetime import datetime

import numpy as np
import pytest

from scoring import dates
from scoring.cells import CellReader
from scoring.encode import Encoder
from scoring.manifest import ModelField
from scoring.payload import PayloadError

FIELDS = [
    ModelField("n", "number", reader=CellReader("number")),
    ModelField("when", "date", reader=CellReader("date", day_first=True), parts=("month", "days")),
    ModelField("city", "category", ("Oslo", "Rome")),
]


@pytest.mark.parametrize(
    ("text", "day_first", "moment"),
    [
        ("2024-01-31", False, "2024-01-31"),
        ("2024/1/31 7:05", False, "2024-01-31T07:05:00"),
        ("31.1.2024", True, "2024-01-31"),
        ("1/31/24", False, "2024-01-31"),
        ("1/31/69", False, "1969-01-31"),
        ("Jan 31 2024", False, "2024-01-31"),
        ("31 January 2024 11:30 PM", False, "2024-01-31T23:30:00"),
        ("12-Feb-2024 12:00 am", False, "2024-02-12"),
        ("2024-01-31T23:30:00.123+01:30", False, "2024-01-31T22:00:00"),
        ("2024-01-31T10:00:00Z", False, "2024-01-31T10:00:00"),
        ("31/1/2024", False, None),
        ("2024-02-30", False, None),
        ("0001-01-01T00:00:00+05:00", False, None),
        ("soon", False, None),
        ("12.5", False, None),
    ],
)
def test_a_date_is_read_in_the_usual_forms(text: str, day_first: bool, moment: str | None) -> None:
    when = dates.read(text, day_first)
    assert when == (datetime.fromisoformat(moment) if moment else None)
    if when is not None:
        assert dates.iso(when) == moment
        assert dates.read(dates.iso(when), day_first) == when


def encoded(*rows: list[object]) -> list[list[float]]:
    matrix = array("f")
    Encoder(FIELDS).encode([list(row) for row in rows], matrix)
    found: list[list[float]] = np.array(matrix).reshape(len(rows), 4).tolist()
    return found


def test_every_spelling_of_a_date_and_of_a_number_beside_it_is_the_same_row() -> None:
    first = [1.0, 2.0, 19754.0, 0.0]
    rows = encoded([1, "2024-02-01", "Oslo"], ["1", "1.2.2024", "Oslo"], [1, "1 Feb 2024 09:00", "Oslo"])
    assert rows == [first, first, first]
    missing = encoded([1, None, "Rome"], [1, " ", "Rome"])
    assert np.isnan(np.array(missing)[:, 1:3]).all()


@pytest.mark.parametrize("sent", ["soon", 5, True, ["2024-01-01"]])
def test_what_is_no_date_is_refused_by_name_and_leaves_no_row(sent: object) -> None:
    matrix = array("f")
    with pytest.raises(PayloadError, match="row 1: when must be a date such as 2024-01-31 or null, not"):
        Encoder(FIELDS).encode([[1, "2024-01-01", "Oslo"], [1, sent, "Oslo"]], matrix)
    assert len(matrix) == 0


def test_a_number_too_large_beside_a_date_is_refused_by_its_own_name() -> None:
    matrix = array("f")
    encoder = Encoder([FIELDS[1], ModelField("n", "number")])
    encoder.encode([["2024-01-01", 1e300]], matrix)
    refused = encoder.infinite(matrix, 0, 1)
    assert refused is not None
    assert str(refused) == "row 0: n is too large for a 32-bit float"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (["2025-12-16", "$2,029.34", "x"], 'row 0: qty must be a number, true, false or null, not "x"'),
        (["2025-12-16", "many", 1], 'row 0: price must be a number, true, false or null, not "many"'),
        (["2025-12-16", 1, {}], "row 0: qty must be a number, true, false or null, not {}"),
        (["soon", 1, 1], 'row 0: when must be a date such as 2024-01-31 or null, not "soon"'),
        (["soon", 1, "x"], 'row 0: when must be a date such as 2024-01-31 or null, not "soon"'),
    ],
)
@pytest.mark.parametrize("read", [False, True])
def test_of_a_row_the_value_that_does_not_fit_is_named_and_not_one_that_does(
    row: list[object], text: str, read: bool
) -> None:
    when = ModelField("when", "date", parts=("year",), reader=CellReader("date", day_first=False) if read else None)
    price = ModelField("price", "number", reader=CellReader("number", ".", "$"))
    with pytest.raises(PayloadError) as refused:
        Encoder([when, price, ModelField("qty", "number")]).encode([row], array("f"))
    assert str(refused.value) == text
