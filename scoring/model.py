"""A model folder in memory: from the body of a request to predictions, many requests in one call."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from scoring import manifest
from scoring.encode import Encoder
from scoring.library import Booster, Forest, Trees
from scoring.manifest import Label, Manifest, ModelError
from scoring.payload import PayloadError, Query, Reader

__all__ = ["Batch", "Model", "ModelError", "PayloadError", "Prediction", "load"]

FEW_ROWS = 3
"""Up to here treelite is quicker than XGBoost's own library, which has a higher price for a call."""


@dataclass(slots=True)
class Prediction:
    """What came of one request: a class for each of its rows, or why there is none."""

    classes: list[int] = field(default_factory=list)
    probabilities: list[list[float]] | None = None
    unknown_categories: int = 0
    refused: PayloadError | None = None


@dataclass(slots=True)
class Batch:
    """Requests that were scored in one call, in their order; times are of the whole call."""

    predictions: list[Prediction]
    rows: int
    preparation_ms: float
    inference_ms: float


class Model:
    """Reads, prepares and predicts. One thread at a time."""

    def __init__(self, about: Manifest, trees: Trees, few: Trees | None) -> None:
        self.about = about
        self._trees = trees
        self._few = few or trees
        self._reader = Reader([field.name for field in about.fields])
        self._encoder = Encoder(about.fields)

    @property
    def labels(self) -> Sequence[Label]:
        """What the classes are called, in their order."""
        return self.about.labels

    def predict(self, requests: Sequence[tuple[bytes, str]]) -> Batch:
        """Score requests together, each a body and a query string. One that is refused does not touch the others."""
        began = perf_counter()
        matrix: array[float] = array("f")
        predictions, queries = [], []
        for body, query_string in requests:
            prediction, query = Prediction(), None
            try:
                query = self._reader.read(body, query_string)
                prediction.unknown_categories = self._encoder.encode(query.rows, matrix)
            except PayloadError as refused:
                prediction.refused, query = refused, None
            predictions.append(prediction)
            queries.append(query)
        prepared = perf_counter()
        rows = len(matrix) // len(self.about.fields)
        if rows:
            values = self._scores(matrix, rows)
            self._hand_out(values, predictions, queries)
        done = perf_counter()
        return Batch(predictions, rows, (prepared - began) * 1000, (done - prepared) * 1000)

    def warm_up(self) -> None:
        """Predict one row of missing values on each way, so that the first request is as quick as the next."""
        for rows in (1, FEW_ROWS + 1):
            self._scores(array("f", [float("nan")] * (len(self.about.fields) * rows)), rows)

    def _scores(self, matrix: "array[float]", rows: int) -> list[float]:
        trees = self._few if rows <= FEW_ROWS else self._trees
        return trees.predict(matrix, rows)

    def _hand_out(self, values: list[float], predictions: list[Prediction], queries: list[Query | None]) -> None:
        """Give each request its part of the scores, which lie one row after the other."""
        width = self._trees.width
        at = 0
        for prediction, query in zip(predictions, queries, strict=True):
            if query is None:
                continue
            end = at + len(query.rows) * width
            if width == 1:
                prediction.classes = [1 if value > 0.5 else 0 for value in values[at:end]]
            else:
                prediction.classes = [row.index(max(row)) for row in _rows(values, at, end, width)]
            if query.probabilities:
                prediction.probabilities = _full(values, at, end, width)
            at = end

    def answer(self, prediction: Prediction) -> dict[str, Any]:
        """Predictions under the target's own labels, and probabilities where they were asked for."""
        labels = self.about.labels
        answer: dict[str, Any] = {"predictions": [labels[each] for each in prediction.classes]}
        if prediction.probabilities is not None:
            names = [label_text(label) for label in labels]
            answer["probabilities"] = [dict(zip(names, row, strict=True)) for row in prediction.probabilities]
        return answer


def label_text(label: Label) -> str:
    """A label as a key or in a header: as JSON writes it, without quotes."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def load(folder: str | Path) -> Model:
    """The model of a folder. Nothing is predicted yet, so a process may fork after it.

    Raises `ModelError`, one line, when the folder is missing, broken or does not agree with its manifest.
    """
    about = manifest.read(Path(folder))
    columns, classes = len(about.fields), len(about.labels)
    few: Forest | None = None
    trees: Booster | Forest
    if about.file == "model.ubj":
        trees = Booster(about.folder / about.file, columns, classes)
        if about.treelite is not None and trees.used == trees.rounds:
            few = Forest(about.folder / about.treelite, columns, classes)
    else:
        trees = Forest(about.folder / about.file, columns, classes)
    if few is not None and few.width != trees.width:
        raise ModelError(f"{about.folder}: {about.treelite} and {about.file} are not the same model")
    return Model(about, trees, few)


def _rows(values: list[float], at: int, end: int, width: int) -> Iterator[list[float]]:
    return (values[start : start + width] for start in range(at, end, width))


def _full(values: list[float], at: int, end: int, width: int) -> list[list[float]]:
    if width == 1:
        return [[1 - value, value] for value in values[at:end]]
    return list(_rows(values, at, end, width))
