"""A random forest as the baseline, XGBoost by a random search as the candidate; both logged to MLflow."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from core.work import bundle, preprocess, runs
from core.work.figures import short
from core.work.job import Done, Job, Report, needed
from core.work.registry import answering, connect
from core.work.rows import ROWS
from core.work.search import find, threads

FOREST: Mapping[str, Any] = {"n_estimators": 100, "max_depth": 8, "min_samples_leaf": 3}
"""The baseline: what anybody gets without searching, and small enough to serve."""

NAME = "folder"
"""MLflow calls a logged folder as it is called here."""


def run(job: Job, say: Report) -> Done:
    """Fit both, leave their model folders, log them. What they reach on the held-out rows is for evaluate."""
    needed(job.folder, "preprocess", "train")
    x, y, _, _ = preprocess.matrices(job.folder)
    raw = preprocess.frames(job.folder)[0].head(runs.EXAMPLE_ROWS).copy()
    say.progress(None, "opening the registry")
    registry = connect(job.settings)
    with answering(registry.shown), runs.release(registry, job) as parent:
        baseline = _baseline(job, say, x, y, raw)
        candidate = _candidate(job, say, x, y, raw)
    result = {"baseline": baseline, "candidate": candidate, "parent": parent, "registry": registry.shown}
    return Done(result, short(job.settings.train.primary_metric, candidate["cv"]))


def _baseline(
    job: Job, say: Report, x: NDArray[np.float32], y: NDArray[np.int64], raw: pd.DataFrame
) -> Mapping[str, Any]:
    say.progress(0.0, "baseline, a random forest")
    with runs.part("baseline", job, {"algorithm": "RandomForest", **FOREST}) as part:
        forest = grown(x, y, job.settings.train.random_state, say)
        folder = bundle.write_forest(job.folder / "baseline" / NAME, forest, preprocess.encoder(job.folder))
        uri = part.log_model(folder, raw)
    say(f"baseline: a random forest of {FOREST['n_estimators']} trees, run {part.run_id}")
    return {"run_id": part.run_id, "uri": uri, "folder": str(folder), "params": dict(FOREST)}


def grown(x: NDArray[np.float32], y: NDArray[np.int64], random_state: int, say: Report) -> RandomForestClassifier:
    """The forest, on all cores; how far it is is said whenever a second has passed. The same as fitted in one go."""
    forest = RandomForestClassifier(**FOREST, random_state=random_state, n_jobs=threads(), warm_start=True)
    wanted, trees, more = FOREST["n_estimators"], 0, threads()
    while trees < wanted:
        began_s = time.monotonic()
        trees = min(wanted, trees + more)
        forest.set_params(n_estimators=trees).fit(x, y)
        say.progress(0.0, f"baseline, {trees} of {wanted} trees")
        if time.monotonic() - began_s < 0.5:
            more *= 2
    return forest


def _candidate(
    job: Job, say: Report, x: NDArray[np.float32], y: NDArray[np.int64], raw: pd.DataFrame
) -> Mapping[str, Any]:
    train = job.settings.train
    with runs.part("candidate", job, {"algorithm": "XGBoost"}) as part:
        found = find(x, y, train, say, part.log_step)
        part.log_params(found.params)
        encoder, rows = preprocess.encoder(job.folder), job.folder / ROWS
        folder = bundle.write_booster(job.folder / "candidate" / NAME, found.model, encoder, rows)
        uri = part.log_model(folder, raw)
        part.log_metrics({f"cv_{train.primary_metric}_best": found.cv, "train_log_loss": found.loss})
        part.tag("converged", str(found.converged).lower())
    say(f"candidate: XGBoost, the best of {train.n_iter}, run {part.run_id}")
    if not found.converged:
        say(f"candidate: did not converge: {found.why}")
    return {
        "run_id": part.run_id,
        "uri": uri,
        "folder": str(folder),
        "params": dict(found.params),
        "cv": found.cv,
        "converged": found.converged,
        "why": found.why,
    }
