"""The runs of a release in MLflow: one for the release, below it the baseline's and the candidate's."""

import contextlib
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.tracking import MlflowClient

from core.work import flavour
from core.work.job import Job, kept
from core.work.registry import Registry, requirements
from core.work.signature import signature

EXAMPLE_ROWS = 5
WIDE = 200
"""Of a model with more fields MLflow keeps no example and no list of them: it reads its YAML in pure Python, many times
over. What the fields are stands in the model's own folder."""
RELEASE_TAG = "quarterdeck.release"


@dataclass(frozen=True, slots=True)
class Part:
    """One run of the two, while it goes on."""

    run_id: str

    def log_step(self, step: int, figures: Mapping[str, float]) -> None:
        """What one candidate of the search reached."""
        mlflow.log_metrics(dict(figures), step=step)

    def log_metrics(self, figures: Mapping[str, float]) -> None:
        """Figures of the whole run."""
        mlflow.log_metrics(dict(figures))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """What it was made with."""
        mlflow.log_params(dict(params))

    def tag(self, name: str, value: str) -> None:
        """A word about the run."""
        mlflow.set_tag(name, value)

    def log_model(self, folder: Path, raw: pd.DataFrame) -> str:
        """The model folder as a pyfunc model that takes raw rows, of which `raw` are some; its address."""
        manifest = flavour.manifest(folder)
        names = [field["name"] for field in manifest["fields"]]
        wide = len(names) > WIDE
        known = {} if wide else {"fields": [dict(field) for field in manifest["fields"]]}
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(flavour.__file__)),
            artifacts={"folder": str(folder)},
            signature=signature(raw, manifest["fields"], manifest["labels"]),
            input_example=None if wide else raw[names],
            pip_requirements=requirements(manifest["file"]),
            metadata={**known, "target": manifest["target"]},
        )
        return str(logged.model_uri)


@contextlib.contextmanager
def release(registry: Registry, job: Job) -> Iterator[str]:
    """The run of a release; what an earlier, killed try of it left running is closed first."""
    experiment = registry.experiment()
    for left in _left_running(registry.client, experiment, job.release):
        registry.client.set_terminated(left, "KILLED")
    with mlflow.start_run(experiment_id=experiment, run_name=job.release or None, tags=_tags(job)) as run:
        yield str(run.info.run_id)


@contextlib.contextmanager
def part(name: str, job: Job, params: Mapping[str, Any]) -> Iterator[Part]:
    """A run below the release's, with all that is known of it before it begins."""
    above = mlflow.active_run()
    # Without it a run below another one lands in the experiment Default, and its model in ./mlruns.
    experiment = above.info.experiment_id if above else None
    tags = _tags(job) | {"quarterdeck.part": name}
    with mlflow.start_run(experiment_id=experiment, run_name=name, nested=True, tags=tags) as run:
        train, data = job.settings.train, job.settings.data
        # Whose machines it were says nothing of the model.
        asked = train.model_dump(exclude={"on"})
        mlflow.log_params({**params, **asked, **{f"data_{k}": v for k, v in data.model_dump().items()}})
        yield Part(str(run.info.run_id))


def _left_running(client: MlflowClient, experiment: str, release_id: str) -> list[str]:
    if not release_id:
        return []
    asked = f"tags.`{RELEASE_TAG}` = '{release_id}' and attributes.status = 'RUNNING'"
    return [run.info.run_id for run in client.search_runs([experiment], asked)]


def _tags(job: Job) -> dict[str, str]:
    data = kept(job.folder, "data") or {}
    return {
        RELEASE_TAG: job.release,
        "quarterdeck.environment": job.settings.environment,
        "quarterdeck.python": platform.python_version(),
        "data_digest": str(data.get("digest", "")),
    }
