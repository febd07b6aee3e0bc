"""A workspace in a stand-in, and what speaks to it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AccessToken, AzureLogin
from core.targets.azureml.https_client import HttpsClient
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint
from core.training.azure_jobs import AzureJobs
from tests.azure.blobs import DOMAIN
from tests.azure.standin import AzureStandIn
from tests.targets.azureml_scenes import settings_of


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """One for a file of tests; each has jobs of its own."""
    with AzureStandIn(tmp_path_factory.mktemp("azure")) as one:
        one.delays.job_s = 0.2
        yield one
        assert one.troubles == []


@pytest.fixture
def at(tmp_path: Path, azure: AzureStandIn, monkeypatch: pytest.MonkeyPatch) -> AzureEndpoint:
    """An endpoint whose workspace trains."""
    monkeypatch.setenv("SSL_CERT_FILE", str(azure.ca))
    cloud = {"resource_manager": azure.url, "authority": azure.url, "storage": DOMAIN}
    return azure_endpoint(settings_of(tmp_path, {"cloud": cloud, "poll_s": 0.05, "look_s": 0.1}, env="dev"))


@pytest.fixture
def calls(azure: AzureStandIn, at: AzureEndpoint) -> Iterator[AzureCalls]:
    """Its resource manager, with a login."""
    made = AzureCalls(at.place, AzureLogin(at.place, lambda _: AccessToken(azure.token, time.time() + 3600)), at.ca)
    yield made
    made.close()


@pytest.fixture
def jobs(at: AzureEndpoint, calls: AzureCalls) -> Iterator[AzureJobs]:
    """Its jobs."""
    client = HttpsClient(at.ca)
    yield AzureJobs(at, calls, client)
    client.close()
