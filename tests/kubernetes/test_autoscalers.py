"""The autoscaler over figures that the test sets."""

from collections.abc import Iterator

import pytest

from tests.kubernetes.bodies import autoscaler, deployment
from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.metrics import MetricsApi
from tests.kubernetes.waiting import condition, rolled_out, until

SCALERS = "horizontalpodautoscalers.autoscaling"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One whose autoscaler looks often, by a quick clock."""
    with running() as one:
        one.controllers.autoscaler.period_s = 0.1
        one.controllers.autoscaler.clock_factor = 100.0
        yield one
        assert one.troubles == []


def _scaled(caller: Caller) -> int:
    count: int = caller.read("deployments.apps", "late")["spec"]["replicas"]
    return count


def test_it_keeps_the_minimum_follows_the_load_and_comes_back(caller: Caller, cluster: Cluster) -> None:
    caller.apply("deployments.apps", deployment("late", 1))
    caller.apply(SCALERS, autoscaler("late", 2, 6))
    until(lambda: _scaled(caller) == 2, "the minimum")
    until(lambda: rolled_out(caller, "late"), "two pods")
    cluster.metrics.cores[caller.namespace, "late"] = 0.5
    until(lambda: _scaled(caller) == 6, "the maximum")
    held = until(
        lambda: (
            condition(one := caller.read(SCALERS, "late"), "ScalingLimited").get("reason") == "TooManyReplicas" and one
        ),
        "ScalingLimited",
    )
    assert condition(held, "ScalingActive")["reason"] == "ValidMetricFound"
    cluster.metrics.cores[caller.namespace, "late"] = 0.01
    until(lambda: _scaled(caller) == 2, "back to the minimum")
    sizes = [one["message"] for one in caller.get("events", fieldSelector="reason=SuccessfulRescale").json()["items"]]
    assert any("below Spec.MinReplicas" in one for one in sizes)
    assert any("All metrics below target" in one for one in sizes)
    owned = caller.apply("deployments.apps", deployment("late", 1))
    assert (
        'conflict with "kube-controller-manager" with subresource "scale" using apps/v1: .spec.replicas'
        in owned.json()["message"]
    )


@pytest.mark.parametrize(
    ("api", "status", "words"),
    [
        (MetricsApi.ABSENT, 404, "the server could not find the requested resource (get pods.metrics.k8s.io)"),
        (MetricsApi.DEAD, 503, "the server is currently unable to handle the request (get pods.metrics.k8s.io)"),
    ],
)
def test_without_metrics_it_says_so_and_scales_nothing(
    caller: Caller, cluster: Cluster, api: MetricsApi, status: int, words: str
) -> None:
    caller.apply("deployments.apps", deployment("late", 2))
    until(lambda: rolled_out(caller, "late"), "two pods")
    cluster.metrics.api = api
    try:
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{caller.namespace}/pods"
        assert caller.send("GET", path).status_code == status
        caller.apply(SCALERS, autoscaler("late", 1, 6))
        body = until(
            lambda: condition(one := caller.read(SCALERS, "late"), "ScalingActive").get("status") == "False" and one,
            "told",
        )
        assert words in condition(body, "ScalingActive")["message"]
        assert body["status"]["currentMetrics"] == [{"type": ""}]
        assert _scaled(caller) == 2
    finally:
        cluster.metrics.api = MetricsApi.THERE


def test_pods_without_a_request_cannot_be_judged(caller: Caller) -> None:
    body = deployment("late", 1)
    del body["spec"]["template"]["spec"]["containers"][0]["resources"]
    caller.apply("deployments.apps", body)
    until(lambda: rolled_out(caller, "late"), "one pod")
    caller.apply(SCALERS, autoscaler("late", 1, 6))
    told = until(lambda: condition(caller.read(SCALERS, "late"), "ScalingActive").get("message"), "told")
    assert "missing request for cpu in container server of Pod late-" in told
