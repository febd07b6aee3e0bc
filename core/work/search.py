"""The random search for a candidate, which says after each try how far it is. Knows nothing of MLflow."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from joblib import parallel_config
from numpy.typing import NDArray
from scipy.stats import loguniform, randint, uniform
from sklearn.metrics import log_loss
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV, StratifiedKFold

from core.config.settings import TrainSettings
from core.domain.errors import BadData
from core.work.figures import SCORERS, SHORT
from core.work.job import Report

SPACE: Mapping[str, Any] = {
    "n_estimators": randint(100, 301),
    "max_depth": randint(3, 8),
    "learning_rate": loguniform(0.02, 0.3),
    "subsample": uniform(0.7, 0.3),
    "colsample_bytree": uniform(0.6, 0.4),
    "min_child_weight": [1, 2, 5, 10],
    "reg_lambda": loguniform(0.5, 10.0),
}
"""Where candidates are drawn from; on 16,000 rows and two cores one fit of it takes a few tenths of a second."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best candidate, fitted on all training rows. `cv` is its mean score over the folds, `loss` its log loss on
    the rows it was fitted on; `why` says what is wrong where it did not converge."""

    model: xgboost.XGBClassifier
    params: Mapping[str, Any]
    cv: float
    loss: float
    converged: bool
    why: str


class Search(RandomizedSearchCV):  # type: ignore[misc]
    """A RandomizedSearchCV that takes one candidate at a time and tells after each how it went."""

    told: Callable[[int, Mapping[str, Any]], None]

    def _run_search(self, evaluate_candidates: Callable[[Any], Mapping[str, Any]]) -> None:
        drawn = ParameterSampler(self.param_distributions, self.n_iter, random_state=self.random_state)
        for number, params in enumerate(drawn, start=1):
            self.told(number, evaluate_candidates([params]))


def find(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    train: TrainSettings,
    say: Report,
    log_step: Callable[[int, Mapping[str, float]], None],
) -> Found:
    """Try `n_iter` candidates by cross-validation and fit the best on all rows."""
    sign = -1.0 if train.primary_metric == "log_loss" else 1.0

    def told(number: int, results: Mapping[str, Any]) -> None:
        scores = sign * np.asarray(results["mean_test_score"])
        best = float(scores.max() if sign > 0 else scores.min())
        last = float(scores[-1])
        log_step(number, {f"cv_{train.primary_metric}": last, "cv_best": best})
        name = SHORT[train.primary_metric]
        say.progress(number / (train.n_iter + 1), f"{number} of {train.n_iter}", candidate=number, best=best)
        say(f"candidate {number} of {train.n_iter}: {name} {last:.4f}, best {best:.4f}")

    # One thread a fit and the folds side by side: two threads of OpenMP wait for each other after every level of a
    # tree, which costs more than it brings up to some 100,000 rows, and ten times as much on a busy machine.
    model = xgboost.XGBClassifier(tree_method="hist", n_jobs=1, random_state=train.random_state)
    search = Search(
        model,
        dict(SPACE),
        n_iter=train.n_iter,
        scoring=SCORERS[train.primary_metric],
        cv=StratifiedKFold(_folds(y, train.cv_folds), shuffle=True, random_state=train.random_state),
        random_state=train.random_state,
        error_score="raise",
    )
    search.told = told
    with parallel_config("threading", n_jobs=threads()):
        search.fit(x, y)
    best = search.best_estimator_
    params = {name: _plain(value) for name, value in search.best_params_.items()}
    loss = float(log_loss(y, best.predict_proba(x), labels=list(range(int(y.max()) + 1))))
    why = trouble(float(search.best_score_), loss, y)
    return Found(best, params, sign * float(search.best_score_), loss, not why, why)


def trouble(score: float, loss: float, y: NDArray[np.int64]) -> str:
    """What shows that training led nowhere; empty where nothing does. `loss` is that of the rows trained on."""
    shares = np.bincount(y) / len(y)
    shares = shares[shares > 0]
    guess = float(-(shares * np.log(shares)).sum())
    if not np.isfinite(score) or not np.isfinite(loss):
        return "a score is not a number"
    if loss >= guess:
        return f"log loss {loss:.3f} on its own training rows is no better than the labels' shares ({guess:.3f})"
    return ""


def _folds(y: NDArray[np.int64], wanted: int) -> int:
    """As many folds as asked for, and at most one for each row of the rarest label."""
    rarest = int(np.bincount(y).min())
    if rarest < 2:
        raise BadData("the rarest label has fewer than two rows to train on; drop it or bring more rows")
    return min(wanted, rarest)


def threads() -> int:
    """The cores that this process may use; one where it is traced, as for coverage: CPython 3.11 can then hang in
    threads that come back from OpenMP."""
    if sys.gettrace() is not None or threading.gettrace() is not None:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
