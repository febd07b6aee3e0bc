"""What a watch of a cluster tells of its autoscalers, over a stand-in whose figures the test sets."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.domain.diagnosis import Condition
from core.domain.model import Scaled
from core.domain.obstacles import Cause
from core.scaling.facts import ScalingFacts
from core.scaling.reasons import explain
from core.targets.kubernetes.doctor_autoscaler import autoscaler
from tests.kubernetes.caller import Caller
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


async def test_an_autoscaler_that_somebody_deleted_is_said_and_made_anew_with_the_size_that_there_is(
    cluster: Cluster, place: ClusterPlace
) -> None:
    target, name = place.target(), "late-blue"
    caller = Caller(cluster, place.namespace)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.until(lambda: watcher.slots["blue"].ready == 1 if "blue" in watcher.slots else None)
        assert caller.delete("horizontalpodautoscalers.autoscaling", name).status_code == 200
        gone = await named(watcher, Cause.MISSING)
        assert (gone.after, gone.min, gone.max) == (1, 1, 2)
        (reason,) = explain(ScalingFacts("blue", 1, 1, look=gone))
        assert reason.text == "it has no autoscaler, though endpoint.autoscaling asks for one: it stays at 1"
        assert reason.todo == "'quarterdeck scale 1 --slot blue' makes it anew"
        (line,) = await asyncio.to_thread(lambda: list(autoscaler(place.calls, place.at)))
        assert (line.condition, line.text, line.do) == (Condition.WARN, f"blue: {reason.text}", reason.todo)
        await target.scale("blue", 1)
        assert caller.read("horizontalpodautoscalers.autoscaling", name)["spec"]["maxReplicas"] == 2
        await watcher.noted("autoscaler of blue was not there any more, and is made anew")
        (line,) = await asyncio.to_thread(lambda: list(autoscaler(place.calls, place.at)))
        assert line.condition is Condition.OK
        # What had all traffic keeps what it was deployed with; the way back makes what of that is gone.
        await target.route({"blue": 100})
        await watcher.until(lambda: watcher.slots["blue"].weight == 100 or None)
        watcher.reports.clear()
        assert caller.delete("horizontalpodautoscalers.autoscaling", name).status_code == 200
        await named(watcher, Cause.MISSING)
        await target.apply("blue", ONE, 1)
        assert caller.read("horizontalpodautoscalers.autoscaling", name)["spec"]["maxReplicas"] == 2
    caller.client.close()


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
