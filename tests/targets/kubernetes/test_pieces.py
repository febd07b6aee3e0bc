"""The pure parts: shares as pods, traffic as objects say it, samples, use, words of refusals."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from core.domain.errors import BadInput
from core.domain.figures import Use
from core.domain.model import ReplicaState
from core.targets.kubernetes.api_errors import ApiRequest, Json, clipped, refusal, retry_after
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint, metadata
from core.targets.kubernetes.observed import observed
from core.targets.kubernetes.paths import DEPLOYMENTS, PODS
from core.targets.kubernetes.pod_use import PodUsages, usages
from core.targets.kubernetes.pods import PodReplicas
from core.targets.kubernetes.scraping import PodMeter
from core.targets.kubernetes.shares import counts_for, shares_of
from core.targets.kubernetes.traffic import RoutedTraffic, annotated, first, spec_for, traffic_of
from core.targets.kubernetes.watching import ClusterView
from core.targets.local.counters import parse
from core.targets.local.scraped import Scraped
from tests.kubernetes.patches import merge
from tests.targets.helpers import ONE
from tests.targets.kubernetes_scenes import GATEWAY, endpoint_of


@pytest.fixture
def at(tmp_path: Path) -> ClusterEndpoint:
    """An endpoint whose pods are its shares."""
    return endpoint_of(tmp_path, {"traffic": "replicas"})


@pytest.mark.parametrize(
    ("weights", "least", "most", "counts"),
    [
        ({"blue": 90, "green": 10}, 2, 20, {"blue": 9, "green": 1}),
        ({"blue": 50, "green": 50}, 2, 20, {"blue": 1, "green": 1}),
        ({"blue": 50, "green": 50}, 5, 20, {"blue": 3, "green": 3}),
        ({"blue": 75, "green": 25}, 2, 20, {"blue": 3, "green": 1}),
        ({"blue": 95, "green": 5}, 2, 15, {"blue": 14, "green": 1}),
        ({"blue": 0, "green": 100}, 3, 20, {"green": 3}),
    ],
)
def test_a_share_as_pods(weights: dict[str, float], least: int, most: int, counts: dict[str, int]) -> None:
    assert counts_for(weights, least, most, 5.0) == counts


def test_a_floor_is_kept() -> None:
    assert counts_for({"blue": 50, "green": 50}, 2, 20, 5.0, {"green": 3}) == {"blue": 3, "green": 3}


def test_a_share_that_is_too_small_for_so_many_pods_is_refused() -> None:
    with pytest.raises(BadInput, match="1 % for green: with 4 pods the nearest share is 24 points off"):
        counts_for({"blue": 99, "green": 1}, 2, 4, 5.0)


@given(st.floats(1, 99), st.integers(1, 10), st.integers(11, 40))
def test_every_share_has_a_pod_and_none_is_further_off_than_it_may(share: float, least: int, most: int) -> None:
    weights = {"blue": 100 - share, "green": share}
    try:
        counts = counts_for(weights, least, most, 5.0)
    except BadInput:
        return
    assert set(counts) == {"blue", "green"}
    assert min(counts.values()) >= 1
    assert least <= sum(counts.values()) <= max(least, most)
    assert abs(shares_of(counts)["green"] - share) <= 5.1


def test_what_pods_use_and_which_share_of_their_request_that_is(at: ClusterEndpoint) -> None:
    def pod(name: str, cpu: str, memory: str) -> Json:
        return {"metadata": {"name": name}, "containers": [{"usage": {"cpu": cpu, "memory": memory}}]}

    found = usages([pod("a", "250000000n", "64Mi"), pod("b", "1", "200M"), pod("c", "much", "1Gi"), {"metadata": {}}])
    assert {name: (one.cpu_m, one.memory_mb) for name, one in found.items()} == {
        "a": (250.0, 67.1),
        "b": (1000.0, 200.0),
    }
    known = PodUsages(at, ApiCalls("nowhere"))
    known.known = found
    # 500m and 256Mi are asked for.
    assert known.of_slots({"blue": ["a", "b", "gone"], "green": ["gone"]}) == {"blue": Use(2, 250.0, 74.5)}
    pods = [{"metadata": {"name": name}} for name in ("a", "x")]
    assert [one.replica.cpu_m for one in PodReplicas().of(pods, found)] == [250.0, None]


WEIGHTS = st.sampled_from(
    [{}, {"blue": 100.0}, {"green": 100.0}, {"blue": 90.0, "green": 10.0}, {"blue": 33.5, "green": 66.5}]
)


@given(WEIGHTS, WEIGHTS)
@pytest.mark.parametrize("way", ["replicas", "gateway"])
def test_what_is_patched_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, way: str, before: Mapping[str, float], after: Mapping[str, float]
) -> None:
    at = endpoint_of(tmp_path_factory.getbasetemp(), GATEWAY if way == "gateway" else {"traffic": way})
    body = first(at)
    assert traffic_of(at, body).weights == {}
    for number, weights in enumerate((before, after)):
        split = len(weights) > 1 and way == "replicas"
        head = {"annotations": annotated(weights, {"blue": 2}, 3, f"3.{number}")}
        body = merge(body, {"metadata": head, "spec": spec_for(at, weights, {}, split=split)})
        found = traffic_of(at, body)
        assert (found.weights, found.wanted, found.split) == (weights, weights, split)
        assert (found.replicas, found.claim, found.change) == ({"blue": 2}, 3, f"3.{number}")


def test_a_copy_is_read_as_it_was_written(tmp_path: Path) -> None:
    at = endpoint_of(tmp_path, GATEWAY)
    for percent in (20.0, 12.5):
        body = merge(first(at), {"spec": spec_for(at, {"blue": 100}, {"green": percent}, split=False)})
        assert traffic_of(at, body).mirror == {"green": percent}


def test_annotations_that_others_wrote_over_count_as_none(at: ClusterEndpoint) -> None:
    body = first(at)
    body["metadata"]["annotations"] = dict.fromkeys(annotated({}, {}, 1, "x"), "{nonsense")
    assert traffic_of(at, body).wanted == {}
    assert traffic_of(at, body).claim == 0


PAGE = """
scoring_requests_total{{status="200"}} {good}
scoring_requests_total{{status="422"}} {callers}
scoring_requests_total{{status="500"}} {failed}
scoring_request_seconds_bucket{{le="0.001"}} {fast}
scoring_request_seconds_bucket{{le="0.01"}} {good}
scoring_request_seconds_bucket{{le="+Inf"}} {good}
scoring_start_time_seconds {started}
"""


def _page(good: int = 0, callers: int = 0, failed: int = 0, fast: int = 0, started: int = 1) -> str:
    return PAGE.format(good=good, callers=callers, failed=failed, fast=fast, started=started)


def test_pages_of_pods_become_samples_of_their_slots() -> None:
    meter = PodMeter(0.0)
    one, two = Scraped("uid-1", 0, slot="blue"), Scraped("uid-2", 0, slot="blue")
    # What a pod had counted before it was first seen is no answer of this second.
    meter.take(one, parse(_page(good=1000)))
    meter.take(two, parse(_page(good=50)))
    assert sum(sample.requests for sample in meter.samples({"blue": "version:7"}, 1.0)) == 0
    meter.take(one, parse(_page(good=1010, callers=2, failed=3, fast=4)))
    meter.take(two, parse(_page(good=55)))
    (sample,) = meter.samples({"blue": "version:7"}, 2.0)
    assert (sample.ok, dict(sample.failed), dict(sample.refused)) == (15, {"500": 3}, {"422": 2})
    assert (sample.at, sample.seconds, dict(sample.mix)) == (2.0, 1.0, {"version:7": 20})
    assert sum(sample.latency.counts.values()) == 15
    # A container that was started again counts from zero, and a pod that is gone counts nothing.
    meter.take(one, parse(_page(good=7, started=2)))
    meter.living({"uid-1"})
    (sample,) = meter.samples({}, 3.0)
    assert sample.ok == 7


def test_what_a_slot_answers_before_users_come_to_it_is_in_no_sample() -> None:
    meter = PodMeter(0.0)
    meter.take(Scraped("uid-1", 0, slot=""), parse(_page()))
    meter.take(Scraped("uid-1", 0, slot=""), parse(_page(good=50)))
    assert meter.samples({}, 1.0) == []
    meter.take(Scraped("uid-1", 0, slot="green"), parse(_page(good=57)))
    assert [(one.slot, one.ok) for one in meter.samples({}, 2.0)] == [("green", 7)]


def _pod(at: ClusterEndpoint, name: str, status: Json, **head: str) -> Json:
    return {"metadata": {**metadata(at, name, "blue", ONE), **head}, "status": {"phase": "Pending", **status}}


@pytest.mark.parametrize(
    ("status", "state", "why"),
    [
        ({}, ReplicaState.STARTING, ""),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, ReplicaState.READY, ""),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes: Insufficient cpu."}]},
            ReplicaState.PENDING,
            "no node takes it: 0/3 nodes: Insufficient cpu.",
        ),
        (
            {
                "containerStatuses": [
                    {"image": "x:1", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
                ]
            },
            ReplicaState.BACKOFF,
            "image can't be pulled: x:1: not found",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "restartCount": 4,
                        "state": {"running": {}},
                        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
                    }
                ]
            },
            ReplicaState.STARTING,
            "it ended with OOMKilled, exit code 137",
        ),
    ],
)
def test_what_a_pod_is_doing(at: ClusterEndpoint, status: Json, state: ReplicaState, why: str) -> None:
    deployment = {"metadata": metadata(at, "late-blue", "blue", ONE), "spec": {"replicas": 1}}
    objects = {(DEPLOYMENTS.plural, "late-blue"): deployment, (PODS.plural, "p"): _pod(at, "p", status)}
    seen = observed(at, ClusterView(objects), RoutedTraffic())["blue"]
    assert (seen.version, seen.wanted, seen.replicas[0].state, seen.replicas[0].why) == (ONE, 1, state, why)


def test_a_quota_that_is_used_up_is_the_slots_why(at: ClusterEndpoint) -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small, requested: pods=1"}
    deployment = {
        "metadata": metadata(at, "late-blue", "blue", ONE),
        "spec": {"replicas": 1},
        "status": {"conditions": [failure]},
    }
    view = ClusterView({(DEPLOYMENTS.plural, "late-blue"): deployment})
    assert observed(at, view, RoutedTraffic())["blue"].why == "quota: small, requested: pods=1"


def test_what_is_of_others_is_no_slot(at: ClusterEndpoint) -> None:
    other = {"metadata": metadata(replace(at, name="early"), "early-blue", "blue", ONE), "spec": {"replicas": 1}}
    assert observed(at, ClusterView({(DEPLOYMENTS.plural, "early-blue"): other}), RoutedTraffic()) == {}


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (403, "pods is forbidden: exceeded quota: small, requested: pods=1, used: pods=2", "quota is used up"),
        (500, "boom", "the API server answers 500: boom"),
        (504, "", "the API server answers 504"),
        (410, "", "that version is forgotten"),
        (409, 'object "x" already exists', "it exists already"),
        (400, 'invalid: {"kind":"Secret","data":{"key":"s3cret"}}', "invalid: …"),
    ],
)
def test_a_refusal_is_one_line_without_objects(status: int, message: str, said: str) -> None:
    asked = ApiRequest("prod", "PATCH", "/apis/apps/v1/namespaces/flights/deployments/late-blue")
    error = refusal(asked, status, {"message": message}, {})
    assert str(error).startswith("kubernetes prod: PATCH deployments/late-blue: ")
    assert said in str(error)
    assert "s3cret" not in str(error)


@pytest.mark.parametrize(("told", "seconds"), [("7", 7.0), ("0", 1.0), ("9999", 30.0), ("Tue, 1 Dec", 1.0)])
def test_a_rest_is_as_long_as_is_said_and_has_an_end(told: str, seconds: float) -> None:
    assert retry_after({"retry-after": told}, {}) == seconds
    assert clipped("x" * 1000).endswith("…")
