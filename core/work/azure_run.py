"""A job's own run in the workspace it runs in: what was measured is written there, by the tracking server's REST.

MLflow's plugin for Azure ML is not used: it asks for an older MLflow than ours. Its server speaks MLflow's own REST
below the tracking address, with the token that a job is given.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient

from core.work.job import needed

CALL_S = 30.0
A_CALL = 100
"""As many figures go with one call."""
LONGEST = 250
RUN_ID = ("MLFLOW_RUN_ID", "AZUREML_RUN_ID")
TOKEN = ("MLFLOW_TRACKING_TOKEN", "AZUREML_RUN_TOKEN")


def written(folder: Path, environ: Mapping[str, str]) -> str:
    """Write the candidate's settings and figures; gives what could not be done, in a line, and ends nothing."""
    trained = needed(folder, "train", "the workspace's run")["candidate"]
    return _told(environ, lambda run: bodies(run, trained["run_id"], folder))


def measured(folder: Path, environ: Mapping[str, str]) -> str:
    """Write what baseline and candidate reached on the held-out rows; gives what could not be done, in a line."""
    found = needed(folder, "evaluate", "the workspace's run")
    now_ms = int(time.time() * 1000)
    metrics = [
        {"key": f"{name}_{key}" if name != "candidate" else key, "value": value, "timestamp": now_ms, "step": 0}
        for name in ("candidate", "baseline")
        for key, value in sorted((found[name] or {}).items())
        if isinstance(value, int | float)
    ]
    return _told(environ, lambda run: iter([{"run_id": run, "metrics": metrics}]))


def _told(environ: Mapping[str, str], told: Callable[[str], Iterator[Mapping[str, Any]]]) -> str:
    """Send what is told of the run that this job is; gives what could not be done, in a line."""
    tracking = environ.get("MLFLOW_TRACKING_URI", "")
    run = next((environ[name] for name in RUN_ID if environ.get(name)), "")
    token = next((environ[name] for name in TOKEN if environ.get(name)), "")
    if not (tracking.startswith("azureml://") and run and token):
        return "this machine names no run of a workspace, so no figures were written there"
    server = f"https://{tracking.removeprefix('azureml://').partition('?')[0]}/api/2.0/mlflow"
    try:
        for body in told(run):
            _post(f"{server}/runs/log-batch", body, token)
    except (urllib.error.URLError, OSError) as error:
        code = getattr(error, "code", None)
        why = f"answers {code}" if code else f"does not answer ({type(error).__name__})"
        return f"the workspace's tracking server {why}, so the run {run} there has no figures"
    return ""


def bodies(run: str, trained: str, folder: Path) -> Iterator[Mapping[str, Any]]:
    """What is sent, in parts that are small enough."""
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    known = client.get_run(trained)
    params = [{"key": key, "value": str(value)[:LONGEST]} for key, value in sorted(known.data.params.items())]
    metrics = [
        {"key": one.key, "value": one.value, "timestamp": one.timestamp, "step": one.step}
        for key in sorted(known.data.metrics)
        for one in client.get_metric_history(trained, key)
    ]
    for name, every in (("params", params), ("metrics", metrics)):
        for part in _parts(every):
            yield {"run_id": run, name: part}


def _parts(every: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(every), A_CALL):
        yield every[start : start + A_CALL]


def _post(url: str, body: Mapping[str, Any], token: str) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    asked = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - it begins with https
    with urllib.request.urlopen(asked, timeout=CALL_S) as answer:  # noqa: S310
        answer.read()
