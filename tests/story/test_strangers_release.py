"""A model that only its own packages can run, from a stranger's script to answers and to the end of its process."""

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from core.images.needs import needs_of
from tests.story.conftest import QUICK
from tests.story.kills_scene import wait_for
from tests.story.shop import Shop, of_buyers, quarterdeck
from tests.work.environments import seed

LONE = ("--set", "endpoint.replicas=1", "--set", "thresholds.max_latency_ms=10000")
SCRIPT = """
import sys
import mlflow
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

rows = pd.read_csv(sys.argv[2])
given, told = rows[["age", "city"]], rows["bought"]
columns = ColumnTransformer([("n", StandardScaler(), ["age"]), ("t", OneHotEncoder(), ["city"])])
model = make_pipeline(columns, LogisticRegression()).fit(given, told)
mlflow.set_tracking_uri(sys.argv[1])
place = mlflow.create_experiment("theirs", artifact_location=sys.argv[3])
with mlflow.start_run(experiment_id=place):
    signature = mlflow.models.infer_signature(given, told)
    mlflow.sklearn.log_model(
        model, name="model", signature=signature, pip_requirements=[], registered_model_name="theirs",
        serialization_format="cloudpickle",
    )
print(mlflow.__version__, *model.predict(given[:20]))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A project with nothing in it but rows."""
    folder = of_buyers(tmp_path)
    shop = Shop(folder, "rows", "bought", (*QUICK, *LONE))
    yield shop
    shop.down()


def workers(folder: Path) -> list[psutil.Process]:
    """The processes that hold models of this project."""
    found = []
    for one in psutil.process_iter(["cmdline"]):
        line = one.info["cmdline"] or []
        if any("worker.py" in part for part in line) and any(part.startswith(str(folder)) for part in line):
            found.append(one)
    return found


@pytest.mark.long
def test_a_stranger_s_model_is_released_answers_and_comes_back_when_its_process_dies(
    shop: Shop, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/theirs.db"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, store, str(tmp_path / "rows.csv"), (tmp_path / "f").as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    version, *expected = done.stdout.splitlines()[-1].split()
    seed(tmp_path / "cache", needs_of("", platform.python_version(), version))
    env = {
        "MLFLOW_TRACKING_URI": store,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "UV_OFFLINE": "1",
        "A_TOKEN": "secret",
    }
    asked = ("release", "--skip", "load", *shop.flags, "--model-uri", "models:/theirs/1")
    # The model is loaded in four processes, one after the other.
    told = quarterdeck(*asked, cwd=shop.folder, env=env, deadline_s=300)
    assert told.code == 0, told.out + told.err
    assert "sklearn, served by its own packages" in told.out
    rows = pd.read_csv(tmp_path / "rows.csv")[["age", "city"]].head(20).to_dict("records")
    with shop.client("dev") as http:
        assert http.post("/predict", json={"dataframe_records": rows}).json()["predictions"] == expected
        (worker,) = workers(shop.folder)
        assert "secret" not in str(worker.environ())
        worker.send_signal(signal.SIGKILL)
        # It is missed by the first who asks; that replica ends and another one takes its place.
        http.post("/predict", json=rows[:1])
        wait_for(lambda: http.post("/predict", json=rows[:1]).status_code == 200, "another replica")
    (other,) = workers(shop.folder)
    assert other.pid != worker.pid
