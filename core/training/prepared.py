"""A folder from which `az ml online-deployment create` deploys a model, for the endpoint of these settings; tried."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.config.settings import Settings
from core.domain.errors import Failed
from core.system.text import clean_line
from core.system.yaml_text import to_yaml
from core.targets.azureml.bodies import AUTH, SCRIPT, conda
from core.targets.azureml.code_folder import code_files, files_of, packages
from core.targets.azureml.names import azure_name
from core.targets.azureml.settings import AzureProbeSettings
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint

NAME = "candidate"
"""No slot of ours: what serves is left alone."""
CODE, CONDA, FILE = "code", "conda.yml", "deployment.yml"
SCHEMA = "https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json"
TRY_S = 120.0


def prepare(settings: Settings, model: Path, out: Path) -> str:
    """Write the folder and let its code answer once; what it said. Raises Failed."""
    found = next((path.parent for path in sorted(model.glob("**/model.json"))), None)
    if found is None:
        raise Failed(f"{model}: holds no model of Quarterdeck's; take the output of the step register")
    at = azure_endpoint(settings, {})
    for name, content in code_files().items():
        path = out / CODE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (out / CONDA).write_text(conda(*packages(found, files_of(found))), encoding="utf-8")
    (out / FILE).write_text(_head(at) + to_yaml(deployment_yaml(at, azure_name(settings.model))), encoding="utf-8")
    return _tried(out / CODE, model)


def deployment_yaml(at: AzureEndpoint, model: str) -> Mapping[str, Any]:
    """The deployment as people write it, with what the settings say of the endpoint."""
    place = at.place
    return {
        "$schema": SCHEMA,
        "name": NAME,
        "endpoint_name": at.name,
        "tags": dict(place.tags),
        "model": f"azureml:{model}@latest",
        "environment": {"image": place.image, "conda_file": CONDA},
        "code_configuration": {"code": CODE, "scoring_script": SCRIPT},
        "instance_type": place.instance_type,
        "instance_count": at.endpoint.deployed,
        "app_insights_enabled": place.app_insights,
        "request_settings": {
            "request_timeout_ms": round(place.request_timeout_s * 1000),
            "max_concurrent_requests_per_instance": place.max_concurrent_requests,
        },
        "liveness_probe": _probe(place.liveness),
        "readiness_probe": _probe(place.readiness),
    }


def _probe(settings: AzureProbeSettings) -> Mapping[str, int]:
    return {
        "initial_delay": round(settings.initial_s),
        "period": max(1, round(settings.period_s)),
        "timeout": max(1, round(settings.timeout_s)),
        "failure_threshold": settings.failures,
        "success_threshold": 1,
    }


def _head(at: AzureEndpoint) -> str:
    """How to use it. An endpoint is made once: to make one that is there again would take its traffic away."""
    auth = {"Key": "key", "AADToken": "aad_token"}[AUTH[at.place.auth]]
    return (
        f"# az ml online-endpoint create --name {at.name} --auth-mode {auth}     # once, never again\n"
        f"# az ml online-deployment create --file {FILE}     # takes the newest version of the model, and no traffic\n"
    )


def _tried(code: Path, model: Path) -> str:
    """What the folder's own code answers to the model's example, as Azure's server would call it."""
    # None of our paths: the code must stand alone.
    environ = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "MODEL_VERSION"}}
    environ["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        told = subprocess.run(
            [sys.executable, "-m", "scoring.score", str(model.resolve())],
            cwd=code,
            env=environ,
            capture_output=True,
            text=True,
            timeout=TRY_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"prepare: the deployment's code gave no answer within {TRY_S:g} s") from None
    if told.returncode:
        lines = (told.stderr.strip() or told.stdout.strip() or "nothing").splitlines()
        raise Failed(f"prepare: the deployment's code does not answer: {clean_line(lines[-1])}")
    return f"the deployment's code answers {clean_line(told.stdout)}"
