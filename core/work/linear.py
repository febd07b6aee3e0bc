"""A linear model over our matrix: numbers as they are, a weight for each category, missing values as the mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

Weights = Mapping[str, Any]


def widths(fields: Sequence[Mapping[str, Any]]) -> list[int]:
    """For each column of the matrix how many categories it has, 0 for one of numbers."""
    found: list[int] = []
    for field in fields:
        count = len(field["categories"]) if field["type"] == "category" else 0
        found += [count] * len(field.get("parts") or (None,))
    return found


class LinearClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression, of several labels multinomial. Numbers are brought to mean 0 and spread 1 for the fit."""

    def __init__(self, categories: Sequence[int] = (), C: float = 1.0) -> None:  # noqa: N803 - scikit-learn's name
        self.categories = categories
        self.C = C

    def fit(self, x: NDArray[np.float32], y: NDArray[np.int64]) -> "LinearClassifier":
        """Fit on rows whose columns are as `categories` says."""
        counts = np.array(self.categories or [0] * x.shape[1])
        self._numbers, self._texts = np.flatnonzero(counts == 0), np.flatnonzero(counts > 0)
        known = x[:, self._numbers].astype(np.float64)
        seen = ~np.isnan(known)
        total = np.maximum(seen.sum(axis=0), 1)
        self._mean = np.where(seen, known, 0).sum(axis=0) / total
        spread = np.sqrt((np.where(seen, known - self._mean, 0) ** 2).sum(axis=0) / total)
        self._spread = np.where((spread > 0) & np.isfinite(spread), spread, 1.0)
        self._inner = LogisticRegression(C=self.C, max_iter=300).fit(self._design(x), y)
        self.classes_ = self._inner.classes_
        return self

    def predict_proba(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Rows x labels."""
        found: NDArray[np.float64] = self._inner.predict_proba(self._design(x))
        return found

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.int64]:
        """The most probable label of each row."""
        found: NDArray[np.int64] = self.classes_[self.predict_proba(x).argmax(axis=1)]
        return found

    def weights(self) -> Weights:
        """What `linear.json` holds: `intercepts`, and for each column `weights` of a number or of each category, and
        what is `missing` in place of a value; each a list with one number an output."""
        outputs = len(self._inner.intercept_)
        per_number = self._inner.coef_[:, : len(self._numbers)] / self._spread
        intercepts = self._inner.intercept_ - per_number @ self._mean
        columns: list[Any] = [None] * len(self.categories)
        for at, column in enumerate(self._numbers.tolist()):
            slope = per_number[:, at]
            columns[column] = {"number": slope.tolist(), "missing": (slope * self._mean[at]).tolist()}
        start = len(self._numbers)
        for column in self._texts.tolist():
            end = start + self.categories[column]
            columns[column] = {"categories": self._inner.coef_[:, start:end].T.tolist(), "missing": [0.0] * outputs}
            start = end
        return {"intercepts": intercepts.tolist(), "columns": columns}

    def _design(self, x: NDArray[np.float32]) -> Any:
        """The matrix that is fitted: numbers about their mean, then a column for each category."""
        numbers = (x[:, self._numbers].astype(np.float64) - self._mean) / self._spread
        blocks = [sparse.csr_matrix(np.where(np.isnan(numbers), 0, numbers))]
        for column in self._texts.tolist():
            rows = np.flatnonzero(~np.isnan(x[:, column]))
            shape = (len(x), self.categories[column])
            blocks.append(sparse.csr_matrix((np.ones(len(rows)), (rows, x[rows, column].astype(int))), shape=shape))
        return sparse.hstack(blocks, format="csr") if len(self._texts) else blocks[0].toarray()
