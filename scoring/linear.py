"""A linear model's answers: `linear.json` holds a weight for each number and each category. Pure Python, no library."""

from array import array
from collections.abc import Sequence
from math import exp
from pathlib import Path
from typing import Any

import orjson

from scoring.manifest import ModelError


class Linear:
    """Logistic regression over rows of float32, of which NaN is missing."""

    def __init__(self, path: Path, columns: int, classes: int) -> None:
        try:
            document = orjson.loads(path.read_bytes())
            self._intercepts = _numbers(document["intercepts"])
            self._columns = [_column(each, len(self._intercepts)) for each in document["columns"]]
        except (OSError, ValueError, KeyError, TypeError):
            raise ModelError(f"{path}: can't be read as a linear model; write the model folder again") from None
        if len(self._columns) != columns:
            raise ModelError(f"{path}: it has {len(self._columns)} columns, model.json names {columns} fields")
        self.width = 1 if classes == 2 else classes
        if len(self._intercepts) != self.width:
            raise ModelError(f"{path}: it gives {len(self._intercepts)} scores, model.json names {classes} labels")

    def predict(self, values: "array[float]", rows: int) -> list[float]:
        """Probabilities: one a row for two classes, else one a class."""
        count = len(self._columns)
        found: list[float] = []
        for row in range(rows):
            scores = list(self._intercepts)
            for value, (slopes, categories, missing) in zip(
                values[row * count : (row + 1) * count], self._columns, strict=True
            ):
                if value != value:  # noqa: PLR0124 - NaN
                    parts: Sequence[float] = missing
                elif slopes is None:
                    parts = categories[int(value)]
                else:
                    parts = [value * slope for slope in slopes]
                for place, part in enumerate(parts):
                    scores[place] += part
            found += probabilities(scores)
        return found


def probabilities(scores: Sequence[float]) -> list[float]:
    """Of one score the logistic function, of several the softmax."""
    if len(scores) == 1:
        score = scores[0]
        return [1 / (1 + exp(-score)) if score >= 0 else exp(max(score, -700.0)) / (1 + exp(max(score, -700.0)))]
    most = max(scores)
    raised = [exp(max(score - most, -700.0)) for score in scores]
    total = sum(raised)
    return [each / total for each in raised]


def _column(document: Any, outputs: int) -> tuple[list[float] | None, list[list[float]], list[float]]:
    """A number's slopes or each category's weights, and what stands for a missing value."""
    slopes = _numbers(document["number"]) if "number" in document else None
    categories = [_numbers(each) for each in document.get("categories", ())]
    missing = _numbers(document["missing"])
    if any(len(each) != outputs for each in (missing, *categories, *([] if slopes is None else [slopes]))):
        raise ValueError("weights and outputs differ in number")
    return slopes, categories, missing


def _numbers(values: Any) -> list[float]:
    return [float(value) for value in values]
