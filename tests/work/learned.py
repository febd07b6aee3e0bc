"""A dataset learned from quickly and answered by the endpoint's own code, without a registry."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from xgboost import XGBClassifier

from core.work.child import QUIET
from core.work.data import Dataset
from scoring import model as scoring

with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # MLflow warns of its own code while it is imported; the child that does so elsewhere keeps that in work.log.
    warnings.simplefilter("ignore")
    for name, value in QUIET.items():
        patch.setenv(name, value)
    from core.work.flavour import matrix
    from core.work.preprocess import fit, indices

QUICK: Mapping[str, Any] = {"n_estimators": 25, "max_depth": 4, "learning_rate": 0.3, "n_jobs": 1, "random_state": 1}


def truths(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The labels of both parts as their places."""
    train, test = (indices(part[dataset.target], dataset.labels) for part in (dataset.train, dataset.test))
    return train, test


def encoded(dataset: Dataset) -> tuple[Mapping[str, Any], NDArray[np.float32], NDArray[np.float32]]:
    """What `preprocess` fits on the training rows, and both parts as matrices."""
    encoder = fit(dataset.train, [asdict(field) for field in dataset.fields], dataset.labels, dataset.target)
    return encoder, matrix(dataset.train, encoder["fields"]), matrix(dataset.test, encoder["fields"])


def served(dataset: Dataset, folder: Path) -> scoring.Model:
    """A small XGBoost model of the training rows, as an endpoint loads it."""
    encoder, x_train, _ = encoded(dataset)
    model = XGBClassifier(**QUICK).fit(x_train, truths(dataset)[0])
    folder.mkdir(parents=True, exist_ok=True)
    model.get_booster().save_model(folder / "model.ubj")
    manifest = {**encoder, "algorithm": "XGBoost", "file": "model.ubj", "treelite": None}
    (folder / "model.json").write_text(json.dumps(manifest))
    return scoring.load(folder)


def answers(model: scoring.Model, body: Any) -> list[Any]:
    """The labels of a request; what refuses it is raised."""
    batch = model.predict([(json.dumps(body).encode(), "")])
    for refused in batch.refused.values():
        raise refused
    found: list[Any] = model.answer(batch, 0)["predictions"]
    return found


def in_each_form(model: scoring.Model, records: Sequence[Mapping[str, Any]]) -> Mapping[str, list[Any]]:
    """The answers to the same rows in every form that a body may have."""
    names = [field.name for field in model.about.fields]
    rows = [[record[name] for name in names] for record in records]
    return {
        "records": answers(model, list(records)),
        "positional": answers(model, {"data": rows}),
        "columns": answers(model, {"inputs": {name: [record[name] for record in records] for name in names}}),
        "instances": answers(model, {"instances": rows}),
        "dataframe_records": answers(model, {"dataframe_records": list(records)}),
        "dataframe_split": answers(model, {"dataframe_split": {"columns": names, "data": rows}}),
    }
