"""A random forest as the baseline, XGBoost by a random search as the candidate; both logged to MLflow."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from core.work import bundle, preprocess, runs
from core.work.figures import short
from core.work.job import Done, Job, Report, needed
from core.work.registry import answering, connect
from core.work.rows import ROWS
from core.work.search import find

FOREST: Mapping[str, Any] = {"n_estimators": 100, "max_depth": 8, "min_samples_leaf": 3}
"""The baseline: what anybody gets without searching, and small enough to serve."""

NAME = "folder"
"""MLflow calls a logged folder as it is called here."""


def run(job: Job, say: Report) -> Done:
    """Fit both, leave their model folders, log them. What they reach on the held-out rows is for evaluate."""
    needed(job.folder, "preprocess", "train")
    x, y, _, _ = preprocess.matrices(job.folder)
    say.progress(None, "opening the registry")
    registry = connect(job.settings)
    with answering(registry.shown), runs.release(registry, job) as parent:
        baseline = _baseline(job, say, x, y)
        candidate = _candidate(job, say, x, y)
    result = {"baseline": baseline, "candidate": candidate, "parent": parent, "registry": registry.shown}
    return Done(result, short(job.settings.train.primary_metric, candidate["cv"]))


def _baseline(job: Job, say: Report, x: NDArray[np.float32], y: NDArray[np.int64]) -> Mapping[str, Any]:
    say.progress(0.0, "baseline, a random forest")
    with runs.part("baseline", job, {"algorithm": "RandomForest", **FOREST}) as part:
        # In one thread, a second at the most: CPython 3.11 that traces threads (for coverage) hangs after this.
        forest = RandomForestClassifier(**FOREST, random_state=job.settings.train.random_state, n_jobs=1)
        forest.fit(x, y)
        folder = bundle.write_forest(job.folder / "baseline" / NAME, forest, preprocess.encoder(job.folder))
        uri = part.log_model(folder, preprocess.frames(job.folder)[0])
    say(f"baseline: a random forest of {FOREST['n_estimators']} trees, run {part.run_id}")
    return {"run_id": part.run_id, "uri": uri, "folder": str(folder), "params": dict(FOREST)}


def _candidate(job: Job, say: Report, x: NDArray[np.float32], y: NDArray[np.int64]) -> Mapping[str, Any]:
    train = job.settings.train
    with runs.part("candidate", job, {"algorithm": "XGBoost"}) as part:
        found = find(x, y, train, say, part.log_step)
        part.log_params(found.params)
        encoder, rows = preprocess.encoder(job.folder), job.folder / ROWS
        folder = bundle.write_booster(job.folder / "candidate" / NAME, found.model, encoder, rows)
        uri = part.log_model(folder, preprocess.frames(job.folder)[0])
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
