"""The models that compete: each is served as it was fitted, the best is released, and halving finds as good a one."""

import json
import warnings
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.config.config import load
from core.config.settings import TrainSettings
from core.domain.errors import BadInput
from core.work.child import QUIET
from core.work.job import Report, Said
from scoring import model as scoring

with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # MLflow warns of its own code while it is imported; the child that does so elsewhere keeps that in work.log.
    warnings.simplefilter("ignore")
    for name, value in QUIET.items():
        patch.setenv(name, value)
    from core.work import bundle, entrants, search, train
    from core.work.flavour import Folder, matrix
    from core.work.linear import LinearClassifier, widths

ROWS = 400


def silent() -> Report:
    """Somewhere to say things."""
    said: list[Said] = []
    return Report(said.append)


def frame() -> pd.DataFrame:
    """Numbers, some of them missing, and texts."""
    draw = np.random.default_rng(5)
    number = draw.normal(3, 2, ROWS)
    number[::11] = np.nan
    return pd.DataFrame({"n": number, "text": draw.choice(["a", "b", "c"], ROWS), "m": draw.normal(size=ROWS)})


FIELDS: list[Mapping[str, Any]] = [
    {"name": "n", "type": "number"},
    {"name": "text", "type": "category", "categories": ["a", "b", "c"]},
    {"name": "m", "type": "number"},
]


def labelled(labels: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The matrix and what a line through it would say."""
    x = matrix(frame(), FIELDS)
    score = np.nan_to_num(x[:, 0], nan=3.0) + 2 * (x[:, 1] == 1) + x[:, 2]
    return x, np.digitize(score, np.quantile(score, np.arange(1, labels) / labels)).astype(np.int64)


@pytest.mark.parametrize("labels", [2, 3])
def test_a_linear_model_is_served_and_loaded_as_it_was_fitted(labels: int, tmp_path: Path) -> None:
    x, y = labelled(labels)
    fitted = LinearClassifier(widths(FIELDS)).fit(x, y)
    encoder = {
        "format": 1,
        "task": "classification",
        "fields": FIELDS,
        "target": "y",
        "labels": ["low", "middle", "high"][:labels],
        "example": json.loads(frame().head(1).to_json(orient="records"))[0],
    }
    folder = bundle.write_linear(tmp_path / "folder", fitted, encoder)
    given = frame()
    given.loc[3, "text"] = "never seen"
    rows = matrix(given, FIELDS)
    known = fitted.predict_proba(rows)
    assert np.allclose(Folder(folder).probabilities(given), known, atol=1e-9)
    model = scoring.load(folder)
    assert isinstance(model, scoring.Matrix)
    served = model._trees.predict(array("f", rows.ravel().tolist()), len(rows))
    assert np.allclose(np.reshape(served, (len(rows), -1)), known[:, 1:] if labels == 2 else known, atol=1e-9)
    assert (fitted.predict(x) == y).mean() > 0.9


def test_the_best_by_cross_validation_wins_and_the_margin_is_said() -> None:
    x, y = labelled(2)
    settings = TrainSettings(models=("xgboost", "forest", "linear"), n_iter=2, cv_folds=3)
    found = entrants.compete(x, y, settings, widths(FIELDS), silent(), lambda *_: None)
    kind = entrants.winner(found, settings)
    assert kind == "linear"
    said = train.chosen(found, kind, "macro_f1")
    assert said.startswith(f"chosen: a linear model, f1 {found['linear'].cv:.4f} over the folds; XGBoost ")
    margin = found["linear"].cv - max(found["xgboost"].cv, found["forest"].cv)
    assert said.endswith(f"margin {margin:.4f}")
    assert train.chosen({"linear": found["linear"]}, "linear", "macro_f1") == ""


def test_of_log_loss_the_lowest_wins() -> None:
    settings = TrainSettings(primary_metric="log_loss")
    one, two = (search.Found(None, {}, cv, 0.1, True, "") for cv in (0.3, 0.2))
    assert entrants.winner({"xgboost": one, "linear": two}, settings) == "linear"


@pytest.mark.parametrize(
    ("rows", "how", "tries", "found"),
    [
        (9_999, "auto", 20, [9_999]),
        (18_000, "auto", 20, [2_000, 6_000, 18_000]),
        (12_000, "auto", 20, [4_000, 12_000]),
        (18_000, "random", 20, [18_000]),
        (4_800, "halving", 20, [1_600, 4_800]),
        (18_000, "auto", 1, [18_000]),
        (3_000, "halving", 20, [3_000]),
    ],
)
def test_halving_is_for_many_rows_and_ends_with_all(rows: int, how: str, tries: int, found: list[int]) -> None:
    settings = TrainSettings.model_validate({"search": how, "n_iter": tries})
    assert search.sizes(np.arange(rows) % 2, settings) == found


def test_a_round_has_enough_rows_of_the_rarest_label() -> None:
    y = (np.arange(18_000) % 2_000 == 0).astype(np.int64)
    assert search.sizes(y, TrainSettings(search="halving")) == [18_000]


def test_halving_tries_all_on_few_rows_and_the_best_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "FEWEST_ROWS", 40)
    x, y = labelled(2)
    steps: list[int] = []
    settings = TrainSettings(search="halving", n_iter=9, cv_folds=2)
    found = search.find(x, y, settings, silent(), lambda step, _: steps.append(step))
    assert steps == list(range(1, 9 + 3 + 1 + 1))
    assert found.converged
    again = search.find(x, y, settings, silent(), lambda *_: None)
    assert (again.params, again.cv) == (found.params, found.cv)


def test_models_are_some_of_three_each_once(tmp_path: Path) -> None:
    project = "data: {source: iris, target: species}\nendpoint: {name: x}\n"
    (tmp_path / "quarterdeck.yaml").write_text(project)
    assert load(tmp_path, sets=("train.models=forest,linear",), environ={}).train.models == ("forest", "linear")
    assert load(tmp_path, sets=("train.models=linear",), environ={}).train.models == ("linear",)
    with pytest.raises(BadInput, match=r"train.models: names a model twice"):
        load(tmp_path, sets=("train.models=linear,linear",), environ={})
    with pytest.raises(BadInput, match=r"train.models"):
        load(tmp_path, sets=("train.models=liner",), environ={})
