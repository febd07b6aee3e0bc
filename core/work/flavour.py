"""The model as MLflow loads it: raw rows in, the target's own labels out. Lies inside the logged model and imports
nothing of Quarterdeck; needs pandas, numpy and, by the model's file, xgboost or treelite; a linear model neither."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, cast

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel
from numpy.typing import NDArray

Field = Mapping[str, Any]
_DATES = {"year": "year", "month": "month", "weekday": "day_of_week", "hour": "hour"}
"""What pandas calls the parts of a date; the other one, `days`, counts from 1970."""
_EPOCH, _DAY = pd.Timestamp(0, tz="UTC"), pd.Timedelta(days=1)


class Folder:
    """A model folder: `model.json` says how rows are prepared, beside it lies the model."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = manifest(path)
        self.labels: Sequence[Any] = self.manifest["labels"]
        self._model = _load(path / self.manifest["file"])

    def probabilities(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Rows x labels, in the order of `labels`."""
        rows = matrix(frame, self.manifest["fields"])
        if len(rows) == 0:
            return np.zeros((0, len(self.labels)))
        return spread(self._model(rows), len(rows))

    def predict(self, frame: pd.DataFrame) -> NDArray[Any]:
        """The label of each row, as the target has it."""
        return self.named(self.probabilities(frame))

    def named(self, probabilities: NDArray[np.float64]) -> NDArray[Any]:
        """The most probable label of each row; of two equal ones the first."""
        kinds = {type(label) for label in self.labels}
        labels = np.array(self.labels, dtype=None if len(kinds) == 1 and kinds != {str} else object)
        return cast("NDArray[Any]", labels[probabilities.argmax(axis=1)])


def manifest(path: Path) -> Mapping[str, Any]:
    """What a model folder says of itself."""
    read: Mapping[str, Any] = json.loads((path / "model.json").read_text(encoding="utf-8"))
    return read


def matrix(frame: pd.DataFrame, fields: Sequence[Field]) -> NDArray[np.float32]:
    """The model's input, rows x fields. Missing columns, missing values and unknown categories are NaN.

    Raises ValueError, which names the field, where a number is not one.
    """
    columns = [column for field in fields for column in _columns(frame, field)]
    if not columns:
        return np.zeros((len(frame), 0), dtype=np.float32)
    return np.stack(columns, axis=1)


def _columns(frame: pd.DataFrame, field: Field) -> list[NDArray[np.float32]]:
    """One column for a field, several for a date."""
    if field["type"] != "date":
        return [_column(frame, field)]
    if field["name"] not in frame.columns:
        return [np.full(len(frame), np.nan, dtype=np.float32) for _ in field["parts"]]
    values = cast("pd.Series[Any]", frame[field["name"]])
    if not isinstance(values.dtype, pd.StringDtype):
        strange = [value for value in values if not _missing(value) and not isinstance(value, str | date)]
        if strange:
            raise ValueError(f"field {field['name']!r}: {strange[0]!r} is not a date")
    try:
        found = pd.to_datetime(values, format="ISO8601", utc=True).dt
    except ValueError as error:
        raise ValueError(f"field {field['name']!r}: {str(error).splitlines()[0]}") from None
    return [
        getattr(found, _DATES[part]).to_numpy(np.float32, na_value=np.nan)
        if part in _DATES
        else ((found.normalize() - _EPOCH) / _DAY).to_numpy(np.float32, na_value=np.nan)
        for part in field["parts"]
    ]


def _column(frame: pd.DataFrame, field: Field) -> NDArray[np.float32]:
    name = field["name"]
    if name not in frame.columns:
        return np.full(len(frame), np.nan, dtype=np.float32)
    values = cast("pd.Series[Any]", frame[name])
    try:
        if field["type"] == "category":
            places = {text: float(place) for place, text in enumerate(field["categories"])}
            first_word = (field.get("reader") or {}).get("first_word") is True
            if isinstance(values.dtype, pd.StringDtype):
                codes, texts = pd.factorize(values)
                known = np.array([*(_place(text, places, first_word) for text in texts), np.nan], dtype=np.float32)
                return known[codes]
            return np.array([_place(value, places, first_word) for value in values], dtype=np.float32)
        # to_numeric would take "12" for a number; what is no number in JSON is none here.
        if values.dtype == object or isinstance(values.dtype, pd.StringDtype | pd.CategoricalDtype):
            return np.array([_number(value) for value in values], dtype=np.float32)
        return values.to_numpy(dtype=np.float32, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"field {name!r}: {error}") from None


def _place(value: object, places: Mapping[str, float], first_word: bool) -> float:
    """Where a category stands among those known; NaN for an unknown one."""
    if isinstance(value, str):
        if first_word:
            return places.get(value.split(maxsplit=1)[0], np.nan) if value.strip() else np.nan
        return places.get(value, places.get(value.strip(), np.nan))
    if isinstance(value, list | dict):
        raise TypeError(f"{value!r} is not a text")
    return np.nan if _missing(value) else places.get(category_text(value), np.nan)


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value  # noqa: PLR0124 - NaN


def _number(value: object) -> float:
    if _missing(value):
        return np.nan
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return float(value)
    raise ValueError(f"{value!r} is not a number")


def category_text(value: object) -> str:
    """A category's value as text: a text as it is, anything else as JSON writes it."""
    if isinstance(value, str):
        return value
    return json.dumps(value.item() if isinstance(value, np.generic) else value, default=str)


def spread(scores: NDArray[Any], rows: int) -> NDArray[np.float64]:
    """One score a row as two probabilities; several as they are."""
    table = np.asarray(scores, dtype=np.float64).reshape(rows, -1)
    return np.hstack([1 - table, table]) if table.shape[1] == 1 else table


def _load(file: Path) -> Any:
    """A function from a matrix to the model's scores."""
    if file.suffix == ".ubj":
        from xgboost import Booster  # noqa: PLC0415 - a forest needs no xgboost

        booster = Booster(model_file=str(file))
        return lambda rows: booster.inplace_predict(rows, missing=np.nan)
    if file.suffix == ".json":
        return _linear(json.loads(file.read_text(encoding="utf-8")))
    import treelite  # noqa: PLC0415 - and XGBoost no treelite

    forest = treelite.Model.deserialize(str(file))
    return lambda rows: treelite.gtil.predict(forest, rows)


def _linear(weights: Mapping[str, Any]) -> Any:
    """A function from a matrix to a linear model's probabilities."""
    intercepts, columns = np.array(weights["intercepts"]), weights["columns"]
    # A place behind the categories, where a missing one looks.
    tables = {
        at: np.array([*each["categories"], each["missing"]]) for at, each in enumerate(columns) if "number" not in each
    }

    def scores(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        total = np.tile(intercepts, (len(rows), 1))
        for at, each in enumerate(columns):
            values, gaps = rows[:, at], np.isnan(rows[:, at])
            if at in tables:
                total += tables[at][np.where(gaps, -1, values).astype(int)]
            else:
                given = np.where(gaps, 0, values).astype(np.float64)
                total += np.where(gaps[:, None], each["missing"], given[:, None] * np.array(each["number"]))
        if total.shape[1] == 1:
            return cast("NDArray[np.float64]", 1 / (1 + np.exp(-np.clip(total, -700, 700))))
        raised = np.exp(np.maximum(total - total.max(axis=1, keepdims=True), -700))
        return cast("NDArray[np.float64]", raised / raised.sum(axis=1, keepdims=True))

    return scores


class Classifier(PythonModel):  # type: ignore[misc]
    """What `mlflow.pyfunc.load_model` gives."""

    folder: Folder

    def load_context(self, context: Any) -> None:
        """Read the model folder that lies among the artifacts."""
        self.folder = Folder(Path(context.artifacts["folder"]))

    def predict(
        self,
        context: Any,  # noqa: ARG002 - MLflow asks for it
        model_input: pd.DataFrame,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """Labels; with `{"probabilities": True}` a column of probabilities for each label."""
        if params and params.get("probabilities"):
            labels = [str(label) for label in self.folder.labels]
            return pd.DataFrame(self.folder.probabilities(model_input), columns=labels)
        return self.folder.predict(model_input)


mlflow.models.set_model(Classifier())
