"""A job of a cluster that could not be cancelled is named by `status` and by `down`, whatever else stands or not."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.config.config import state_folder
from core.system.moment import KeptMoment
from core.training.kept_jobs import KeptJob, KeptJobs
from tests.tui import past
from tui.cli import app


@pytest.mark.parametrize("command", ["status", "down"])
def test_a_job_that_goes_on_is_named_with_why_and_what_to_type(tmp_path: Path, command: str) -> None:
    project = past.project(tmp_path)
    begun, book = KeptMoment(1.0, "", 0.0), KeptJobs(state_folder(project.settings), past.ENDPOINT)
    book.keep(KeptJob("r2", "r2-abc123", begun, unwanted=True, why="azureml ws: ada may not cancel"))
    book.keep(KeptJob("r1", "r1-abc123", begun))
    told = CliRunner().invoke(app, [command, "--config", str(project.path)])
    assert told.exit_code == 0, told.output
    (line,) = [one for one in told.output.splitlines() if "-abc123" in one]
    assert "the job r2-abc123 of r2 may train on for nobody and cost" in line
    assert "azureml ws: ada may not cancel; the next watch asks again" in line
    assert "az ml job cancel --name r2-abc123" in line
