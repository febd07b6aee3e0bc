"""A cluster for each test file, and a caller in a namespace of its own for each test."""

import itertools
from collections.abc import Iterator

import pytest

from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster, running

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One that several tests share, each in its own namespace."""
    with running() as one:
        yield one
        assert one.troubles == []


@pytest.fixture
def caller(cluster: Cluster) -> Iterator[Caller]:
    """Calls in a fresh namespace."""
    cluster.faults.clear()
    caller = Caller(cluster, f"flights-{next(_NUMBERS)}")
    caller.create("namespaces", {"metadata": {"name": caller.namespace}})
    yield caller
    caller.client.close()
