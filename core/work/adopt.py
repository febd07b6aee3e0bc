"""What was trained elsewhere becomes runs of the project's own registry, as if it had been trained here."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from core.work import preprocess, runs
from core.work.figures import short
from core.work.job import Done, Job, Report, needed
from core.work.registry import answering, connect
from core.work.remote import RUN

FOLDER = "folder"


def run(job: Job, say: Report, brought: Path) -> Done:
    """Log baseline and candidate with their model folders; `brought` holds what the job left."""
    trained = needed(brought, "train", "train")
    read = json.loads((brought / RUN).read_text(encoding="utf-8")) if (brought / RUN).is_file() else {}
    raw = preprocess.frames(job.folder)[0].head(runs.EXAMPLE_ROWS).copy()
    say.progress(None, "opening the registry")
    registry = connect(job.settings)
    with answering(registry.shown), runs.release(registry, job) as parent:
        # The job's run is the candidate's; the baseline has no search whose figures could be told.
        measured = {"baseline": {}, "candidate": read}
        found = {
            name: _logged(job, say, name, trained[name], brought / name / FOLDER, raw, each)
            for name, each in measured.items()
        }
    candidate = trained["candidate"]
    if choice := candidate.get("choice"):
        say(choice)
    if not candidate["converged"]:
        say(f"candidate: did not converge: {candidate['why']}")
    result = {**trained, **found, "parent": parent, "registry": registry.shown, "job": read.get("job", "")}
    figure = short(job.settings.train.primary_metric, candidate["cv"])
    return Done(result, figure if len(job.settings.train.models) == 1 else f"{candidate['model']} {figure}")


def _logged(
    job: Job,
    say: Report,
    name: str,
    trained: Mapping[str, Any],
    folder: Path,
    raw: pd.DataFrame,
    read: Mapping[str, Any],
) -> Mapping[str, Any]:
    """One of the two, with its run and its address here."""
    say.progress(None, f"registering the run of the {name}")
    params = {**trained["params"], **({"azureml_job": read["job"]} if read.get("job") else {})}
    with runs.part(name, job, params) as part:
        for step, figures in _steps(read.get("metrics") or {}):
            part.log_step(step, figures)
        if not read.get("metrics") and "cv" in trained:
            part.log_metrics({f"cv_{job.settings.train.primary_metric}_best": trained["cv"]})
        uri = part.log_model(folder, raw)
    say(f"{name}: run {part.run_id}, trained as {read['job']}" if read.get("job") else f"{name}: run {part.run_id}")
    return {**trained, "run_id": part.run_id, "uri": uri, "folder": str(folder)}


def _steps(metrics: Mapping[str, Sequence[Sequence[float]]]) -> list[tuple[int, dict[str, float]]]:
    """The history of each metric as figures by step."""
    by_step: dict[int, dict[str, float]] = {}
    for name, history in metrics.items():
        for step, value in history:
            if math.isfinite(value):
                by_step.setdefault(int(step), {})[name] = float(value)
    return sorted(by_step.items())
