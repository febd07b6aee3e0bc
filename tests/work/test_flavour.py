"""How raw rows become the model's matrix, whatever pandas makes of them."""

import warnings
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.domain.errors import BadData
from core.work.child import QUIET
from scoring.dates import PARTS
from scoring.encode import Encoder
from scoring.manifest import ModelField

with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # MLflow warns of its own code while it is imported; the child that does so elsewhere keeps that in work.log.
    warnings.simplefilter("ignore")
    for name, value in QUIET.items():
        patch.setenv(name, value)
    from core.work.flavour import matrix
    from core.work.preprocess import example, fit, indices

NAN = float("nan")


def column(values: Any, type_: str, categories: list[str] | None = None) -> list[float]:
    field: Mapping[str, Any] = {"name": "x", "type": type_, "categories": categories}
    found: list[float] = matrix(pd.DataFrame({"x": values}), [field])[:, 0].tolist()
    return found


@pytest.mark.parametrize(
    ("values", "type_", "expected"),
    [
        ([1, 2], "integer", [1, 2]),
        ([1.5, None], "number", [1.5, NAN]),
        ([True, False], "boolean", [1, 0]),
        ([True, None], "boolean", [1, NAN]),
        ([None, None], "number", [NAN, NAN]),
        (pd.array([1, None], dtype="Int64"), "integer", [1, NAN]),
        (pd.array([True, None], dtype="boolean"), "boolean", [1, NAN]),
        (np.array([3], dtype=np.uint8), "integer", [3]),
        (pd.Series([1, np.float64(2.5), pd.NA], dtype=object), "number", [1, 2.5, NAN]),
    ],
)
def test_numbers(values: Any, type_: str, expected: list[float]) -> None:
    np.testing.assert_array_equal(column(values, type_), expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "b", "stranger", None], [0, 1, NAN, NAN]),
        ([3, 4], [2, NAN]),
        ([True], [3]),
        (pd.Categorical(["b", None]), [1, NAN]),
        ([NAN, "b"], [NAN, 1]),
    ],
)
def test_categories(values: Any, expected: list[float]) -> None:
    np.testing.assert_array_equal(column(values, "category", ["a", "b", "3", "true"]), expected)


@pytest.mark.parametrize(("value", "type_"), [("12", "number"), ("yes", "boolean"), ([1], "category")])
def test_what_does_not_fit_is_refused_with_the_fields_name(value: Any, type_: str) -> None:
    with pytest.raises(ValueError, match="field 'x'"):
        column(pd.Series([value, value], dtype=object), type_, ["a"])


def test_a_column_that_is_not_there_is_missing_throughout() -> None:
    frame = pd.DataFrame({"other": [1, 2]})
    assert np.isnan(matrix(frame, [{"name": "x", "type": "number"}])).all()


def test_the_encoder_knows_the_training_part_alone_and_is_the_same_in_any_order() -> None:
    train = pd.DataFrame({"c": ["b", "a", None, "a"], "n": [1.0, None, 3.0, 4.0], "y": [1, 0, 1, 0]})
    fields = [{"name": "c", "type": "category"}, {"name": "n", "type": "number"}]
    once, again = (fit(rows, fields, [0, 1], "y") for rows in (train, train.iloc[::-1]))
    assert once["fields"] == again["fields"]
    assert once["fields"][0]["categories"] == ["a", "b"]
    assert once["example"] == {"c": "b", "n": 1.0}


def test_an_example_without_a_whole_row_has_gaps() -> None:
    frame = pd.DataFrame({"c": ["a", None], "n": [None, 2.0]})
    fields = [{"name": "c", "type": "category"}, {"name": "n", "type": "number"}]
    assert example(frame, fields) == {"c": "a", "n": None}


def test_a_label_that_was_never_seen_is_bad_data() -> None:
    with pytest.raises(BadData, match="'z' is none of the labels a, b"):
        indices(pd.Series(["a", "z"], name="y"), ["a", "b"])


def test_a_date_gives_the_numbers_that_an_endpoint_gives() -> None:
    texts = ["2024-02-29", "1969-07-20T20:17:00", None]
    parts = list(PARTS)
    found = matrix(pd.DataFrame({"when": texts}), [{"name": "when", "type": "date", "parts": parts}])
    served = array("f")
    Encoder([ModelField("when", "date", parts=tuple(parts))]).encode([[text] for text in texts], served)
    assert np.array_equal(found.ravel(), np.array(served), equal_nan=True)
    with pytest.raises(ValueError, match="field 'when'"):
        matrix(pd.DataFrame({"when": ["soon"]}), [{"name": "when", "type": "date", "parts": parts}])
    with pytest.raises(ValueError, match="field 'when': 5 is not a date"):
        matrix(pd.DataFrame({"when": [5]}), [{"name": "when", "type": "date", "parts": parts}])


def test_of_many_texts_those_of_one_row_are_unknown_as_a_new_one_is() -> None:
    names = [f"name {at:03}" for at in range(201)]
    few = pd.DataFrame({"name": names[:200], "y": ["a", "b"] * 100})
    many = pd.DataFrame({"name": [*names, names[7]], "y": ["a", "b"] * 101})
    fields = [{"name": "name", "type": "category"}]
    assert fit(few, fields, ["a", "b"], "y")["fields"][0]["categories"] == names[:200]
    assert fit(many, fields, ["a", "b"], "y")["fields"][0]["categories"] == ["name 007"]
