"""A model folder in memory: from the body of a request to predictions, many requests in one call."""

from array import array
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from scoring import fingerprint, manifest
from scoring.batch import Batch, Model, label_text, nothing
from scoring.encode import NAN, Encoder, has_infinity
from scoring.library import Booster, Forest, Trees
from scoring.linear import Linear
from scoring.manifest import Label, Manifest, ModelError
from scoring.notes import Notes, Ranges, Unknown, add
from scoring.payload import NOTES, PROBABILITIES, PayloadError, Reader, Row
from scoring.pyfunc import Pyfunc

__all__ = ["Batch", "Model", "ModelError", "PayloadError", "label_text", "load"]

FEW_ROWS = 3
"""Up to here treelite is quicker than XGBoost's own library, which has a higher price for a call."""
SLICE_ROWS = 250
"""So many rows of a large request are scored before others have their turn: a few milliseconds."""


class Matrix:
    """A model of numbers alone: trees and weights. Reads, prepares and predicts. One thread at a time."""

    waits = False

    def __init__(self, about: Manifest, trees: Trees, few: Trees | None) -> None:
        self.about = about
        self._trees = trees
        self._few = few or trees
        self._reader = Reader(
            [field.name for field in about.fields], [field.name for field in about.fields if not field.required]
        )
        self._encoder = Encoder(about.fields)
        self._ranges = Ranges(about.fields)
        self._columns = about.columns

    @property
    def labels(self) -> Sequence[Label]:
        """What the classes are called, in their order."""
        return self.about.labels

    def predict(self, requests: Sequence[tuple[bytes, str]]) -> Batch:
        """Score requests together, each a body and a query string. One that is refused does not touch the others."""
        began_s = perf_counter()
        batch = Batch(self._trees.width)
        matrix: array[float] = array("f")
        read, encode, counts = self._reader.read, self._encoder.encode, batch.counts
        for place, (body, query_string) in enumerate(requests):
            try:
                rows, wishes = read(body, query_string)
                unknown = self._wished(wishes, rows, matrix, batch, place) if wishes else encode(rows, matrix)
            except PayloadError as refused:
                batch.refused[place] = refused
                counts.append(0)
            else:
                counts.append(len(rows))
                if unknown:
                    batch.unknown_rows += add(batch.unknown, unknown)
        if has_infinity(matrix):
            matrix = self._without_infinities(matrix, batch)
        prepared_s = perf_counter()
        rows_ = len(matrix) // self._columns
        if rows_:
            batch.scores = self._scores(matrix, rows_)
            batch.classes = _classes(batch.scores, batch.width)
            batch.looked_at, batch.outside_rows = self._ranges.count(matrix, rows_, batch.outside)
        batch.preparation_ms = (prepared_s - began_s) * 1000
        batch.inference_ms = (perf_counter() - prepared_s) * 1000
        return batch

    def in_slices(self, request: tuple[bytes, str]) -> Generator[None, None, Batch]:
        """Score one request as `predict` does, in steps; the batch holds it alone."""
        began_s = perf_counter()
        batch = Batch(self._trees.width)
        try:
            rows, wishes = self._reader.read(*request)
            if wishes & NOTES:
                batch.notes[0] = Notes()
            batch.preparation_ms = (perf_counter() - began_s) * 1000
            yield
            # The last slice may be short: all rows of a request are scored by the same library.
            trees = self._few if len(rows) <= FEW_ROWS else self._trees
            for first in range(0, len(rows), SLICE_ROWS):
                self._slice(rows[first : first + SLICE_ROWS], first, batch, trees)
                yield
        except PayloadError as refused:
            return Batch(self._trees.width, counts=[0], refused={0: refused})
        batch.counts = [len(rows)]
        batch.classes = _classes(batch.scores, batch.width)
        if wishes & PROBABILITIES:
            batch.probabilities.add(0)
        return batch

    def _slice(self, rows: list[Row], first: int, batch: Batch, trees: Trees) -> None:
        """Score rows that stand at `first` in their request, and add them to its batch."""
        began_s = perf_counter()
        matrix: array[float] = array("f")
        if 0 in batch.notes:
            unknown = self._noted(rows, matrix, batch, 0, first)
        else:
            unknown = self._encoder.encode(rows, matrix, first)
        batch.unknown_rows += add(batch.unknown, unknown)
        refused = self._encoder.infinite(matrix, 0, len(rows), first) if has_infinity(matrix) else None
        if refused is not None:
            raise refused
        prepared_s = perf_counter()
        batch.scores += trees.predict(matrix, len(rows))
        looked_at, strange = self._ranges.count(matrix, len(rows), batch.outside)
        batch.looked_at, batch.outside_rows = batch.looked_at + looked_at, batch.outside_rows + strange
        batch.preparation_ms += (prepared_s - began_s) * 1000
        batch.inference_ms += (perf_counter() - prepared_s) * 1000

    def _wished(self, wishes: int, rows: list[Row], matrix: "array[float]", batch: Batch, place: int) -> list[Unknown]:
        """Encode rows of a request that wants more than predictions."""
        if wishes & PROBABILITIES:
            batch.probabilities.add(place)
        return self._noted(rows, matrix, batch, place) if wishes & NOTES else self._encoder.encode(rows, matrix)

    def _noted(
        self, rows: list[Row], matrix: "array[float]", batch: Batch, place: int, first: int = 0
    ) -> list[Unknown]:
        """Encode rows of a request that wants notes, and take these down."""
        sent, start = [list(row) for row in rows], len(matrix)
        unknown = self._encoder.encode(rows, matrix, first)
        self._ranges.note(sent, matrix, start, first, batch.notes.setdefault(place, Notes()))
        return unknown

    def _without_infinities(self, matrix: "array[float]", batch: Batch) -> "array[float]":
        """Refuse the requests that hold a number too large for float32, and leave their rows out."""
        kept: array[float] = array("f")
        at = 0
        for place, count in enumerate(batch.counts):
            refused = self._encoder.infinite(matrix, at, count)
            end = at + count * self._columns
            if refused is None:
                kept.extend(matrix[at:end])
            else:
                batch.refused[place], batch.counts[place] = refused, 0
            at = end
        return kept

    def warm_up(self, lost: Callable[[str], None] = nothing) -> None:  # noqa: ARG002 - it is in this process
        """Predict one row of missing values on each way, so that the first request is as quick as the next."""
        for rows in (1, FEW_ROWS + 1):
            self._scores(array("f", [NAN] * (self._columns * rows)), rows)

    def _scores(self, matrix: "array[float]", rows: int) -> list[float]:
        trees = self._few if rows <= FEW_ROWS else self._trees
        return trees.predict(matrix, rows)

    def answer(self, batch: Batch, place: int) -> dict[str, Any]:
        """One request's predictions under the target's own labels, with probabilities where they were asked for."""
        start = sum(batch.counts[:place])
        end = start + batch.counts[place]
        labels = self.about.labels
        answer: dict[str, Any] = {"predictions": [labels[each] for each in batch.classes[start:end]]}
        if place in batch.probabilities:
            names = [label_text(label) for label in labels]
            scores = batch.scores[start * batch.width : end * batch.width]
            answer["probabilities"] = [dict(zip(names, row, strict=True)) for row in _full(scores, batch.width)]
        if place in batch.notes:
            answer["notes"] = batch.notes[place].document()
        return answer

    def close(self) -> None:
        """Nothing was started."""


def load(folder: str | Path) -> Model:
    """The model of a folder. Nothing is predicted yet, so a process may fork after it.

    Raises `ModelError`, one line, when the folder is missing, broken or does not agree with its manifest.
    """
    about = manifest.read(Path(folder))
    if about.python:
        return Pyfunc.of(about)
    columns, classes = about.columns, len(about.labels)
    few: Forest | None = None
    trees: Booster | Forest | Linear
    if about.file == "model.ubj":
        trees = Booster(about.folder / about.file, columns, classes)
        if about.treelite is not None and trees.used == trees.rounds:
            few = Forest(about.folder / about.treelite, columns, classes)
    elif about.file == "linear.json":
        trees = Linear(about.folder / about.file, columns, classes)
    else:
        trees = Forest(about.folder / about.file, columns, classes)
    if few is not None and few.width != trees.width:
        raise ModelError(f"{about.folder}: {about.treelite} and {about.file} are not the same model")
    return Matrix(replace(about, digest=fingerprint.of(about)), trees, few)


def _classes(scores: list[float], width: int) -> list[int]:
    if width == 1:
        return [1 if score > 0.5 else 0 for score in scores]
    return [row.index(max(row)) for row in _rows(scores, width)]


def _full(scores: list[float], width: int) -> list[list[float]]:
    return [[1 - score, score] for score in scores] if width == 1 else _rows(scores, width)


def _rows(scores: list[float], width: int) -> list[list[float]]:
    return [scores[start : start + width] for start in range(0, len(scores), width)]
