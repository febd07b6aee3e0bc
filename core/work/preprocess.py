"""How raw rows become a matrix: fitted on the training part alone, kept with the model, always the same."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.domain.errors import BadData
from core.work.columns import MANY_VALUES
from core.work.contract import chosen
from core.work.flavour import category_text, matrix
from core.work.job import Done, Job, Report, needed

FORMAT = 1
MOST_CATEGORIES = 500
"""The rarest values beyond these are treated as unknown."""


def run(job: Job, say: Report) -> Done:
    """Fit the encoder and turn both parts into matrices: `encoder.json` and `matrices.npz`."""
    data = needed(job.folder, "data", "preprocess")
    train, test = frames(job.folder)
    encoder = fit(train, chosen(data["fields"], job.settings.fields), data["labels"], data["target"])
    arrays: dict[str, NDArray[Any]] = {}
    for name, frame in (("train", train), ("test", test)):
        arrays[f"x_{name}"] = matrix(frame, encoder["fields"])
        arrays[f"y_{name}"] = indices(frame[data["target"]], data["labels"])
    np.savez(job.folder / "matrices.npz", **arrays)  # type: ignore[arg-type]
    (job.folder / "encoder.json").write_text(json.dumps(encoder, indent=1))
    categories = sum(len(field.get("categories", ())) for field in encoder["fields"])
    missing = float(np.isnan(arrays["x_train"]).mean() * 100)
    say(f"{len(encoder['fields'])} columns, {categories} categories, {missing:.1f} % of the values missing")
    columns = len(encoder["fields"])
    result = {"columns": columns, "categories": categories, "missing_percent": missing}
    return Done(result, f"{columns} column{'' if columns == 1 else 's'}")


def fit(
    train: pd.DataFrame, fields: Sequence[Mapping[str, Any]], labels: Sequence[Any], target: str
) -> Mapping[str, Any]:
    """What `model.json` says of the preparation. Categories are sorted, so that the same rows give the same bytes."""
    fitted = [
        {"name": field["name"], "type": field["type"]}
        | ({"categories": _categories(train[field["name"]])} if field["type"] == "category" else {})
        | ({} if field.get("required", True) else {"required": False})
        | ({"reader": field["reader"]} if field.get("reader") else {})
        | ({"parts": list(field["parts"])} if field.get("parts") else {})
        | (_range(train[field["name"]]) if field["type"] in ("number", "integer") else {})
        for field in fields
    ]
    return {
        "format": FORMAT,
        "task": "classification",
        "fields": fitted,
        "target": target,
        "labels": list(labels),
        "example": example(train, fitted),
    }


def _range(values: pd.Series) -> dict[str, Any]:
    """Between what a column's numbers lie, as the model sees them; of none there is no range."""
    numbers = values.dropna().to_numpy(np.float32, na_value=np.nan)
    numbers = numbers[np.isfinite(numbers)]
    return {"range": [float(numbers.min()), float(numbers.max())]} if len(numbers) else {}


def _categories(values: pd.Series) -> list[str]:
    """The texts that a model tells apart. Of many those of one row are unknown, as the next row's own will be."""
    texts = values.dropna()
    texts = texts if isinstance(texts.dtype, pd.StringDtype) else texts.map(category_text)
    counts = texts.value_counts(sort=True)
    counts = counts[counts > 1] if len(counts) > MANY_VALUES else counts
    return sorted(counts.index[:MOST_CATEGORIES])


def example(frame: pd.DataFrame, fields: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One raw row as JSON: the first without a missing value, else the first."""
    names = [field["name"] for field in fields]
    whole = frame[names].dropna().head(1)
    row = whole if len(whole) else frame[names].head(1)
    records: list[dict[str, Any]] = json.loads(row.to_json(orient="records", double_precision=15))
    return records[0]


def indices(values: pd.Series, labels: Sequence[Any]) -> NDArray[np.int64]:
    """Labels as their places in `labels`."""
    places = {label: place for place, label in enumerate(labels)}
    found = values.map(places)
    if found.isna().any():
        stranger = values[found.isna()].iloc[0]
        raise BadData(f"{values.name}: {stranger!r} is none of the labels {', '.join(map(str, labels))}")
    return found.to_numpy(np.int64)


def frames(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The raw training and held-out rows that the data step left."""
    return pd.read_parquet(folder / "train.parquet"), pd.read_parquet(folder / "test.parquet")


def matrices(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Training rows and labels, held-out rows and labels, as this step left them."""
    with np.load(folder / "matrices.npz") as kept:
        return kept["x_train"], kept["y_train"], kept["x_test"], kept["y_test"]


def encoder(folder: Path) -> Mapping[str, Any]:
    """What `fit` found, as this step left it."""
    found: Mapping[str, Any] = json.loads((folder / "encoder.json").read_text())
    return found
