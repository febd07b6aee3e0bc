"""A model goes to Azure ML and back by the real command: released, by canary under users, taken back, ended.

The workspace is a stand-in whose deployments run what was uploaded.
"""

import ssl
from collections.abc import Iterator

import httpx
import pytest
import yaml

from tests.azure.blobs import DOMAIN
from tests.azure.standin import AzureStandIn
from tests.story.shop import Shop, quarterdeck

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """A workspace that is quick."""
    with AzureStandIn(tmp_path_factory.mktemp("azure")) as one:
        yield one
        assert one.troubles == []


@pytest.fixture(scope="module")
def shop(azure: AzureStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A project that serves there; its workspace is named by variables alone."""
    home = tmp_path_factory.mktemp("story")
    shop = Shop(home / "iris", "iris", "species", ("--set", "train.n_iter=2", "--set", "train.cv_folds=3"))
    told = quarterdeck("init", str(shop.folder), "--sample", "iris", cwd=home)
    assert told.code == 0, told.err
    path = shop.folder / "quarterdeck.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["target"] = "azureml"
    cloud = {"resource_manager": azure.url, "storage": DOMAIN}
    settings["azureml"] = {"cloud": cloud, "poll_s": 0.2, "look_s": 1, "request_timeout_s": 10}
    # How quick answers are says something of this machine alone.
    slow = {"p50_ms": 5000, "p95_ms": 20000, "p99_ms": 20000}
    gates = [{"metric": "failed_percent", "op": "<", "limit": 5}]
    settings["release"] |= {"steps": [25, 100], "hold_s": 4, "smoke_limits": slow, "gates": gates}
    path.write_text(yaml.safe_dump(settings))
    yield shop
    _run(shop, azure, "down")


def _run(shop: Shop, azure: AzureStandIn, *arguments: str) -> list[str]:
    """What a command said, which went well."""
    told = quarterdeck(*arguments, cwd=shop.folder, env=azure.environment(), deadline_s=300)
    assert told.code == 0, told.out + told.err
    return told.lines


def _answers(azure: AzureStandIn, name: str, count: int = 20) -> set[str]:
    """Which deployments answer users who come by themselves."""
    endpoint = azure.endpoint(name)
    key = endpoint.keys.primary
    trusted = ssl.create_default_context(cafile=azure.ca)
    with httpx.Client(verify=trusted, timeout=10, headers={"authorization": f"Bearer {key}"}) as client:
        found = [client.post(f"{endpoint.url}/score", json={"dataframe_records": [ROW]}) for _ in range(count)]
    assert {one.status_code for one in found} == {200}
    return {one.headers["azureml-model-deployment"] for one in found}


@pytest.mark.slow
def test_a_model_goes_to_azure_and_back(shop: Shop, azure: AzureStandIn) -> None:
    first = _run(shop, azure, "release", "--env", "dev", "--skip", "load", *shop.flags)
    assert "done: iris v1 on iris-dev" in first
    assert _answers(azure, "iris-dev") == {"blue"}
    canary = _run(shop, azure, "release", "--env", "dev", "--skip", "load", *shop.flags)
    assert any("blue 75 %, green 25 %, verified" in line for line in canary)
    assert "done: iris v2 on iris-dev" in canary
    assert _answers(azure, "iris-dev") == {"green"}
    back = _run(shop, azure, "rollback", "--env", "dev", "--reason", "late answers")
    assert any("blue 100 %, verified" in line and "after the key" in line for line in back)
    assert _answers(azure, "iris-dev") == {"blue"}
    status = _run(shop, azure, "status")
    assert any(line.split()[:5] == ["blue", "iris", "v1", "100.0", "%"] for line in status)
    assert any("Standard_DS2_v2" in line and "an hour" in line for line in status)
    keys = azure.endpoint("iris-dev").keys
    _secretless(shop, {azure.token, azure.blobs.key, keys.primary, keys.secondary, *azure.blobs.signatures})
    _run(shop, azure, "down")
    assert azure.do(lambda: list(azure.endpoints.held)) == []


def _secretless(shop: Shop, secrets: set[str]) -> None:
    """Journal, logs, runs and all else that was written; variables of a shell are kept for its own releases alone."""
    kept = [path for path in shop.folder.rglob("*") if path.is_file() and "variables" not in path.parts]
    assert len(kept) > 10
    told = [(path.name, secret[:4]) for path in kept for secret in secrets if secret.encode() in path.read_bytes()]
    assert told == []
