"""Bodies as they are packed and typed: what is taken reads as JSON does, what is not is named."""

import gzip
import zlib

import orjson
import pytest
from hypothesis import given, strategies as some

from scoring.cells import CellReader
from scoring.manifest import ModelField
from scoring.media import as_json, unpacked
from scoring.payload import PayloadError, Reader

FIELDS = (ModelField("delay", "number"), ModelField("vip", "boolean"), ModelField("carrier", "category", ("AA", "5")))


def rows(text: str) -> list[list[object]]:
    """The rows of a CSV."""
    return Reader([field.name for field in FIELDS]).read(as_json(text.encode(), "text/csv", FIELDS))[0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("delay,vip,carrier\n1.5,true,AA\n", [[1.5, True, "AA"]]),
        ("carrier,more,vip,delay\r\n5,x,0,-1e3\r\n", [[-1000, 0, "5"]]),
        ('\ufeffdelay, vip ,carrier\n,,\n\n 2 ,FALSE,"A,\nA"\n', [[None, None, None], [2, False, "A,\nA"]]),
    ],
)
def test_a_csv_reads_as_its_author_meant(text: str, wanted: list[list[object]]) -> None:
    assert rows(text) == wanted


@pytest.mark.parametrize("cell", ["late", "1_000", "1e999", "0x10"])
def test_a_cell_that_is_no_number_stays_a_text(cell: str) -> None:
    assert rows(f"delay,vip,carrier\n{cell},1,AA\n") == [[cell, 1, "AA"]]


def test_a_cell_reads_as_those_of_the_models_own_file_do() -> None:
    fields = (
        ModelField("amount", "number", reader=CellReader("number", ",", "€")),
        ModelField("vip", "boolean", reader=CellReader("boolean")),
        ModelField("day", "date", reader=CellReader("date", day_first=True), parts=("month",)),
        ModelField("plain", "number"),
    )
    text = "amount;vip;day;plain\n1.234 €;yes;31.12.2024;n/a\n0,5;0;;99999999999999999999\n".replace(",", "#")
    body = text.replace(";", ",").replace("0#5", '"0,5"').encode()
    read = Reader([field.name for field in fields]).read(as_json(body, "text/csv", fields))[0]
    assert read == [[1234, True, "2024-12-31", None], [0.5, 0, None, 1e20]]


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("", 400, "the CSV is empty"),
        ("delay,vip\n", 422, "there are no rows"),
        ("delay,vip\n1,0\n", 422, "row 0: the field carrier is missing"),
        ("delay,vip,carrier\n1,0,AA\n1,0\n", 422, "line 3 of the CSV has 2 values, its header 3"),
        ("delay,vip,vip\n1,0,1\n", 422, "the CSV's header has vip twice"),
        ('delay,vip,carrier\n1,0,"AA\n', 400, "the body is no CSV"),
    ],
)
def test_a_csv_that_does_not_fit_is_named(text: str, status: int, words: str) -> None:
    with pytest.raises(PayloadError, match=words) as refused:
        rows(text)
    assert refused.value.status == status


@pytest.mark.parametrize(
    "kind", [None, "", "application/json", "Application/JSON ; charset=UTF-8", "application/ld+json"]
)
def test_json_is_left_as_it_is(kind: str | None) -> None:
    assert as_json(b"[1]", kind, FIELDS) == b"[1]"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("text/plain", "the content type text/plain is not taken: send application/json or text/csv"),
        ("application/octet-stream", "octet-stream is not taken"),
        ("application/json; charset=utf-16", "the charset utf-16 is not taken"),
    ],
)
def test_another_type_is_415_with_what_is_taken(kind: str, words: str) -> None:
    with pytest.raises(PayloadError, match=words) as refused:
        as_json(b"[1]", kind, FIELDS)
    assert refused.value.status == 415


@given(some.lists(some.binary(max_size=50), max_size=3))
def test_what_was_packed_comes_out_again(parts: list[bytes]) -> None:
    assert unpacked(b"".join(map(gzip.compress, parts)), "gzip", 200) == b"".join(parts)
    assert unpacked(b"x", "identity", 1) == b"x"


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip", "gzip", 400),
        (gzip.compress(b"x" * 50)[:-9], "x-gzip", 400),
        (gzip.compress(b"x") + b"more", "gzip", 400),
        (zlib.compress(b"x"), "deflate", 415),
        (b"x", "br", 415),
    ],
)
def test_what_can_not_be_unpacked_is_refused(body: bytes, encoding: str, status: int) -> None:
    with pytest.raises(PayloadError) as refused:
        unpacked(body, encoding, 1000)
    assert refused.value.status == status


def test_a_small_body_that_unpacks_to_a_large_one_is_refused_at_the_bound() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    with pytest.raises(PayloadError, match="larger than 1000 bytes unpacked") as refused:
        unpacked(bomb, "gzip", 1000)
    assert refused.value.status == 413
    assert unpacked(gzip.compress(b"0" * 1000), "gzip", 1000) == b"0" * 1000
    twice = gzip.compress(b"0" * 600) * 2
    with pytest.raises(PayloadError, match="larger"):
        unpacked(twice, "gzip", 1000)


def test_the_form_of_a_body_is_the_same_in_every_packing() -> None:
    body = orjson.dumps({"data": [[1, True, "AA"]]})
    assert as_json(unpacked(gzip.compress(body), "GZIP", 1000), None, FIELDS) == body


def test_texts_of_a_model_that_reads_them_itself_stay_texts() -> None:
    fields = [ModelField("note", "text"), ModelField("any", "any"), ModelField("size", "number")]
    body = as_json(b"note,any,size\n12,12,12\nNA,red,3.5\n", "text/csv", fields)
    rows = [{"note": "12", "any": 12, "size": 12}, {"note": "NA", "any": "red", "size": 3.5}]
    assert orjson.loads(body) == {"dataframe_records": rows}
