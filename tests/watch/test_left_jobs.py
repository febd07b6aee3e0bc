"""Jobs of a cluster that no release needs: cancelled when a watch begins, and said as long as they can't be."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from core.config.config import state_folder
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import events as ev
from core.system.moment import KeptMoment
from core.training.job_body import command_job
from core.training.kept_jobs import KeptJob, KeptJobs
from core.training.unwanted import unwanted_lines
from core.watch import left_jobs
from tests.azure.blobs import DOMAIN
from tests.azure.caller import AzureCaller, until
from tests.azure.standin import AzureStandIn
from tests.kubernetes.faults import FaultKind

NAME = "late-dev"


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureStandIn]:
    """With the login that it gives in this process's variables."""
    (tmp_path / "azure").mkdir()
    with AzureStandIn(tmp_path / "azure") as one:
        one.delays.job_s = 0.05
        for key, value in one.environment().items():
            monkeypatch.setenv(key, value)
        yield one
        assert one.troubles == []


@pytest.fixture
def project(tmp_path: Path, azure: AzureStandIn) -> Project:
    """One that trains in the stand-in."""
    cloud = {"resource_manager": azure.url, "authority": azure.url, "storage": DOMAIN}
    said = {
        "data": {"source": "iris", "target": "species"},
        "endpoint": {"name": "late"},
        "train": {"on": "azureml"},
        "azureml": {"cloud": cloud},
    }
    (tmp_path / "quarterdeck.yaml").write_text(yaml.safe_dump(said))
    return Project(tmp_path)


def running(project: Project, azure: AzureStandIn, name: str, release: str) -> KeptJobs:
    """A job that runs for an hour, of a release."""
    ids = {"code": "", "environment": "", "compute": ""}
    more = {"label": name, "experiment": "late", "ids": ids, "rows": "none", "deadline_s": 60.0, "tags": {}}
    body = command_job(name, words="sleep 3600", **more)  # type: ignore[arg-type]
    caller = AzureCaller(azure)
    caller.send("PUT", "jobs", name, body=body, version="2025-01-01-preview")
    caller.client.close()
    until(lambda: azure.jobs.held[name].state == "Running", "it runs")
    book = KeptJobs(state_folder(project.settings), NAME)
    book.keep(KeptJob(release, name, KeptMoment.now()))
    return book


async def begun(project: Project, *facts: ev.Body) -> None:
    """What a watch does first, once these facts are in the journal."""
    with contextlib.closing(project.journal()) as journal:
        async with Engine(journal, project.environment_of, "watch") as engine:
            if facts:
                await engine.emit(*facts)
            await left_jobs.cancel(project, engine)


async def test_a_job_that_no_live_release_owns_is_cancelled(project: Project, azure: AzureStandIn) -> None:
    book = running(project, azure, "left", "r1")
    await begun(project)
    until(lambda: azure.jobs.held["left"].state == "Canceled", "its end")
    assert book.every() == ()


async def test_a_cancel_that_is_refused_is_said_and_asked_again_by_the_next_watch(
    project: Project, azure: AzureStandIn
) -> None:
    book = running(project, azure, "kept", "r1")
    message = (
        "The client 'ada' with object id 'o' does not have authorization to perform action "
        f"'Microsoft.MachineLearningServices/workspaces/jobs/cancel/action' over scope '{azure.place.workspace}'"
    )
    refused = {"code": "AuthorizationFailed", "message": message, "service": False}
    azure.fault(FaultKind.STATUS, "POST", "/cancel", status=403, times=None, **refused)
    await begun(project)
    assert azure.jobs.held["kept"].state == "Running"
    (line,) = unwanted_lines(project.settings, NAME)
    assert line.startswith(
        "the job kept of r1 may train on for nobody and cost, its cancel was not heard: azureml ws: "
    )
    assert line.endswith("type 'az ml job cancel --name kept --resource-group rg --workspace-name ws'")
    assert "ada may not Microsoft.MachineLearningServices/workspaces/jobs/cancel/action" in line
    azure.take_back()
    await begun(project)
    until(lambda: azure.jobs.held["kept"].state == "Canceled", "its end")
    assert (book.every(), [*unwanted_lines(project.settings, NAME)]) == ((), [])


def test_a_new_job_of_the_same_release_takes_no_note_of_the_old_one(tmp_path: Path) -> None:
    book = KeptJobs(tmp_path, NAME)
    old, new = KeptJob("r1", "old", KeptMoment(1.0, "", 0.0), unwanted=True), KeptJob("r1", "new", KeptMoment.now())
    book.keep(new)
    book.keep(old)
    assert (book.of("r1"), set(book.every())) == (new, {old, new})
