"""The Kubernetes target keeps the contract in each way of splitting traffic, over a stand-in with real pods.

With `QUARTERDECK_TEST_KUBECONFIG` it does so over a real cluster, but for the gateway's: see `places`.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.targets.kubernetes.settings import Traffic
from tests.kubernetes.cluster import Cluster
from tests.targets.contract import Contract, MakeTarget
from tests.targets.kubernetes.places import ClusterPlace, RealCluster, serving_cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster | RealCluster]:
    """One for all of them; each test has a namespace of its own."""
    if (real := RealCluster.named()) is not None:
        yield real
        return
    with serving_cluster() as one:
        yield one


class _ClusterContract(Contract):
    """The suite in one way of splitting traffic."""

    traffic: Traffic

    @pytest.fixture
    async def make(self, cluster: Cluster | RealCluster, tmp_path: Path) -> AsyncIterator[MakeTarget]:
        """Targets over one namespace."""
        if self.traffic == "gateway" and isinstance(cluster, RealCluster):
            pytest.skip("a gateway is made by the stand-in alone")
        place = ClusterPlace(cluster, tmp_path, self.traffic)
        yield place.target
        await place.close()

    # No caller can be kept on a side: the settings refuse it before a release begins.
    test_a_split_on_which_callers_stay_is_told_as_any_other = None  # type: ignore[assignment]


class TestGateway(_ClusterContract):
    """Weights of a HTTPRoute."""

    traffic = "gateway"

    # A slot is reached beside the gateway, at an address of its own.
    test_a_slot_has_an_address_of_its_own = None  # type: ignore[assignment]


class TestReplicas(_ClusterContract):
    """Each ready pod gets its share."""

    traffic = "replicas"

    # Only a gateway copies requests.
    test_a_copy_of_the_traffic_is_told_once_it_is_made_and_ends_with_the_next_route = None  # type: ignore[assignment]


class TestSelector(_ClusterContract):
    """All traffic or none."""

    traffic = "selector"

    # Only a gateway copies requests, and shares are not to be had.
    test_a_copy_of_the_traffic_is_told_once_it_is_made_and_ends_with_the_next_route = None  # type: ignore[assignment]
    test_moved_traffic_is_told_once_it_is_proved = None  # type: ignore[assignment]
