"""What a watch of a cluster tells of its autoscalers, over a stand-in whose figures the test sets."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.domain.model import Scaled
from core.domain.obstacles import Cause
from core.scaling.facts import ScalingFacts
from core.scaling.reasons import explain
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.metrics import MetricsApi
from tests.targets.helpers import ONE, Watcher, watching
from tests.targets.kubernetes.places import ClusterPlace, serving_cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One whose autoscaler looks often, by a quick clock."""
    with serving_cluster() as one:
        one.controllers.autoscaler.period_s = 0.1
        one.controllers.autoscaler.clock_factor = 100.0
        yield one


@pytest.fixture
async def place(cluster: Cluster, tmp_path: Path) -> AsyncIterator[ClusterPlace]:
    """An endpoint that is scaled between one and two pods."""
    scaling = {"min": 1, "max": 2, "cpu": 60.0}
    made = ClusterPlace(cluster, tmp_path, endpoint={"replicas": 1, "cpu": "200m", "autoscaling": scaling})
    yield made
    await made.close()


async def named(watcher: Watcher, cause: Cause) -> Scaled:
    """The first look that names a cause."""

    def found() -> Scaled | None:
        told = (one for one in watcher.reports if isinstance(one, Scaled))
        return next((one for one in told if cause in {each.cause for each in one.obstacles}), None)

    return await watcher.until(found, deadline_s=60.0)


async def test_the_maximum_and_a_metrics_api_that_dies_are_told_as_they_come(
    cluster: Cluster, place: ClusterPlace
) -> None:
    cluster.metrics.cores[place.namespace, "late-blue"] = 0.9
    target = place.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        full = await named(watcher, Cause.MAXIMUM)
        assert (full.slot, full.min, full.max) == ("blue", 1, 2)
        assert full.proposed is not None
        assert full.proposed > 2
        (reason,) = explain(ScalingFacts("blue", full.after, full.after, look=full))
        assert reason.text.endswith("the maximum is 2")
        cluster.metrics.api = MetricsApi.DEAD
        try:
            dead = await named(watcher, Cause.METRICS_DEAD)
        finally:
            cluster.metrics.api = MetricsApi.THERE
        assert dead.readings[0].value is None
        assert dead.after == 2, "no figure is no wish for none"
