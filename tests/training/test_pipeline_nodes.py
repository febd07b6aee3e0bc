"""The exported files alone, run node by node as plain processes, end with a model that predicts."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from sklearn.datasets import load_iris

from core.config.config import load
from core.targets.azureml.workspace import azure_endpoint
from core.training import pipeline, pipeline_folder
from core.training.package import package_files
from core.training.pipeline_steps import PIPELINE
from tests.targets.azureml_scenes import project
from tests.training.pipeline_nodes import PipelineOnDisk

THROUGH = {"max_regression_percent": 50}
NOT_THROUGH = {**THROUGH, "min_accuracy": 1.0}
ASKS = """
import json, sys
import mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
print("said", json.dumps(list(model.predict(pandas.read_csv(sys.argv[2]).drop(columns="species")))))
"""


def exported(folder: Path, **more: Any) -> Path:
    """The iris in a file, and the pipeline that learns them in few tries."""
    iris = load_iris(as_frame=True)
    rows = iris.frame.drop(columns="target").assign(species=[iris.target_names[at] for at in iris.target])
    rows.to_csv(folder / "my rows.csv", index=False)
    data = {"source": "my rows.csv", "target": "species"}
    train = {"on": "azureml", "n_iter": 2, "cv_folds": 2}
    settings = load(project(folder, data=data, train=train, **more), "dev", environ={})
    files = pipeline.files_of(azure_endpoint(settings, {}), settings)
    pipeline_folder.write(folder / "out", files, pipeline.table_of(settings))
    return folder / "out"


@pytest.mark.slow
def test_six_plain_processes_end_with_a_model_that_predicts(tmp_path: Path) -> None:
    run = PipelineOnDisk(exported(tmp_path, thresholds=THROUGH), tmp_path / "nodes")
    run.run()
    assert {name: one.code for name, one in run.ran.items()} == dict.fromkeys(PIPELINE, 0), run.ran
    model, deployment = run.output("register", "model"), run.output("prepare", "deployment")
    asked = [sys.executable, "-c", ASKS, str(model), str(tmp_path / "my rows.csv")]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    said = json.loads(told.stdout.partition("said ")[2])
    truth = ["setosa"] * 50 + ["versicolor"] * 50 + ["virginica"] * 50
    assert sum(one == other for one, other in zip(said, truth, strict=True)) > 130
    assert 'the deployment\'s code answers {"predictions":["' in run.ran["prepare"].said
    assert yaml.safe_load((deployment / "deployment.yml").read_text())["endpoint_name"] == "late-dev"
    assert (deployment / "code" / "score.py").is_file()
    assert not [*deployment.rglob("__pycache__")]
    assert not [*model.rglob("registered_model_meta")]


@pytest.mark.slow
def test_a_candidate_that_the_gate_refuses_ends_the_pipeline_there(tmp_path: Path) -> None:
    run = PipelineOnDisk(exported(tmp_path, thresholds=NOT_THROUGH), tmp_path / "nodes")
    run.run()
    assert [*run.ran] == ["validate", "features", "train", "evaluate"]
    assert run.ran["evaluate"].code == 1
    assert "\nerror: gate: " in run.ran["evaluate"].said
    assert " is below 1.000 (the floor of quarterdeck.yaml: thresholds.min_accuracy)" in run.ran["evaluate"].said
    assert "Traceback" not in run.ran["evaluate"].said


def test_a_node_loads_no_face_and_no_client_of_azure(tmp_path: Path) -> None:
    for name, content in package_files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    code = (
        "import core.training.node, core.training.prepared, core.work.logged, sys; print(core.__file__, *sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    loaded = {name.partition(".")[0] for name in told.stdout.split()}
    assert not {"tui", "themes", "textual", "locust", "httpx", "azure", "kubernetes"} & loaded
    assert told.stdout.startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "error: no step: is none of validate, features, train, evaluate, register, prepare"),
        (["bake"], "error: bake: is none of validate,"),
        (["features", "--settings", "a"], "error: features: --rows is missing"),
        (["validate", "--settings", "/gone", "--rows", "out"], "error: [Errno 2] No such file or directory: '/gone'"),
    ],
)
def test_a_node_that_is_called_wrongly_says_it_in_a_line(tmp_path: Path, words: list[str], line: str) -> None:
    command = [sys.executable, "-m", "core.training.node", *words]
    environ = {"PYTHONPATH": str(Path(__file__).parents[2])}
    told = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stderr) == (1, "")
    assert told.stdout.startswith(line)
    assert len(told.stdout.splitlines()) == 1
