"""A stand-in with real pods for each test file, and a namespace of its own for each test."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.targets.kubernetes.places import ClusterPlace, serving_cluster

MakePlace = Callable[..., ClusterPlace]


@pytest.fixture(scope="module")
def pods_cluster() -> Iterator[Cluster]:
    """One for all tests of a file."""
    with serving_cluster() as one:
        yield one


@pytest.fixture
async def place_of(pods_cluster: Cluster, tmp_path: Path) -> AsyncIterator[MakePlace]:
    """Makes endpoints, each in a namespace of its own, which goes after the test."""
    pods_cluster.faults.clear()
    made: list[ClusterPlace] = []

    def one(*arguments: object, **more: object) -> ClusterPlace:
        made.append(ClusterPlace(pods_cluster, tmp_path, *arguments, **more))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for place in made:
        await place.close()
