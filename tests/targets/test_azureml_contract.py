"""The Azure ML target keeps the contract, over a stand-in whose deployments are real processes."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.azure.standin import AzureStandIn
from tests.targets.azureml_places import AzurePlaceOf, serving_workspace
from tests.targets.contract import Contract, MakeTarget


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """One for all of them; each test has an endpoint of its own."""
    folder = tmp_path_factory.mktemp("azure")
    with serving_workspace(folder) as one:
        yield one


class TestContract(Contract):
    """The suite."""

    @pytest.fixture
    async def make(self, azure: AzureStandIn, tmp_path: Path) -> AsyncIterator[MakeTarget]:
        """Targets over one endpoint."""
        place = AzurePlaceOf(azure, tmp_path)
        yield place.target
        await place.close()

    # No caller can be kept on a side: the settings refuse it before a release begins.
    test_a_split_on_which_callers_stay_is_told_as_any_other = None  # type: ignore[assignment]
