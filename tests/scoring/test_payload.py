"""What people send: every form gives the same matrix, and what does not fit is named."""

import json
import math
from array import array
from typing import Any

import pytest
from hypothesis import given, strategies as some

from scoring import payload
from scoring.encode import Encoder
from scoring.manifest import ModelField
from scoring.media import as_json
from scoring.model import Model
from scoring.payload import PayloadError, Reader

FIELDS = (
    ModelField("delay", "number"),
    ModelField("month", "integer"),
    ModelField("vip", "boolean"),
    ModelField("carrier", "category", ("9E", "AA", "5", "true")),
)
NAMES = [field.name for field in FIELDS]

numbers = some.none() | some.integers(-(10**30), 10**30) | some.floats(-1e38, 1e38) | some.booleans()
carriers = some.none() | some.sampled_from(["9E", "AA", "5", "ZZ", ""]) | some.integers(3, 6) | some.booleans()
rows_of_any_kind = some.lists(some.tuples(numbers, numbers, numbers, carriers).map(list), min_size=1, max_size=5)


def matrix_of(document: Any) -> tuple[bytes, int]:
    """The matrix of a document as bytes, in which one NaN is like another."""
    rows, _ = Reader(NAMES).read(json.dumps(document).encode())
    matrix: array[float] = array("f")
    unknown = Encoder(FIELDS).encode(rows, matrix)
    return array("f", [math.nan if math.isnan(value) else value for value in matrix]).tobytes(), len(unknown)


@given(rows_of_any_kind, some.permutations([*NAMES, "more"]))
def test_every_form_gives_the_same_matrix(rows: list[list[Any]], order: list[str]) -> None:
    records = [dict(zip(NAMES, row, strict=True)) | {"more": 1} for row in rows]
    split = {"columns": order, "data": [[record[name] for name in order] for record in records]}
    forms: list[Any] = [
        {"data": records},
        records,
        {"dataframe_records": records},
        {"dataframe_split": split},
        {"inputs": {name: [record[name] for record in records] for name in order}},
        {"inputs": records},
        rows,
        # As pandas writes a frame with `orient="split"`: the names say which value is whose.
        {"data": split["data"], "columns": order},
        {"instances": split["data"], "columns": order, "index": list(range(len(rows)))},
    ]
    if len(rows) == 1:
        forms += [records[0], {"data": records[0]}, {"inputs": records[0]}]
    wanted = matrix_of({"data": rows})
    assert all(matrix_of(form) == wanted for form in forms)


@given(rows_of_any_kind)
def test_a_value_becomes_its_float32_and_a_category_its_place(rows: list[list[Any]]) -> None:
    raw, unknown = matrix_of({"data": rows})
    matrix = array("f", raw)
    places = {"9E": 0, "AA": 1, "5": 2, "true": 3}
    for index, row in enumerate(rows):
        wanted = [math.nan if value is None else float(value) for value in row[:3]]
        text = row[3] if isinstance(row[3], str) else json.dumps(row[3])
        wanted.append(places.get(text, math.nan))
        assert array("f", wanted).tolist() == pytest.approx(matrix[index * 4 : index * 4 + 4].tolist(), nan_ok=True)
    assert unknown == sum(
        row[3] is not None and (row[3] if isinstance(row[3], str) else json.dumps(row[3])) not in places for row in rows
    )


GOOD = '[1.5, 3, true, "AA"]'


@pytest.mark.parametrize("form", ["%s", '{"inputs": %s}'])
def test_a_hint_is_sought_among_the_first_short_names_alone(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def near(word: str, others: list[str], **_: int) -> list[str]:
        compared.extend([word, *others])
        return []

    monkeypatch.setattr(payload, "get_close_matches", near)
    sent = {"x" * 5000: [1]} | {f"field {number}": [1] for number in range(20_000)}
    with pytest.raises(PayloadError):
        Reader(NAMES).read((form % json.dumps(sent)).encode())
    assert len(set(compared)) < 100
    assert max(map(len, compared)) <= payload.LONGEST_NAME


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("", 400, ["the body is empty", '{"data": [[…]]}']),
        ('{"data": [[1,', 400, ["not JSON", "line 1"]),
        ('{"data": [[NaN, 1, 1, "AA"]]}', 400, ["NaN is not JSON: send null for a missing value"]),
        ('{"data": [[1, -Infinity, 1, "AA"]]}', 400, ["Infinity is not JSON: send null"]),
        ("3", 422, ["the body is a number"]),
        ("null", 422, ["the body is null"]),
        ("true", 422, ["the body is a boolean"]),
        ('"a"', 422, ["the body is a text"]),
        ('{"data": 3}', 422, ["data is a number"]),
        ('{"cariera": "AA"}', 422, ["none of the model's fields", "cariera is near carrier"]),
        ("{}", 422, ["none of the model's fields"]),
        ("[]", 422, ["there are no rows"]),
        ('{"data": []}', 422, ["there are no rows"]),
        ('{"data": [3]}', 422, ["row 0 of data is a number"]),
        ("[[]]", 422, ["row 0 has 0 values, the model has 4 fields: the first one missing is delay"]),
        (f'{{"data": [{GOOD}, [1, 2]]}}', 422, ["row 1 has 2 values", "4 fields", "first one missing is vip"]),
        ('{"data": [[1, 2, true, "AA", 5]]}', 422, ["row 0 has 5 values", "the last one is carrier"]),
        ('{"data": [["late", 3, true, "AA"]]}', 422, ["row 0: delay must be a number", 'not "late"']),
        (f'{{"data": [{GOOD}, [1, 2, "yes", "AA"]]}}', 422, ["row 1: vip must be a number, true, false or null"]),
        ('{"data": [[[1], 3, true, "AA"]]}', 422, ["row 0: delay must be a number", "not [1]"]),
        ('{"data": [[1, 3, true, {"a": 1}]]}', 422, ["row 0: carrier must be a text or null", 'not {"a":1}']),
        ('{"data": [[1, 3, true, ["AA"]]]}', 422, ["row 0: carrier must be a text or null"]),
        ('{"data": [[1, 3, true, 24]]}', 422, ["row 0: carrier must be a text or null, not 24 (values go"]),
        (f'{{"data": [{GOOD}, [1, 3, true, false]]}}', 422, ["row 1: carrier must be a text or null, not false"]),
        ('{"data": [["%s", 3, true, "AA"]]}' % ("x" * 99), 422, ["xxx…"]),
        ('{"data": [[1e300, 3, true, "AA"]]}', 422, ["row 0: delay is too large for a 32-bit float"]),
        (f'{{"data": [{GOOD}, [1, -1e39, true, "AA"]]}}', 422, ["row 1: month is too large"]),
        ('{"delay": 1, "month": 2, "vipp": true, "carrier": "AA"}', 422, ["row 0", "vip is missing", "vipp"]),
        ('[{"delay": 1}]', 422, ["row 0: the field month is missing", "send null"]),
        ('{"inputs": {"delay": [1]}}', 422, ["the field month is missing"]),
        ('{"inputs": {"delay": [1], "month": [1], "vip": [1, 0], "carrier": ["AA"]}}', 422, ["vip has 2 values", "1"]),
        ('{"dataframe_split": [1]}', 422, ['dataframe_split has no list "data"']),
        ('{"dataframe_split": {"data": [[1]]}}', 422, ['dataframe_split has no list "columns"']),
        ('{"dataframe_split": {"columns": ["delay"], "data": [[1]]}}', 422, ["dataframe_split: the field month"]),
        (
            '{"dataframe_split": {"columns": ["delay", "month", "vip", "carrier", "vip"], "data": []}}',
            422,
            ["the column vip is there twice"],
        ),
        (
            '{"dataframe_split": {"columns": ["delay", "month", "vip", "carrier"], "data": [1]}}',
            422,
            ["row 0 of dataframe_split is a number"],
        ),
        (
            '{"dataframe_split": {"columns": ["delay", "month", "vip", "carrier"], "data": [[1, 2]]}}',
            422,
            ["row 0 has 2 values for 4 columns"],
        ),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(model: Model, body: str, status: int, words: list[str]) -> None:
    batch = model.predict([(body.encode(), "")])
    refused = batch.refused[0]
    assert refused.status == status
    assert "\n" not in str(refused)
    assert [word for word in words if word not in str(refused)] == []


RECORD = '{"delay": 1, "month": 2, "vip": true, "carrier": "AA"}'
COLUMNS = '"columns": ["delay", "month", "vip", "carrier"]'
NONE = "the object has none of the model's fields"
VALUES = "send a list of values"


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ("", 400, f"the body is empty: {payload.FORMS}"),
        ("  ", 400, f"the body is empty: {payload.FORMS}"),
        *(
            (form % word, 400, f"{said} is not JSON: send null for a missing value")
            for form in ("[%s]", "[[1, %s, 2]]", '{"delay": %s}', '[{"delay": %s }]')
            for word, said in (("NaN", "NaN"), ("nan", "nan"), ("Infinity", "Infinity"), ("inf", "inf"))
        ),
        ("3", 422, f"the body is a number: {payload.FORMS}"),
        ('{"data": 3}', 422, f"data is a number: {payload.FORMS}"),
        ('{"x": 1}', 422, f"{NONE}: {payload.FORMS}"),
        (
            '{"cariera": 1}',
            422,
            f"the object has none of the model's fields (cariera is near carrier): {payload.FORMS}",
        ),
        ("[]", 422, "there are no rows: send at least one"),
        ("[3]", 422, f"row 0 of the list is a number: {VALUES} or a record for each row"),
        ('{"data": [[1, 2, 3, 4], null]}', 422, f"row 1 of data is null: {VALUES} or a record for each row"),
        ("[[1]]", 422, "row 0 has 1 values, the model has 4 fields: the first one missing is month"),
        ("[[1, 2, 3, 4, 5]]", 422, "row 0 has 5 values, the model has 4 fields: the last one is carrier"),
        ('[{"delay": 1}]', 422, "row 0: the field month is missing (send null where it is unknown)"),
        (
            f'[{RECORD}, {{"delay": 1, "months": 1}}]',
            422,
            "row 1: the field month is missing (the nearest sent is months)",
        ),
        ('{"data": {"delay": 1}}', 422, "row 0: the field month is missing (send null where it is unknown)"),
        ('{"inputs": {"delay": 1}}', 422, "the field month is missing (send null where it is unknown)"),
        (
            '{"inputs": {"delay": 1, "month": [1], "vip": [1, 0], "carrier": [""]}}',
            422,
            "the field vip has 2 values, delay has 1: send as many for each",
        ),
        (
            '{"dataframe_split": {"columns": []}}',
            422,
            'dataframe_split has no list "data": send {"columns": […], "data": [[…]]}',
        ),
        (
            '{"dataframe_split": {"data": []}}',
            422,
            'dataframe_split has no list "columns": name the columns of its data',
        ),
        (
            '{"dataframe_split": {"columns": ["delay"], "data": []}}',
            422,
            "dataframe_split: the field month is missing (send null where it is unknown)",
        ),
        (
            f'{{"dataframe_split": {{{COLUMNS[:-1]}, "vip"], "data": []}}}}',
            422,
            "dataframe_split: the column vip is there twice",
        ),
        (
            f'{{"dataframe_split": {{{COLUMNS}, "data": [{{}}]}}}}',
            422,
            f"row 0 of dataframe_split is an object: {VALUES}",
        ),
        (f'{{"dataframe_split": {{{COLUMNS}, "data": [[1]]}}}}', 422, "row 0 has 1 values for 4 columns"),
    ],
)
def test_what_does_not_fit_is_said_to_the_letter(body: str, status: int, text: str) -> None:
    with pytest.raises(PayloadError) as caught:
        Reader(NAMES).read(body.encode())
    assert (caught.value.status, str(caught.value)) == (status, text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"data": "\xff"}', "the body is not JSON: it is not UTF-8"),
        (b'{"data": [[1,', "the body is not JSON: unexpected end of data: line 1 column 14 (char 13)"),
    ],
)
def test_what_is_no_json_is_said_to_the_letter(body: bytes, text: str) -> None:
    with pytest.raises(PayloadError) as caught:
        Reader(NAMES).read(body)
    assert (caught.value.status, str(caught.value)) == (400, text)


def test_a_name_as_long_as_names_may_be_is_still_compared() -> None:
    sent = "x" * payload.LONGEST_NAME
    with pytest.raises(PayloadError, match=f"{sent} is near x"):
        Reader([sent + "y"]).read(json.dumps({sent: 1}).encode())


def test_columns_come_in_any_order_and_more_of_them_are_left_out() -> None:
    split = {"columns": ["more", "b", "a"], "data": [[0, 2, 1], [0, 4, 3]]}
    assert Reader(["a", "b"]).read(json.dumps({"dataframe_split": split}).encode()) == ([[1, 2], [3, 4]], False)
    assert Reader(["a", "b"]).read(b"[[1, 2]]") == ([[1, 2]], False)
    assert Reader(["a", "b"]).read(b'{"inputs": {"b": [2, 4], "a": [1, 3]}}') == ([[1, 2], [3, 4]], False)
    assert Reader(["a"]).read(b'{"inputs": {"a": 1}}') == ([[1]], False)
    assert Reader(["a", "b"]).read(b'{"data": {"b": 2, "a": 1}}') == ([[1, 2]], False)


def test_bytes_that_are_not_text_are_named_so(model: Model) -> None:
    assert "not UTF-8" in str(model.predict([(b'{"data": "\xff"}', "")]).refused[0])


def test_a_number_beyond_every_float_is_refused() -> None:
    matrix: array[float] = array("f")
    with pytest.raises(PayloadError, match="row 0: month is too large"):
        Encoder(FIELDS).encode([[1.0, 10**400, True, "AA"]], matrix)
    assert len(matrix) == 0


def test_a_field_may_be_called_like_a_form() -> None:
    assert Reader(["data", "x"]).read(b'{"data": 1, "x": 2}') == ([[1, 2]], False)
    assert Reader(["data"]).read(b'{"data": [[1], [2]]}') == ([[1], [2]], False)


@pytest.mark.parametrize(
    ("body", "query_string", "wanted"),
    [
        ('{"data": [[1]]}', "", False),
        ('{"data": [[1]], "probabilities": true}', "", True),
        ('{"inputs": {"a": 1}, "probabilities": true}', "", True),
        ('{"data": [[1]]}', "probabilities=1", True),
        ('{"a": 1}', "x=1&probabilities=true", True),
        ('{"data": [[1]]}', "probabilities=Yes", True),
        ('{"data": [[1]]}', "probabilities=on", True),
        ('{"data": [[1]]}', "probabilities=0&probabilities=1", True),
        ('{"data": [[1]]}', "probabilities=1&probabilities=0", False),
        ('{"data": [[1]]}', "x=1", False),
        ('{"data": [[1]], "probabilities": 1}', "", False),
        ('{"data": [[1]]}', "probabilities=0", False),
    ],
)
def test_probabilities_come_on_request(body: str, query_string: str, wanted: bool) -> None:
    assert Reader(["a"]).read(body.encode(), query_string) == ([[1]], wanted)


def test_one_refused_request_does_not_touch_the_others_of_its_call(model: Model) -> None:
    good = f'{{"data": [{GOOD}]}}'.encode()
    bad, large = b'{"data": [[1, 2]]}', b'{"data": [[1, 3, true, "AA"], [1e39, 3, true, "AA"]]}'
    alone = model.predict([(good, "")])
    batch = model.predict([(large, ""), (good, ""), (bad, ""), (good, ""), (large, "")])
    assert batch.counts == [0, 1, 0, 1, 0]
    assert sorted(batch.refused) == [0, 2, 4]
    assert "row 1: delay is too large" in str(batch.refused[0])
    assert batch.scores == pytest.approx(alone.scores * 2, abs=1e-6)


@pytest.mark.parametrize(
    "body",
    [
        {"a": 1},
        [{"a": 1}],
        {"data": [[1, None]]},
        {"inputs": {"a": [1]}},
        {"dataframe_split": {"columns": ["a"], "data": [[1]]}},
        {"dataframe_records": [{"a": 1}]},
    ],
)
def test_a_field_that_may_be_left_out_is_missing(body: object) -> None:
    assert Reader(["a", "b"], ["b"]).read(json.dumps(body).encode()) == ([[1, None]], False)


def test_a_field_that_must_be_sent_is_named_beside_one_that_need_not() -> None:
    with pytest.raises(PayloadError, match="the field a is missing"):
        Reader(["a", "b", "c"], ["b"]).read(b'{"c": 2}')


WIDE = [f"c{place}" for place in range(20_000)]


def test_a_split_of_very_many_columns_is_read_in_any_order() -> None:
    split = {"columns": [*reversed(WIDE), 7, "more"], "data": [[*reversed(range(20_000)), None, None]]}
    assert Reader(WIDE).read(json.dumps({"dataframe_split": split}).encode())[0] == [list(range(20_000))]


def test_a_column_that_is_there_twice_is_named_however_many_there_are() -> None:
    split = {"columns": [*WIDE, WIDE[-1]], "data": [[1] * 20_001]}
    with pytest.raises(PayloadError, match="the column c19999 is there twice"):
        Reader(WIDE).read(json.dumps({"dataframe_split": split}).encode())
    csv = ",".join([*WIDE, WIDE[-1]]).encode()
    with pytest.raises(PayloadError, match="header has c19999 twice"):
        as_json(csv, "text/csv", [ModelField(name, "number") for name in WIDE])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"data": [[1, 2]], "instances": [[1, 2]]}, "the body has rows both in data and in instances: "),
        ({"data": [[1, 2]], "columns": ["b"]}, "data: the field a is missing (send null where it is unknown)"),
        ({"data": [[1, 2]], "columns": ["b", "a", "a"]}, "data: the column a is there twice"),
        ({"instances": [{"a": 1}], "columns": ["b", "a"]}, "row 0 of instances is an object: send a list of values"),
    ],
)
def test_rows_beside_their_columns_or_beside_other_rows_are_never_guessed_at(body: object, text: str) -> None:
    with pytest.raises(PayloadError) as refused:
        Reader(["a", "b"]).read(json.dumps(body).encode())
    assert str(refused.value).startswith(text)
