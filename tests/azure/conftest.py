"""A stand-in for each test file."""

from collections.abc import Iterator

import pytest

from tests.azure.caller import AzureCaller
from tests.azure.delays import AzureDelays
from tests.azure.standin import AzureStandIn


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """One that several tests share, each with endpoints of its own."""
    with AzureStandIn(tmp_path_factory.mktemp("azure")) as azure:
        yield azure
        assert azure.troubles == []


@pytest.fixture
def azure(standin: AzureStandIn) -> AzureStandIn:
    """It, with nothing wrong and quick."""
    standin.take_back()
    for name in AzureDelays.__slots__:
        setattr(standin.delays, name, getattr(AzureDelays(endpoint_s=0.1, traffic_s=0.05, deployment_s=0.05), name))
    return standin


@pytest.fixture
def caller(azure: AzureStandIn) -> Iterator[AzureCaller]:
    """Its user."""
    caller = AzureCaller(azure)
    yield caller
    caller.client.close()
