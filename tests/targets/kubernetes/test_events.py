"""What a cluster warns of, in words: as a real one (v1.36) was recorded to say it, and over the stand-in."""

from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from core.domain.model import Level, Noted
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.event_messages import noted
from core.targets.kubernetes.event_news import EventNews, last_seen_s
from core.targets.kubernetes.paths import EVENTS
from tests.kubernetes.caller import Caller
from tests.targets.helpers import ONE, watching
from tests.targets.kubernetes.conftest import MakePlace
from tests.targets.kubernetes_scenes import endpoint_of

POD, SET = ("Pod", "late-blue-6d9fb6656b-7mg4f"), ("ReplicaSet", "late-blue-6d9fb6656b")
SCALER = ("HorizontalPodAutoscaler", "late-blue")
NO_API = (
    "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource "
    "metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
)
UNREADY = "failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)"
FULL = "exceeded quota: late, requested: requests.cpu=200m, used: requests.cpu=400m, limited: requests.cpu=500m"
PULL = (
    'Failed to pull image "registry.example/missing:1": rpc error: code = NotFound desc = failed to pull and unpack '
    'image "registry.example/missing:1": failed to resolve reference "registry.example/missing:1": '
    "registry.example/missing:1: not found"
)
NO_NODE = (
    "0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are available: "
    "3 Preemption is not helpful for scheduling."
)


def event(about: tuple[str, str], reason: str, message: str, kind: str = "Warning") -> Json:
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": about[0], "name": about[1]},
        "lastTimestamp": datetime.now(UTC).isoformat(),
    }


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (event(SET, "FailedCreate", f'Error creating: pods "late-blue-6d9fb6656b-7mg4f" is forbidden: {FULL}'),
         "blue: pods may not be made: quota late: requests.cpu 400m of 500m used, 200m more asked for"),
        (event(SET, "FailedCreate", '(combined from similar events): Error creating: serviceaccount "late" not found'),
         'blue: pods can\'t be made: serviceaccount "late" not found'),
        (event(POD, "FailedScheduling", NO_NODE), "blue: a pod finds no node: cpu is lacking on 3 of 3 nodes"),
        (event(POD, "Failed", PULL), "blue: an image can't be pulled: registry.example/missing:1: not found"),
        (event(POD, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503"),
         "blue: Liveness probe failed: HTTP probe failed with statuscode: 503"),
        (event(POD, "BackOff", "Back-off restarting failed container server in pod late-blue"),
         "blue: a container ends again and again, and rests before each start"),
        (event(SCALER, "FailedGetResourceMetric", NO_API),
         "blue: its autoscaler can't reckon: the cluster has no metrics API"),
        (event(POD, "Evicted", "The node was low on memory."), "blue: Evicted: The node was low on memory."),
        # The objects say it better, or say it too.
        (event(POD, "Failed", "Error: ImagePullBackOff"), None),
        (event(SCALER, "FailedGetResourceMetric", UNREADY), None),
        (event(SCALER, "FailedComputeMetricsReplicas", f"invalid metrics (1 invalid out of 1): {NO_API}"), None),
        (event(POD, "Unhealthy", "Startup probe failed: connection refused"), None),
        (event(POD, "Unhealthy", "Readiness probe failed: connection refused"), None),
        # Of others, or no warning.
        (event(("Pod", "later-blue-6d9fb6656b-7mg4f"), "FailedScheduling", NO_NODE), None),
        (event(("Deployment", "late-blue-x-blue"), "FailedCreate", "no"), None),
        (event(("Pod", "late-blue-x-blue-6d9fb6656b-7mg4f"), "FailedScheduling", NO_NODE), None),
        (event(("Node", "late-blue"), "NodeNotReady", "no"), None),
        (event(SCALER, "SuccessfulRescale", "New size: 4; reason: cpu above target", "Normal"), None),
    ],
)  # fmt: skip
def test_a_warning_is_a_line_in_words(tmp_path: Path, found: Json, text: str | None) -> None:
    note = noted(endpoint_of(tmp_path), found)
    assert (note.text if note else None) == text
    assert note is None or (note.level, note.slot, note.source) == (Level.WARNING, "blue", "cluster")


def test_what_is_old_is_no_news_and_the_same_is_told_once(tmp_path: Path) -> None:
    told: list[Noted] = []
    news = EventNews(endpoint_of(tmp_path), ApiCalls("stand-in", str(tmp_path / "none")), told.append, Event())
    old = {**event(POD, "FailedScheduling", NO_NODE), "lastTimestamp": "2026-11-20T10:00:00Z"}
    news.listed(EVENTS, [old])
    assert told == []
    fresh = event(POD, "FailedScheduling", NO_NODE)
    news.changed(EVENTS, {**fresh, "lastTimestamp": None, "eventTime": fresh["lastTimestamp"]}, gone=False)
    news.changed(EVENTS, fresh, gone=False)
    news.changed(EVENTS, event(POD, "Evicted", "low on memory"), gone=True)
    assert [one.text for one in told] == ["blue: a pod finds no node: cpu is lacking on 3 of 3 nodes"]


@pytest.mark.parametrize(
    ("said", "seen_s"),
    [
        ({"lastTimestamp": "1970-01-01T00:01:00Z"}, 60.0),
        ({"lastTimestamp": None, "eventTime": "1970-01-01T00:00:30.5Z"}, 30.5),
        ({"firstTimestamp": "1970-01-01T00:00:20Z"}, 20.0),
        ({}, 0.0),
    ],
)
def test_when_an_event_was_seen_last_stands_in_one_field_or_another(said: Json, seen_s: float) -> None:
    assert last_seen_s(said) == seen_s


async def test_a_quota_that_refuses_pods_is_told_by_the_watch(
    place_of: MakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.targets.kubernetes.event_news.LATER_S", 0.0)
    place = place_of("selector", endpoint={"replicas": 2, "cpu": "200m"})
    caller = Caller(place.cluster, place.namespace)
    quota = {"metadata": {"name": "late"}, "spec": {"hard": {"requests.cpu": "300m"}}}
    assert caller.create("resourcequotas", quota).status_code == 201
    target = place.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 2)
        found = await watcher.until(lambda: [note for note in watcher.notes() if "may not be made" in note])
    assert found == ["blue: pods may not be made: quota late: requests.cpu 200m of 300m used, 200m more asked for"]
    caller.client.close()
