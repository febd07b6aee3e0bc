"""Begins a job: code, packages and rows go up, each once, then the job itself is asked for. Runs in a thread."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from core.domain.errors import Failed
from core.targets.azureml.assets import WorkspaceAssets
from core.targets.azureml.blobs import BlobUploads, default_store
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.code_folder import digest
from core.targets.azureml.workspace import PREFIX, AzureEndpoint
from core.training.azure_jobs import AzureJobs
from core.training.job_body import command, command_job
from core.training.package import ENTRY, package_files, training_conda
from core.work.job import Job

ENVIRONMENT = "quarterdeck-training"
STEPS = ("preprocess", "train")
"""What a job does: rows are read and judged here, where they lie."""
ROWS = ("data.json", "rows.jsonl", "test.parquet", "train.parquet")
T = TypeVar("T")


def begin(at: AzureEndpoint, calls: AzureCalls, jobs: AzureJobs, job: Job, name: str) -> None:
    """Bring up what the job needs and ask for it under this name; one that is there already is this one."""
    uploads = BlobUploads(calls, at.ca)
    assets = WorkspaceAssets(at, calls, at_once)
    try:
        files = rows_of(job)
        right = default_store(calls, at.workspace, at.place)
        rows = f"LocalUpload/{digest(files)}/rows"
        for file in sorted(files):
            marks = {"upload_status": "completed", "name": name, "version": "1"}
            uploads.put(right, f"{rows}/{file}", files[file], marks)
        ids = {
            "code": assets.code(package_files()),
            "environment": assets.environment(ENVIRONMENT, at.place.cluster.image, training_conda()),
            "compute": jobs.compute,
        }
    finally:
        uploads.close()
        assets.close()
    body = command_job(
        name,
        words=command(ENTRY, STEPS),
        label=f"{at.called} {job.release}".strip(),
        experiment=job.settings.registry.experiment or job.settings.model,
        ids=ids,
        rows=rows,
        deadline_s=job.settings.train.deadline_s,
        tags={**at.place.tags, f"{PREFIX}release": job.release, f"{PREFIX}endpoint": at.called},
    )
    jobs.begin(name, body)


def rows_of(job: Job) -> dict[str, bytes]:
    """What the step data left, and what the job is to know; nothing of this machine's folders."""
    there = replace(job, folder=Path(), settings=job.settings.model_copy(update={"folder": Path()}), options={})
    found = {"job.json": there.dump().encode()}
    for file in ROWS:
        try:
            found[file] = (job.folder / file).read_bytes()
        except OSError as error:
            raise Failed(f"train: {job.folder / file}: {error.strerror or error}; run the step data first") from None
    return found


def at_once(change: Callable[[], T]) -> T:
    """No change of an endpoint is under way that this one would have to wait for."""
    return change()
