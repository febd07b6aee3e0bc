"""A model trained as a job on a cluster by the real command: to its end, cancelled half-way, followed after a death."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.azure.standin import AzureStandIn
from tests.story.kills_scene import wait_for
from tests.story.roles import by_role, kill
from tests.story.training_scene import ALONE, LONG, TrainingScene

QUEUED_S = 2.0
"""Twice as long as between two looks at a job."""
LONG_S = 600.0
"""Libraries are loaded three times on a machine that others use."""


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureStandIn]:
    """One of its own: which jobs there are is asked."""
    folder = tmp_path / "azure"
    folder.mkdir()
    with AzureStandIn(folder) as one:
        one.delays.job_s = 0.5
        yield one
        assert one.troubles == []


def test_a_job_trains_and_its_model_its_figures_and_its_log_come_here(tmp_path: Path, azure: AzureStandIn) -> None:
    azure.delays.job_s = QUEUED_S
    with TrainingScene(tmp_path / "iris", azure, "train.n_iter=3") as scene:
        scene.furnish()
        call = scene.call("release", *ALONE)
        assert call.ends(LONG_S) == 0, call.text
        job = scene.job()
        assert job is not None
        assert job.state == "Completed"
        assert "0 of 4 nodes (" in call.text
        assert "candidate 3 of 3" in call.text
        assert f"trained as {job.name}" in call.text
        assert scene.kept() == []
        with closing(sqlite3.connect(scene.registry)) as database:
            steps = database.execute("SELECT step FROM metrics WHERE key = 'cv_best' ORDER BY step").fetchall()
            versions = database.execute("SELECT version FROM model_versions").fetchall()
        assert steps == [(1,), (2,), (3,)]
        assert versions == [(1,)]
        told = azure.tracking.runs[job.name]
        assert told.params["algorithm"]
        assert azure.token not in call.text


def test_a_release_that_is_aborted_half_way_ends_its_job(tmp_path: Path, azure: AzureStandIn) -> None:
    with TrainingScene(tmp_path / "iris", azure, *LONG) as scene:
        scene.furnish()
        call = scene.call("release", *ALONE)
        call.says("candidate 3 of 2000", LONG_S)
        assert scene.call("abort").ends() == 0
        assert call.ends() == 1
        job = scene.job()
        assert job is not None
        wait_for(lambda: job.state == "Canceled", f"the job's end; it is {job.state}")
        wait_for(lambda: scene.kept() == [], "no job is known any more")


def test_a_job_outlives_the_watch_and_is_followed_by_the_next(tmp_path: Path, azure: AzureStandIn) -> None:
    with TrainingScene(tmp_path / "iris", azure, "train.n_iter=40", "train.cv_folds=10") as scene:
        scene.furnish()
        call = scene.call("release", *ALONE)
        call.says("candidate 3 of 40", LONG_S)
        for process in by_role(scene.processes())["watch"]:
            kill(process)
        call.says("goes on with the job", LONG_S)
        assert call.ends(LONG_S) == 0, call.text
        assert len(azure.jobs.held) == 1
        told = [line for line in call.lines if "candidate 3 of 40" in line]
        assert len(told) == 1, "a line of the job's log is told once"


def test_a_job_whose_watch_is_dead_ends_with_its_release(tmp_path: Path, azure: AzureStandIn) -> None:
    with TrainingScene(tmp_path / "iris", azure, *LONG) as scene:
        scene.furnish()
        call = scene.call("release", *ALONE)
        call.says("candidate 2 of 2000", LONG_S)
        kill(call.process)
        for process in by_role(scene.processes())["watch"]:
            kill(process)
        assert len(scene.kept()) == 1
        assert scene.call("abort").ends() == 0
        job = scene.job()
        assert job is not None
        wait_for(lambda: job.state == "Canceled", f"the job's end; it is {job.state}")
        wait_for(lambda: scene.kept() == [], "no job is known any more")
