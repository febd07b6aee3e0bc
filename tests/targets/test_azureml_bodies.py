"""What is sent to a workspace is field by field what the official client sends for the YAML of the same thing."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.config.config import load
from core.targets.azureml import bodies
from core.targets.azureml.code_folder import digest
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint, version_tags
from tests.targets.azureml_scenes import SEVEN, project

YAML = Path(__file__).parent / "azureml_yaml"
HOME = Path(__file__).parents[2]
DRIVER = {"quarterdeck-driver": "1 here/0 1"}
IMAGE = "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference:latest"
PLACE = {
    "tags": {"team": "flights"},
    "auth": "aad",
    "app_insights": True,
    "request_timeout_s": 90.5,
    "max_concurrent_requests": 4,
    "readiness": {"initial_s": 3600.0, "failures": 3},
}
needs_sdk = pytest.mark.skipif(
    importlib.util.find_spec("azure") is None or importlib.util.find_spec("azure.ai.ml") is None,
    reason="the official client is not installed",
)


@pytest.fixture
def at(tmp_path: Path) -> AzureEndpoint:
    """The endpoint that the YAML describes."""
    return azure_endpoint(load(project(tmp_path, PLACE), "prod", environ={}))


@pytest.fixture
def ids(at: AzureEndpoint) -> dict[str, str]:
    """What uploads made of the files."""
    return {
        "model": f"{at.workspace}/models/late/versions/7",
        "environment": f"{at.workspace}/environments/quarterdeck-scoring/versions/1",
        "code": f"{at.workspace}/codes/c/versions/1",
        "modelUri": "azureml://subscriptions/0/resourcegroups/rg/workspaces/ws/datastores/workspaceblobstore/paths/m",
        "codeUri": "https://account.blob.core.windows.net/container/code",
        "hash": "abc",
    }


@pytest.fixture
def theirs(ids: dict[str, str]) -> dict[str, Any]:
    """What the official client sends."""
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.targets.azureml_sdk", str(YAML), json.dumps(ids)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=HOME,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@needs_sdk
def test_every_body_is_the_official_client_s(at: AzureEndpoint, ids: dict[str, str], theirs: dict[str, Any]) -> None:
    held = {"tags": {}, "location": "eastus", "properties": {"authMode": "AADToken", "traffic": {"green": 100}}}
    conda = bodies.conda("3.11", ["azureml-inference-server-http~=1.4", "orjson==3.10.0"])
    tags = {**at.place.tags, **version_tags(SEVEN), "quarterdeck-files": "abc"}
    ours = {
        "endpoint": bodies.endpoint(at, "eastus", DRIVER),
        "traffic": bodies.changed_endpoint(at, held, {}, {"blue": 100.0, "green": 0.0}, {"green": 20.0}),
        "deployment": bodies.deployment(at, "eastus", SEVEN, 2, ids, DRIVER),
        "model": bodies.model_version(ids["modelUri"], tags),
        "environment": bodies.environment_version(IMAGE, conda),
        "code": bodies.code_version(ids["codeUri"], ids["hash"]),
    }
    assert set(ours) == set(theirs)
    for name, body in ours.items():
        assert body == theirs[name], name


@needs_sdk
def test_a_folder_has_the_official_client_s_digest(tmp_path: Path) -> None:
    files = {"score.py": b"a", "scoring/B.py": b"bb", "scoring/a.py": b""}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    code = (
        "import sys; from azure.ai.ml._utils._asset_utils import get_content_hash; print(get_content_hash(sys.argv[1]))"
    )
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert digest(files) == told.stdout.strip()


def test_a_change_keeps_what_it_does_not_change_and_sends_nothing_that_only_the_service_writes(
    at: AzureEndpoint,
) -> None:
    held = {
        "tags": {"theirs": "1", "gone": "2"},
        "location": "westus",
        "identity": {"type": "SystemAssigned", "principalId": "1"},
        "properties": {
            "authMode": "Key",
            "description": "flights",
            "properties": {"AzureAsyncOperationUri": "https://x", "createdBy": "Ann", "kept": "yes"},
            "provisioningState": "Succeeded",
            "scoringUri": "https://x/score",
            "traffic": {"blue": 90, "green": 10},
            "mirrorTraffic": {},
        },
    }
    body = bodies.changed_endpoint(at, held, {"gone": None, **DRIVER})
    assert body == {
        "tags": {"theirs": "1", "team": "flights", **DRIVER},
        "location": "westus",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "authMode": "Key",
            "description": "flights",
            "properties": {"kept": "yes"},
            "traffic": {"blue": 90, "green": 10},
            "mirrorTraffic": {},
        },
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "PT5S"), (90, "PT1M30S"), (0.5, "PT0.5S"), (3600, "PT1H"), (0, "PT0S"), (3661.25, "PT1H1M1.25S")],
)
def test_a_span_is_as_iso_8601_says_it(seconds: float, text: str) -> None:
    assert bodies.duration(seconds) == text
