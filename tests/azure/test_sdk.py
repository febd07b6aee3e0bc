"""Microsoft's own client, unmodified, releases to the stand-in, takes back, promotes and deletes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.azure.caller import AzureCaller, until
from tests.azure.containers import HOME
from tests.azure.datastores import Credentials
from tests.azure.standin import AzureStandIn
from tests.images.small import linear
from tests.training.test_pipeline_nodes import THROUGH, exported

SCORE = "from scoring.score import init, run\n"


def _folder(folder: Path) -> Path:
    """Two models that disagree, and code that serves either."""
    linear(folder / "v1")
    path = linear(folder / "v2") / "linear.json"
    weights = json.loads(path.read_text())
    path.write_text(json.dumps({**weights, "columns": weights["columns"][::-1]}))
    shutil.copytree(HOME / "scoring", folder / "code" / "scoring", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "code" / "score.py").write_text(SCORE)
    return folder


def _told(azure: AzureStandIn, module: str, *words: str) -> dict[str, Any]:
    """What a program says, step by step."""
    said = {**azure.environment(), "AZURE_STAND_IN_CLOUD": json.dumps(azure.cloud_metadata)}
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(
        command, env={**os.environ, **said}, cwd=HOME, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(one) for one in done.stdout.splitlines() if one.startswith("{")]
    return {one["step"]: one["found"] for one in lines}


@pytest.mark.slow
@pytest.mark.parametrize("credentials", ["AccountKey", "None"])
def test_a_release_by_the_unmodified_client(azure: AzureStandIn, tmp_path: Path, credentials: Credentials) -> None:
    azure.delays.retry_after_s = 1
    azure.datastores.credentials = credentials
    azure.scored.clear()
    azure.seen.clear()
    azure.codes.versions.held.clear()
    azure.models.versions.held.clear()
    told = _told(azure, "tests.azure.sdk_release", str(_folder(tmp_path)))
    canary = told.pop("canary")
    assert canary[:2] == [{"blue": 90, "green": 10}, {}]
    assert canary[2] in {"1", "2"}
    assert told == {
        "endpoint": ["Succeeded", True, {}],
        "deployed v1": ["Succeeded", 1, "sides/versions/1"],
        "released": [{"blue": 100}, {}, "1"],
        "deployed v2": ["Succeeded", 1, "sides/versions/2"],
        "mirrored": [{"blue": 100}, {"green": 50}, "1"],
        "copied": ["1"] * 20,
        "rolled back": [{"blue": 100}, {}, "1"],
        "log": True,
        "promoted": [{"green": 100}, {}, "2"],
        "pinned": "1",
        "left": ["green"],
        "gone": 404,
    }
    copies = [one for one in azure.scored if one.mirrored]
    assert {(one.deployment, one.status) for one in copies} == {("green", 200)}
    # Both versions have the same code, found by its hash the second time.
    assert sum(one.path.endswith("startPendingUpload") for one in azure.seen) == 1


@pytest.mark.slow
def test_jobs_and_a_cluster_by_the_unmodified_client(azure: AzureStandIn, tmp_path: Path) -> None:
    azure.delays.retry_after_s = 1
    azure.datastores.credentials = "AccountKey"
    (tmp_path / "code").mkdir()
    lines = "import sys, time", "print(len(open(sys.argv[1]).readlines()), 'rows', flush=True)", "time.sleep(3)"
    (tmp_path / "code" / "train.py").write_text("\n".join(lines))
    (tmp_path / "data.csv").write_text("1\n2\n3\n")
    told = _told(azure, "tests.azure.sdk_training", str(tmp_path))
    assert told == {
        "cluster": ["Succeeded", "Standard_D4s_v3", "low_priority", 4],
        "sizes": True,
        "usages": 100,
        "trained": [True, "Completed"],
        "failed": [True, True, True],
        "cancelled": "Canceled",
        "too late": 400,
        "clusters": ["cpu-cluster"],
    }


@pytest.mark.slow
def test_an_exported_pipeline_by_the_unmodified_client(azure: AzureStandIn, tmp_path: Path) -> None:
    """It takes the files as they are; run, they end with a version of a model and figures in the nodes' runs."""
    azure.delays.retry_after_s, azure.delays.job_s = 1, 0.05
    azure.datastores.credentials = "AccountKey"
    told = _told(azure, "tests.azure.sdk_pipeline", str(exported(tmp_path, thresholds=THROUGH) / "pipeline.yml"))
    name = told.pop("name")
    nodes = ["validate", "features", "train", "evaluate", "register", "prepare"]
    assert told == {"validated": True, "submitted": ["pipeline", "late-dev", "late", nodes], "read": "pipeline"}
    pipeline = azure.jobs.held[name]
    until(lambda: pipeline.ended_at, "the pipeline has ended", 300)
    assert pipeline.state == "Completed", (pipeline.error, [azure.jobs.log(f"{name}-{one}") for one in nodes])
    model = azure.models.files("azureml:late:1")
    assert model is not None
    assert (model / "MLmodel").is_file()
    assert azure.tracking.runs[f"{name}-train"].params["algorithm"] == "XGBoost"


TRACKS = """
import os
os.environ["MLFLOW_TRACKING_URI"] = os.environ["MLFLOW_TRACKING_URI"].replace("azureml://", "https://")
import mlflow
with mlflow.start_run():
    mlflow.log_params({"depth": 3})
    mlflow.log_metric("accuracy", 0.5, step=1)
    mlflow.log_metric("accuracy", 0.75, step=2)
    mlflow.set_tag("made", "here")
"""


@pytest.mark.slow
def test_a_job_tracks_its_run_by_mlflows_own_client(azure: AzureStandIn, tmp_path: Path) -> None:
    (tmp_path / "track.py").write_text(TRACKS)
    caller = AzureCaller(azure)
    settings = {"jobType": "Command", "command": f"{sys.executable} {tmp_path / 'track.py'}", "experimentName": "late"}
    caller.send("PUT", "jobs", "tracked", body={"properties": settings}, version="2025-01-01-preview")
    until(lambda: azure.jobs.held["tracked"].ended_at, "the job has ended", 120)
    assert azure.jobs.held["tracked"].state == "Completed", azure.jobs.log("tracked")
    path = f"/mlflow/v1.0{azure.place.workspace}/api/2.0/mlflow/runs/get"
    run = caller.client.get(path, params={"run_id": "tracked"}).json()["run"]
    assert run["info"]["status"] == "FINISHED"
    assert run["data"]["params"] == [{"key": "depth", "value": "3"}]
    assert [(one["key"], one["value"], int(one["step"])) for one in run["data"]["metrics"]] == [("accuracy", 0.75, 2)]
    assert {"key": "made", "value": "here"} in run["data"]["tags"]
    caller.client.close()
