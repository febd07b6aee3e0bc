"""The candidate becomes a version in the registry, and a folder that the local target can start without it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from core.work import bundle
from core.work.job import Done, Job, Report, needed
from core.work.registry import CANDIDATE, Registry, answering, connect, local_folder, noun

BUILD_NUMBERS = ("QUARTERDECK_BUILD_NUMBER", "GITHUB_RUN_NUMBER", "BUILD_BUILDID", "CI_PIPELINE_IID", "BUILD_NUMBER")
"""Variables in which a CI says which build this is; the first that is set counts."""


def run(job: Job, say: Report) -> Done:
    """Register once, however often it is tried; point the alias `candidate` to it; copy its folder."""
    trained = needed(job.folder, "train", "register")["candidate"]
    registry = connect(job.settings)
    with answering(registry.shown):
        found = _registered(registry, trained["run_id"]) or _register(registry, trained, job)
        registry.point(CANDIDATE, str(found.version))
    version = noun(found)
    say(f"{version['uri']} from run {version['run_id']}, alias {CANDIDATE}")
    folder = bundle.copy(Path(trained["folder"]), local_folder(job.settings, version), version, registry.shown)
    return Done({"version": version, "folder": str(folder), "registry": registry.shown}, f"v{version['number']}")


def _registered(registry: Registry, run_id: str) -> ModelVersion | None:
    """The version that an earlier try made of the same run."""
    name = registry.settings.model
    found = registry.client.search_model_versions(f"run_id = '{run_id}'")
    return next((version for version in found if version.name == name), None)


def _register(registry: Registry, trained: Mapping[str, Any], job: Job) -> ModelVersion:
    name = job.settings.model
    try:
        registry.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return registry.client.create_model_version(
        name,
        source=trained["uri"],
        run_id=trained["run_id"],
        tags=tags(job),
        model_id=trained["uri"].rsplit("/", 1)[-1],
    )


def tags(job: Job) -> dict[str, str]:
    """Where a version comes from, and what the gate needs to know of it where it is released later."""
    trained = needed(job.folder, "train", "register")
    known = {
        "data_digest": needed(job.folder, "data", "register")["digest"],
        "release": job.release,
        "source_run": trained["candidate"]["run_id"],
        "environment": job.settings.environment,
        "baseline": trained["baseline"]["uri"],
        "converged": trained["candidate"]["why"] or "yes",
    }
    build = next((os.environ[name] for name in BUILD_NUMBERS if os.environ.get(name)), None)
    if build:
        known["build_number"] = build
    # What the gate needs to know later is ours to say.
    return {**job.settings.registry.tags, **known}
