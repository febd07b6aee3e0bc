"""A model with its own code and a load of the user's own, released to Azure ML by the real command."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from core.images.needs import needs_of
from tests.azure.blobs import DOMAIN
from tests.azure.standin import AzureStandIn
from tests.story.cluster_scene import SLOW
from tests.story.conftest import QUICK
from tests.story.shop import Shop, of_buyers, quarterdeck
from tests.work.environments import seed

LOGGED = """
import sys
sys.path.insert(0, sys.argv[3])
import mlflow
import pandas as pd
import limits

class Buys(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [limits.word(row.age, row.city) for row in model_input.itertuples()]

rows = pd.read_csv(sys.argv[2])
mlflow.set_tracking_uri(sys.argv[1])
place = mlflow.create_experiment("theirs", artifact_location=sys.argv[4])
with mlflow.start_run(experiment_id=place):
    mlflow.pyfunc.log_model(
        name="model", python_model=Buys(), code_paths=[sys.argv[3] + "/limits.py"], pip_requirements=[],
        signature=mlflow.models.infer_signature(rows[["age", "city"]], ["yes"]), registered_model_name="theirs",
    )
print(mlflow.__version__)
"""
OWN_CODE = 'def word(age, city):\n    return "yes" if age + 20 * (city == "Oslo") > 55 else "no"\n'
LOAD = """
from locust import HttpUser, constant, task


class Buyer(HttpUser):
    wait_time = constant(0.1)

    @task
    def ask(self):
        body = {"dataframe_split": {"columns": ["city", "age"], "data": [["Oslo", 40], ["Rome", 40]]}}
        with self.client.post("/score", json=body, catch_response=True) as answer:
            if answer.status_code == 200 and answer.json()["predictions"] != ["yes", "no"]:
                answer.failure(answer.text[:80])
"""


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureStandIn]:
    with AzureStandIn(tmp_path) as one:
        yield one
        assert one.troubles == []


@pytest.fixture
def shop(azure: AzureStandIn, tmp_path: Path) -> Iterator[Shop]:
    """A project with nothing in it but rows and a locustfile."""
    folder = of_buyers(tmp_path)
    (folder / "buyers.py").write_text(LOAD)
    path = folder / "quarterdeck.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["target"] = "azureml"
    cloud = {"resource_manager": azure.url, "storage": DOMAIN}
    settings["azureml"] = {"cloud": cloud, "poll_s": 0.2, "look_s": 1, "request_timeout_s": 10}
    settings["endpoint"]["replicas"] = 1
    settings.setdefault("release", {})["smoke_limits"] = SLOW
    limits = {"median_ms": 20000, "p95_ms": 30000}
    load = {"locustfile": "buyers.py", "users": 2, "spawn_rate": 2, "duration_s": 4, "limits": limits}
    settings["load"] = {**(settings.get("load") or {}), **load}
    path.write_text(yaml.safe_dump(settings))
    shop = Shop(folder, "rows", "bought", (*QUICK, "--set", "thresholds.max_latency_ms=10000"))
    yield shop
    quarterdeck("down", cwd=folder, env=azure.environment(), deadline_s=120)


@pytest.mark.long
def test_a_model_with_its_own_code_is_released_smoke_tested_and_loaded_by_a_file_of_the_user_s(
    shop: Shop, azure: AzureStandIn, tmp_path: Path
) -> None:
    (tmp_path / "limits.py").write_text(OWN_CODE)
    store = f"sqlite:///{tmp_path}/theirs.db"
    words = (store, str(tmp_path / "rows.csv"), str(tmp_path), (tmp_path / "f").as_uri())
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOGGED, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    assert done.returncode == 0, done.stderr
    seed(tmp_path / "cache", needs_of("", platform.python_version(), done.stdout.splitlines()[-1]))
    own = {"MLFLOW_TRACKING_URI": store, "XDG_CACHE_HOME": str(tmp_path / "cache"), "UV_OFFLINE": "1"}
    asked = ("release", *shop.flags, "--model-uri", "models:/theirs/1")
    told = quarterdeck(*asked, cwd=shop.folder, env={**azure.environment(), **own}, deadline_s=300)
    assert told.code == 0, told.out + told.err
    assert "pyfunc, served by its own packages" in told.out
    assert any(line.endswith("smoke       done: 50 of 50") for line in told.out.splitlines()), told.out
    assert "✔ errors 0 % is < 1 % over" in told.out
    assert "done: theirs v1 on rows-dev" in told.out
