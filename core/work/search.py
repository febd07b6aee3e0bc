"""The search for XGBoost's best settings, which says after each try how far it is. Knows nothing of MLflow."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.stats import loguniform, randint, uniform
from sklearn.base import clone
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import ParameterSampler, StratifiedKFold, train_test_split

from core.config.settings import TrainSettings
from core.domain.errors import BadData
from core.work.cores import threads
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
PLAIN: Mapping[str, Any] = {
    "n_estimators": 150,
    "max_depth": 6,
    "learning_rate": 0.1,
    "subsample": 1.0,
    "colsample_bytree": 1.0,
    "min_child_weight": 1,
    "reg_lambda": 1.0,
}
"""What is tried before any draw: few draws, or few rows of which a leaf must hold ten, may all be worse."""
BINS, BYTES_A_BIN = 256, 16
"""XGBoost's own: bins a column, and two sums in each."""
CACHE_BYTES, FEWEST_NODES = 2**28, 2
FACTOR = 3
"""Halving leaves one of so many candidates, and gives it so many times the rows."""
LARGE_ROWS, FEWEST_ROWS = 10_000, 1_500
"""From so many training rows on halving is the default; no round has fewer than the second."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best candidate, fitted on all training rows. `cv` is its mean score over the folds, `loss` its log loss on
    the rows it was fitted on; `why` says what is wrong where it did not converge."""

    model: Any
    params: Mapping[str, Any]
    cv: float
    loss: float
    converged: bool
    why: str


def find(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    train: TrainSettings,
    say: Report,
    log_step: Callable[[int, Mapping[str, float]], None],
) -> Found:
    """Try `n_iter` candidates by cross-validation and fit the best on all rows."""
    # One thread a fit and fits side by side: two threads of OpenMP wait for each other after every level of a
    # tree, which costs more than it brings up to some 100,000 rows, and ten times as much on a busy machine.
    model = xgboost.XGBClassifier(
        tree_method="hist", n_jobs=1, random_state=train.random_state, max_cached_hist_node=cached_nodes(x.shape[1])
    )
    left = [dict(PLAIN)]
    if train.n_iter > 1:
        left += ParameterSampler(dict(SPACE), train.n_iter - 1, random_state=train.random_state)
    rounds = sizes(y, train)
    lower, name = train.primary_metric == "log_loss", SHORT[train.primary_metric]
    tried, best = 0, float("nan")
    fits = _fits(len(left), len(rounds))
    for number, rows in enumerate(rounds, start=1):
        round_ = "" if len(rounds) == 1 else f" (round {number} of {len(rounds)}, {rows:,} rows)"
        part = sample(y, rows, train.random_state)
        scores: list[float] = []
        for place, last in enumerate(scored(model, left, x[part], y[part], train), start=1):
            tried += 1
            scores.append(last)
            best = (min if lower else max)(scores)
            log_step(tried, {f"cv_{train.primary_metric}": last, "cv_best": best})
            say.progress(tried / (fits + 1), f"{place} of {len(left)}{round_}", candidate=tried, best=best)
            say(f"candidate {place} of {len(left)}{round_}: {name} {last:.4f}, best {best:.4f}")
        order = np.argsort(scores if lower else np.negative(scores), kind="stable")
        keep = 1 if number == len(rounds) else -(-len(left) // FACTOR)
        left = [left[place] for place in order[:keep]]
    return fitted(clone(model).set_params(**left[0]), left[0], best, x, y)


def cached_nodes(columns: int) -> int:
    """Of how many nodes of a tree the histograms are kept: of 20,000 columns each takes 80 MB, which bounds what a fit
    holds and changes nothing of the trees."""
    return max(FEWEST_NODES, CACHE_BYTES // (columns * BINS * BYTES_A_BIN))


def sizes(y: NDArray[np.int64], train: TrainSettings) -> list[int]:
    """How many rows each round has: all of them in the last. One round alone where nothing is to be halved."""
    halving = train.search == "halving" or (train.search == "auto" and len(y) >= LARGE_ROWS)
    found, rows, left = [len(y)], len(y) // FACTOR, train.n_iter
    rarest = np.bincount(y).min() / len(y)
    while halving and left > 1 and rows >= FEWEST_ROWS and rows * rarest >= 2 * train.cv_folds and len(found) < FACTOR:
        found.insert(0, rows)
        rows, left = rows // FACTOR, -(-left // FACTOR)
    return found


def _fits(candidates: int, rounds: int) -> int:
    """How many candidates all rounds try together."""
    total = 0
    for _ in range(rounds):
        total, candidates = total + candidates, -(-candidates // FACTOR)
    return total


def sample(y: NDArray[np.int64], rows: int, random_state: int) -> NDArray[np.int64] | slice:
    """Places of so many rows, each label as common as among all."""
    if rows >= len(y):
        return slice(None)
    places, _ = train_test_split(np.arange(len(y)), train_size=rows, stratify=y, random_state=random_state)
    kept: NDArray[np.int64] = np.sort(places)
    return kept


def scored(
    model: Any,
    candidates: Sequence[Mapping[str, Any]],
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    train: TrainSettings,
) -> Iterator[float]:
    """The mean over the folds of each candidate, in their order, as soon as it is known; folds side by side."""
    cv = StratifiedKFold(folds(y, train.cv_folds), shuffle=True, random_state=train.random_state)
    parts = list(cv.split(x, y))
    scorer = get_scorer(SCORERS[train.primary_metric])
    sign = -1.0 if train.primary_metric == "log_loss" else 1.0

    def one(params: Mapping[str, Any], fit: NDArray[np.int64], judge: NDArray[np.int64]) -> float:
        return sign * float(scorer(clone(model).set_params(**params).fit(x[fit], y[fit]), x[judge], y[judge]))

    tasks = (delayed(one)(params, fit, judge) for params in candidates for fit, judge in parts)
    scores = Parallel(n_jobs=threads(), backend="threading", return_as="generator")(tasks)
    for _ in candidates:
        yield float(np.mean([next(scores) for _ in parts]))


def fitted(model: Any, params: Mapping[str, Any], cv: float, x: NDArray[np.float32], y: NDArray[np.int64]) -> Found:
    """A candidate on all rows, and whether its training led anywhere."""
    model.fit(x, y)
    loss = float(log_loss(y, model.predict_proba(x), labels=list(range(int(y.max()) + 1))))
    why = trouble(cv, loss, y)
    return Found(model, {name: _plain(value) for name, value in params.items()}, cv, loss, not why, why)


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


def folds(y: NDArray[np.int64], wanted: int) -> int:
    """As many folds as asked for, and at most one for each row of the rarest label."""
    rarest = int(np.bincount(y).min())
    if rarest < 2:
        raise BadData("the rarest label has fewer than two rows to train on; drop it or bring more rows")
    return min(wanted, rarest)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
