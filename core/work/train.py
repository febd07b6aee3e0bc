"""The baseline without a search, and the candidate: the best of what competes; both logged to MLflow."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from core.config.settings import ModelKind
from core.work import adopt, bundle, preprocess, runs
from core.work.cores import threads
from core.work.entrants import ALGORITHMS, FOREST, NAMES, compete, new, winner
from core.work.figures import SHORT, short
from core.work.job import Done, Job, Report, needed
from core.work.linear import widths
from core.work.registry import answering, connect
from core.work.rows import ROWS
from core.work.search import Found

NAME = "folder"
"""MLflow calls a logged folder as it is called here."""


def run(job: Job, say: Report) -> Done:
    """Fit both, leave their model folders, log them. What they reach on the held-out rows is for evaluate.

    Option `brought`: a folder with both, trained elsewhere; they are only logged.
    """
    needed(job.folder, "preprocess", "train")
    if brought := job.options.get("brought"):
        return adopt.run(job, say, Path(brought))
    x, y, _, _ = preprocess.matrices(job.folder)
    raw = preprocess.frames(job.folder)[0].head(runs.EXAMPLE_ROWS).copy()
    train = job.settings.train
    say.progress(None, "opening the registry")
    registry = connect(job.settings)
    with answering(registry.shown), runs.release(registry, job) as parent:
        # Where a forest can win it is not known yet what to compare with.
        baseline = None if "forest" in train.models else _baseline(job, say, x, y, raw, "forest")
        candidate = _candidate(job, say, x, y, raw)
        if baseline is None:
            other: ModelKind = "linear" if candidate["model"] == "forest" else "forest"
            baseline = _baseline(job, say, x, y, raw, other)
    result = {"baseline": baseline, "candidate": candidate, "parent": parent, "registry": registry.shown}
    figure = short(train.primary_metric, candidate["cv"])
    return Done(result, figure if len(train.models) == 1 else f"{candidate['model']} {figure}")


def _baseline(
    job: Job, say: Report, x: NDArray[np.float32], y: NDArray[np.int64], raw: pd.DataFrame, kind: ModelKind
) -> Mapping[str, Any]:
    say.progress(0.0, f"baseline, {NAMES[kind]}")
    encoder = preprocess.encoder(job.folder)
    params = dict(FOREST) if kind == "forest" else {"C": 1.0}
    with runs.part("baseline", job, {"algorithm": ALGORITHMS[kind], **params}) as part:
        if kind == "forest":
            model: Any = grown(x, y, job.settings.train.random_state, say)
        else:
            model = new(kind, job.settings.train.random_state, widths(encoder["fields"])).fit(x, y)
        folder = _written(kind, job.folder / "baseline" / NAME, model, encoder, None)
        uri = part.log_model(folder, raw)
    many = f" of {FOREST['n_estimators']} trees" if kind == "forest" else ""
    say(f"baseline: {NAMES[kind]}{many}, run {part.run_id}")
    return {"run_id": part.run_id, "uri": uri, "folder": str(folder), "params": params, "model": kind}


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
    train, encoder = job.settings.train, preprocess.encoder(job.folder)
    with runs.part("candidate", job, {}) as part:
        entrants = compete(x, y, train, widths(encoder["fields"]), say, part.log_step)
        kind = winner(entrants, train)
        found = entrants[kind]
        part.log_params({"algorithm": ALGORITHMS[kind], **found.params})
        folder = _written(kind, job.folder / "candidate" / NAME, found.model, encoder, job.folder / ROWS)
        uri = part.log_model(folder, raw)
        part.log_metrics({f"cv_{train.primary_metric}_best": found.cv, "train_log_loss": found.loss})
        part.tag("converged", str(found.converged).lower())
    tries = f", the best of {train.n_iter}" if kind == "xgboost" else ""
    say(f"candidate: {NAMES[kind]}{tries}, run {part.run_id}")
    choice = chosen(entrants, kind, train.primary_metric)
    if choice:
        say(choice)
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
        "model": kind,
        "models": {name: each.cv for name, each in entrants.items()},
        "choice": choice,
    }


def chosen(entrants: Mapping[ModelKind, Found], kind: ModelKind, metric: str) -> str:
    """Which model won and by how much; empty where nothing competed."""
    others = [name for name in entrants if name != kind]
    if not others:
        return ""
    beside = ", ".join(f"{NAMES[name]} {entrants[name].cv:.4f}" for name in others)
    margin = min(abs(entrants[kind].cv - entrants[name].cv) for name in others)
    return (
        f"chosen: {NAMES[kind]}, {SHORT[metric]} {entrants[kind].cv:.4f} over the folds; {beside}; margin {margin:.4f}"
    )


def _written(kind: ModelKind, folder: Path, model: Any, encoder: Mapping[str, Any], rows: Path | None) -> Path:
    """The model's folder, in the form in which it is served."""
    if kind == "forest":
        return bundle.write_forest(folder, model, encoder, rows)
    if kind == "linear":
        return bundle.write_linear(folder, model, encoder, rows)
    assert rows is not None, "XGBoost is never the baseline"  # noqa: S101 - a slip of ours, and no user's
    return bundle.write_booster(folder, model, encoder, rows)
