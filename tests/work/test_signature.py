"""What a registered version says that it takes: MLflow's own ways get the endpoint's answers, or a refusal."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.work.content import records_of
from core.work.data import Dataset
from scoring import model as scoring
from tests.work.learned import answers, served
from tests.work.test_cases import CASES, dataset_of
from tests.work.test_cases_learned import raw

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    from core.work import flavour
    from core.work.signature import signature

ROWS = 120
NOTHING = {"price": None, "percent": None, "word": None, "code": None}


def logged(dataset: Dataset, folder: Path) -> tuple[scoring.Model, Any]:
    """A model as the endpoint loads it, and as MLflow does."""
    ours = served(dataset, folder / "model")
    fields = flavour.manifest(folder / "model")["fields"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            folder / "logged",
            python_model=str(Path(flavour.__file__)),
            artifacts={"folder": str(folder / "model")},
            signature=signature(dataset.train, fields, dataset.labels),
            pip_requirements=[],
        )
        return ours, mlflow.pyfunc.load_model(str(folder / "logged"))


def to_mlflows_server(model: Any, records: list[dict[str, Any]]) -> list[Any]:
    """What `mlflow models serve` does with a body; raises MlflowException or ValueError where it refuses one."""
    body = json.loads(json.dumps({"dataframe_records": records}))
    return plain(model.predict(infer_and_parse_data(body, model.metadata.get_input_schema())))


def plain(found: Any) -> list[Any]:
    return [value.item() if isinstance(value, np.generic) else value for value in found]


def types(model: Any) -> Mapping[str, str]:
    return {each.name: getattr(each.type, "name", "any") for each in model.metadata.get_input_schema().inputs}


@pytest.mark.parametrize("case", CASES)
def test_mlflow_answers_as_the_endpoint_does_or_refuses(case: str, tmp_path: Path) -> None:
    name, target, *_ = CASES[case]
    dataset = dataset_of(name, target, tmp_path, [])
    ours, theirs = logged(dataset, tmp_path)
    rows = records_of(dataset.held_out)
    expected = answers(ours, rows)
    assert plain(theirs.predict(dataset.held_out)) == expected
    assert to_mlflows_server(theirs, rows) == expected
    assert [to_mlflows_server(theirs, [row])[0] for row in rows[:20]] == expected[:20]
    for row in raw(case).head(40).to_dict("records"):
        spelled = {str(key): value for key, value in row.items()}
        try:
            found = to_mlflows_server(theirs, [spelled])
        except (MlflowException, ValueError):
            continue
        assert found == answers(ours, [spelled])


def test_each_column_has_the_type_that_its_table_had(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    whole = draw.integers(0, 90, ROWS)
    table = pd.DataFrame(
        {
            "age": whole,
            "gaps": [None if place % 9 == 0 else int(value) for place, value in enumerate(whole[::-1])],
            "share": draw.random(ROWS).round(3),
            "price": [f"${value:,}" for value in draw.integers(900, 9999, ROWS)],
            "percent": [f"{value}%" for value in draw.integers(0, 99, ROWS)],
            "word": draw.choice(["yes", "no"], ROWS),
            "town": draw.choice(["Bern", "Basel", "Chur"], ROWS),
            "code": draw.choice(["01", "02", "30"], ROWS),
            "born": pd.date_range("2020-01-01", periods=ROWS, freq="37h").strftime("%Y-%m-%d"),
            "label": np.where(whole > 40, "old", "young"),
        }
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    dataset = dataset_of(str(tmp_path / "t.csv"), "label", tmp_path, [])
    ours, theirs = logged(dataset, tmp_path)
    assert types(theirs) == {
        "age": "long",
        "gaps": "double",
        "share": "double",
        "price": "any",
        "percent": "any",
        "word": "any",
        "town": "string",
        "code": "any",
        "born": "string",
    }
    assert [each.required for each in theirs.metadata.get_input_schema().inputs] == [False] * 9
    names = ["age", "gaps", "share", "town", "born"]
    as_people_read_it = pd.read_csv(tmp_path / "t.csv")[names].head(30)
    rows = records_of(as_people_read_it)
    assert plain(theirs.predict(as_people_read_it)) == answers(ours, [{**NOTHING, **row} for row in rows])
    rows = records_of(dataset.held_out)
    missing = [{**row, "gaps": None, "town": None} for row in rows]
    assert to_mlflows_server(theirs, missing) == answers(ours, missing)


def test_a_table_with_a_decimal_comma_has_numbers_of_any_type(tmp_path: Path) -> None:
    _, theirs = logged(dataset_of("de.csv", "Ziel", tmp_path, []), tmp_path)
    assert {"Alter": "any", "Betrag": "any", "Zins": "any", "Ort": "string"}.items() <= types(theirs).items()


def test_true_and_false_of_a_table_that_has_types_are_boolean(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    flag, sure = draw.random(ROWS) > 0.5, draw.random(ROWS) > 0.5
    maybe = pd.Series(sure.astype(object)).where(draw.random(ROWS) > 0.2, None)
    table = pd.DataFrame({"flag": flag, "maybe": maybe, "x": draw.random(ROWS), "label": np.where(flag, "p", "q")})
    table["x"] += flag * 0.1
    table.loc[::7, "label"] = "p"
    table.to_parquet(tmp_path / "t.parquet")
    dataset = dataset_of(str(tmp_path / "t.parquet"), "label", tmp_path, [])
    ours, theirs = logged(dataset, tmp_path)
    assert types(theirs) == {"flag": "boolean", "maybe": "any", "x": "double"}
    rows = records_of(dataset.held_out)
    assert plain(theirs.predict(dataset.held_out)) == to_mlflows_server(theirs, rows) == answers(ours, rows)
