"""The service as others start it: by fork from a warmed parent, by exec, and as Azure ML calls its script."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import scoring.__main__ as command
from scoring import score
from scoring.model import ModelError

WAIT_S = 30

FORKS = """
import json, os, sys, http.client, psutil
from scoring.model import load
from scoring.service import Identity, ServingSettings, free_port, serve, warm

model = load(sys.argv[1])
warm()
assert psutil.Process().num_threads() == 1, "something started a thread before the fork"
for _ in range(20):
    port = free_port("127.0.0.1", 0)
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        serve(model, Identity("late", "7"), ServingSettings(port=port), lambda: os.write(told, b"!"))
        os._exit(0)
    assert os.read(heard, 1) == b"!"
    http_ = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for rows in (1, 50):
        http_.request("POST", "/predict", json.dumps({"data": [[1.5, 3, True, "AA"]] * rows}))
        assert len(json.loads(http_.getresponse().read())["predictions"]) == rows
    memory_mb = psutil.Process(child).memory_info().rss / 1e6
    os.kill(child, 15)
    assert os.waitpid(child, 0)[1] == 0
    os.close(heard), os.close(told)
print(memory_mb)
"""

IMPORTS = """
import sys
from scoring import score, service
from scoring.model import load

model = load(sys.argv[1])
service.warm()
model.predict([(b'{"data": [[1.5, 3, true, "AA"]]}', "")] * 5)
heavy = ["numpy", "scipy", "pandas", "sklearn", "xgboost", "treelite", "mlflow", "core", "tui"]
print([name for name in heavy if name in sys.modules])
"""


def run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    faults = [line for line in done.stderr.splitlines() if line[8:11] != " · "]
    assert (done.returncode, faults) == (0, [])
    return done.stdout


@pytest.mark.parametrize("name", ["two", "forest"])
def test_twenty_children_of_one_parent_predict_and_stay_small(models: Path, name: str) -> None:
    assert float(run(FORKS, str(models / name))) < 80


@pytest.mark.parametrize("name", ["two", "forest"])
def test_no_heavy_package_is_imported(models: Path, name: str) -> None:
    assert run(IMPORTS, str(models / name)) == "[]\n"


def test_it_serves_by_exec_and_ends_on_sigterm(models: Path) -> None:
    arguments = [sys.executable, "-m", "scoring", str(models / "four"), "--port", "0", "--version", "3"]
    environment = os.environ | {"SCORING_KEY": "k"}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        word, address = child.stdout.readline().split()
        body = {"data": [[1.5, 3, True, "AA"]]}
        answer = httpx.post(
            f"http://{address}/predict", json=body, headers={"authorization": "Bearer k"}, timeout=WAIT_S
        )
        child.send_signal(signal.SIGTERM)
        assert child.wait(WAIT_S) == 0
    assert word == "ready"
    assert answer.json()["version"] == "3"
    assert answer.json()["predictions"][0] in {1, 2, 3, 4}


@pytest.mark.parametrize("arguments", [["/nowhere"], ["FOLDER", "--host", "192.0.2.1"]])
def test_what_stops_it_from_serving_is_one_line(
    models: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    told = [argument.replace("FOLDER", str(models / "two")) for argument in arguments]
    assert command.main(told) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1


@pytest.fixture
def azure(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model as Azure ML mounts it, loaded."""
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(models / "two"))
    monkeypatch.setenv("MODEL_VERSION", "7")
    monkeypatch.setattr(score, "_loaded", score._Loaded())
    score.init()


def test_run_answers_as_the_service_does(azure: None, models: Path) -> None:
    expected = json.loads((models / "two" / "expected.json").read_text())
    answer = score.run(json.dumps({"data": expected["rows"], "probabilities": True}))
    assert answer["predictions"] == expected["predictions"]
    assert (answer["model"], answer["version"], answer["num_samples"]) == ("XGBoost", "7", 200)
    assert score.run(json.dumps({"data": expected["rows"]}).encode())["predictions"] == expected["predictions"]


def test_run_names_what_does_not_fit(azure: None) -> None:
    assert "first one missing is month" in score.run('{"data": [[1]]}')["error"]


def test_azures_own_answer_carries_the_status_where_its_server_is_there(
    azure: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answers:
        @staticmethod
        def AMLResponse(message: Any, status: int, json_str: bool) -> tuple[Any, int, bool]:  # noqa: N802
            return message, status, json_str

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("importlib.import_module", lambda _: Answers)
    message, status, json_str = score.run("{}")
    assert (status, json_str) == (422, True)
    assert "none of the model's fields" in message["error"]


def test_run_before_init_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "_loaded", score._Loaded())
    with pytest.raises(ModelError, match="call init"):
        score.run("{}")


def test_the_script_tries_itself_on_the_example(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", "unused")
    assert score.main([str(models)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["num_samples"] == 1
    assert len(answer["probabilities"]) == 1
    assert score.main(["/nowhere"]) == 1
    assert capsys.readouterr().err.startswith("/nowhere/model.json: ")
