"""Predictions are the model's own: compared with what xgboost and scikit-learn say of the same raw rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scoring.model import Matrix, load

NAMES = ["delay", "month", "vip", "carrier"]
Rows = list[list[Any]]


def records(rows: Rows) -> list[dict[str, Any]]:
    return [dict(zip(NAMES, row, strict=True)) | {"remark": "ignored"} for row in rows]


def shuffled(rows: Rows) -> dict[str, Any]:
    return {"columns": ["more", *reversed(NAMES)], "data": [[0, *reversed(row)] for row in rows], "index": [7]}


FORMS: dict[str, Callable[[Rows], Any]] = {
    "positional": lambda rows: {"data": rows},
    "records under data": lambda rows: {"data": records(rows)},
    "columns": lambda rows: {"inputs": {name: [row[place] for row in rows] for place, name in enumerate(NAMES)}},
    "a list of records": records,
    "dataframe_split": lambda rows: {"dataframe_split": shuffled(rows)},
    "dataframe_records": lambda rows: {"dataframe_records": records(rows)},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["two", "four", "early", "forest", "forest-two"])
def test_every_form_predicts_as_the_package_itself_does(models: Path, name: str, form: str) -> None:
    expected = json.loads((models / name / "expected.json").read_text())
    model = load(models / name)
    batch = model.predict([(json.dumps(FORMS[form](expected["rows"])).encode(), "probabilities=1")])
    answer = model.answer(batch, 0)
    assert len(answer["predictions"]) == 200
    assert answer["predictions"] == expected["predictions"]
    for ours, theirs in zip(answer["probabilities"], expected["probabilities"], strict=True):
        assert list(ours.values()) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("name", ["two", "four", "early", "forest", "forest-two"])
def test_a_row_alone_gets_what_it_gets_among_others(models: Path, name: str) -> None:
    """One row goes through treelite, many through XGBoost's own library."""
    expected = json.loads((models / name / "expected.json").read_text())
    model = load(models / name)
    for row, prediction, likely in zip(*expected.values(), strict=True):
        batch = model.predict([(json.dumps(records([row])[0]).encode(), "probabilities=1")])
        answer = model.answer(batch, 0)
        assert answer["predictions"] == [prediction]
        assert list(answer["probabilities"][0].values()) == pytest.approx(likely, abs=1e-6)


def test_early_stopping_counts_only_the_rounds_up_to_the_best(models: Path) -> None:
    """Treelite's file holds all rounds, so it is left alone then."""
    early, two = load(models / "early"), load(models / "two")
    assert isinstance(early, Matrix)
    assert isinstance(two, Matrix)
    assert early._few is early._trees
    assert two._few is not two._trees
