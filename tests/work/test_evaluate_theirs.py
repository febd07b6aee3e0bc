"""A version in production that somebody else logged is compared, and its code sees nothing of ours."""

import asyncio
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from core.images.needs import needs_of
from core.work.child import Job, WorkChild
from tests.work.conftest import settings, work
from tests.work.environments import seed

CODE = """
import os, mlflow
from mlflow.pyfunc import PythonModel

with open({seen!r}, "a") as file:
    print(os.environ.get("A_TOKEN", "nothing"), file=file)


class Always(PythonModel):
    def predict(self, context, model_input, params=None):
        return ["setosa"] * len(model_input)


mlflow.models.set_model(Always())
"""
SCRIPT = """
import sys
import mlflow
from mlflow.types.schema import ColSpec, Schema

mlflow.set_tracking_uri(sys.argv[1])
place = mlflow.create_experiment("theirs", artifact_location=sys.argv[3])
names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
given = mlflow.models.ModelSignature(inputs=Schema([ColSpec("double", name) for name in names]))
with mlflow.start_run(experiment_id=place):
    mlflow.pyfunc.log_model(
        name="model", python_model=sys.argv[2], signature=given, pip_requirements=[], registered_model_name="iris"
    )
mlflow.MlflowClient().set_registered_model_alias("iris", "production", 1)
print(mlflow.__version__)
"""


@pytest.mark.asyncio(loop_scope="session")
async def test_theirs_in_production_is_compared_in_a_process_of_its_own(tmp_path: Path) -> None:
    seen, code = tmp_path / "seen", tmp_path / "code.py"
    code.write_text(CODE.format(seen=str(seen)))
    (tmp_path / ".quarterdeck").mkdir()
    store = f"sqlite:///{tmp_path}/.quarterdeck/mlflow.db"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "ignore", "-c", SCRIPT, store, str(code), (tmp_path / "files").as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    seen.unlink()
    cache = tmp_path / "cache"
    seed(cache, needs_of("", platform.python_version(), done.stdout.split()[-1]))
    child = WorkChild(environ={**os.environ, "XDG_CACHE_HOME": str(cache), "UV_OFFLINE": "1", "A_TOKEN": "secret"})
    iris = settings(tmp_path)
    try:
        for step in ("data", "preprocess", "train"):
            await work(child, Job(step, tmp_path / "r", iris, "r"))
        measured = await work(child, Job("evaluate", tmp_path / "r", iris, "r"))
        again = await work(child, Job("evaluate", tmp_path / "r", iris, "r"))
    finally:
        await child.close()
    assert measured.result["production"]["accuracy"] == pytest.approx(1 / 3)
    assert measured.result["production_version"]["number"] == "1"
    assert measured.result["production_contract"]["fields"][0]["name"] == "sepal_length"
    assert again.result["production"] == measured.result["production"]
    assert set(seen.read_text().split()) == {"nothing"}
