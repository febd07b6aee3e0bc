"""The models that compete to be the candidate, each at its best by cross-validation over the same folds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier

from core.config.settings import ModelKind, TrainSettings
from core.work import search
from core.work.cores import threads
from core.work.figures import SHORT
from core.work.job import Report
from core.work.linear import LinearClassifier
from core.work.search import Found

NAMES: Mapping[ModelKind, str] = {"xgboost": "XGBoost", "forest": "a random forest", "linear": "a linear model"}
ALGORITHMS: Mapping[ModelKind, str] = {"xgboost": "XGBoost", "forest": "RandomForest", "linear": "Linear"}
"""What people, and what MLflow's runs and model folders call them."""

FOREST: Mapping[str, Any] = {"n_estimators": 100, "max_depth": 8, "min_samples_leaf": 3}
"""The baseline: what anybody gets without searching, and small enough to serve."""
FORESTS: Sequence[Mapping[str, Any]] = (
    FOREST,
    {**FOREST, "max_depth": 14},
    {**FOREST, "max_depth": 14, "max_features": 0.5},
)
LINEARS: Sequence[Mapping[str, Any]] = ({"C": 1.0}, {"C": 0.1}, {"C": 0.01}, {"C": 10.0})
"""What is tried of each; none is so large that serving it would take long."""

LogStep = Callable[[int, Mapping[str, float]], None]


def compete(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    train: TrainSettings,
    categories: Sequence[int],
    say: Report,
    log_step: LogStep,
) -> Mapping[ModelKind, Found]:
    """The best of each kind that takes part, in the order of the setting."""
    return {kind: _best(kind, x, y, train, categories, say, log_step) for kind in train.models}


def winner(found: Mapping[ModelKind, Found], train: TrainSettings) -> ModelKind:
    """Whose mean over the folds is best, of equal ones the first; one that converged goes before one that did not."""
    sign = -1.0 if train.primary_metric == "log_loss" else 1.0
    return max(found, key=lambda kind: (found[kind].converged, sign * found[kind].cv))


def _best(
    kind: ModelKind,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    train: TrainSettings,
    categories: Sequence[int],
    say: Report,
    log_step: LogStep,
) -> Found:
    if kind == "xgboost":
        return search.find(x, y, train, say, log_step)
    tries = FORESTS if kind == "forest" else LINEARS
    model = new(kind, train.random_state, categories)
    metric, lower = SHORT[train.primary_metric], train.primary_metric == "log_loss"
    scores: list[float] = []
    for place, last in enumerate(search.scored(model, tries, x, y, train), start=1):
        scores.append(last)
        best = (min if lower else max)(scores)
        say.progress(place / (len(tries) + 1), f"{NAMES[kind]}, {place} of {len(tries)}")
        say(f"{NAMES[kind]} {place} of {len(tries)}: {metric} {last:.4f}, best {best:.4f}")
    params = tries[scores.index(best)]
    model = clone(model).set_params(**params)
    return search.fitted(model.set_params(n_jobs=threads()) if kind == "forest" else model, params, best, x, y)


def new(kind: ModelKind, random_state: int, categories: Sequence[int]) -> Any:
    """A model that is not fitted yet."""
    if kind == "forest":
        return RandomForestClassifier(**FOREST, random_state=random_state, n_jobs=1)
    return LinearClassifier(list(categories))
