"""What an API server had of a slot, by what was in its way: recorded from a real one (v1.36), cut to what is read."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.config.scaling import AutoscalingSettings
from core.config.serving import EndpointSettings
from core.domain.model import Reading, Scaled
from core.domain.obstacles import Cause, Obstacle
from core.scaling.facts import ScalingFacts
from core.scaling.reasons import explain
from core.targets.kubernetes.labels import ClusterEndpoint, marks
from core.targets.kubernetes.looks import alike, looks
from core.targets.kubernetes.manifests import BOUNDS
from core.targets.kubernetes.scaling import SlotObjects, look_of
from core.targets.kubernetes.scaling_messages import image_trouble, lacking, quota_trouble, unmeasured
from core.targets.kubernetes.settings import KubernetesSettings
from core.targets.kubernetes.watching import ClusterView

SCENES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parents[2] / "data/kubernetes/scaling.json").read_text())
WITHIN = "as many were asked for within the last 5 min"
FULL = "quota late: requests.cpu 400m of 500m used, 200m more asked for"


def objects(scene: str, **other: Any) -> SlotObjects:
    """A scene, with other objects in places."""
    found = {**copy.deepcopy(SCENES[scene]), **other}
    name = SCENES[scene]["deployment"]["metadata"]["name"]
    return SlotObjects(slot="blue", name=name, **found)


def causes(look: Scaled) -> list[Cause]:
    return [one.cause for one in look.obstacles]


def said(look: Scaled) -> list[str]:
    """What is said of a slot whose pods are as many as wanted."""
    return [reason.text for reason in explain(ScalingFacts("blue", look.after, look.after, look=look))]


@pytest.mark.parametrize("scene", ["at rest", "going up", "as asked for", "down in part", "metrics API back"])
def test_where_all_is_as_the_metrics_ask_for_nothing_is_named(scene: str) -> None:
    look = look_of(objects(scene), 100.0)
    assert (look.obstacles, said(look)) == ((), [])


@pytest.mark.parametrize(
    ("scene", "cause", "text"),
    [
        (
            "faster than allowed",
            Cause.POLICY,
            "cpu 327 % of 60 % asks for 22 replicas, and one step goes from 4 to 8 at most",
        ),
        ("to the maximum", Cause.MAXIMUM, "cpu 165 % of 60 % asks for 22 replicas, the maximum is 15"),
        ("at the maximum", Cause.MAXIMUM, "cpu 86 % of 60 % asks for 22 replicas, the maximum is 15"),
        # The autoscaler also says that it is stabilised, and nothing lower is asked for.
        ("above the maximum as measured", Cause.MAXIMUM, "cpu 86 % of 60 % asks for 22 replicas, the maximum is 15"),
        # It still says that it is limited by the maximum, and that is no longer so.
        (
            "stabilised",
            Cause.WINDOW,
            f"cpu 29 % of 60 % asks for 8 replicas, and 15 stay for up to 5 min more: {WITHIN}",
        ),
        ("no metrics API", Cause.METRICS_ABSENT, "the cluster has no metrics API, so nobody measures cpu"),
        ("metrics API dead", Cause.METRICS_DEAD, "the cluster's metrics API does not answer, so nobody measures cpu"),
        (
            "no cpu request",
            Cause.NO_REQUEST,
            "container server has no cpu request: its use can't be told in percent of that, so nothing scales",
        ),
        # Seen in the pods before the autoscaler finds it.
        (
            "not measured yet",
            Cause.NO_REQUEST,
            "container server has no cpu request: its use can't be told in percent of that, so nothing scales",
        ),
        (
            "quota",
            Cause.QUOTA,
            f"2 pods of 4 may not be made: {FULL}",
        ),
        (
            "quota raised",
            Cause.QUOTA,
            f"2 pods of 4 may not be made: {FULL}; requests.cpu is 2 now",
        ),
        ("unschedulable", Cause.UNSCHEDULABLE, "1 pod of 1 found no node: cpu is lacking on 3 of 3 nodes"),
        (
            "image",
            Cause.IMAGE,
            "2 pods of 2 can't start, for the image can't be pulled: registry.example/missing:1: not found",
        ),
    ],
)  # fmt: skip
def test_what_is_in_the_way_is_named_with_its_figures(scene: str, cause: Cause, text: str) -> None:
    look = look_of(objects(scene), 100.0)
    assert [one for one in causes(look) if one is not Cause.UNSCALED] == [cause]
    assert said(look)[0] == text


def test_a_look_has_the_figures_of_the_autoscaler() -> None:
    look = look_of(objects("faster than allowed"), 100.0)
    assert (look.slot, look.at, look.before, look.after, look.min, look.max) == ("blue", 100.0, 4, 8, 2, 15)
    assert (look.readings, look.proposed) == ((Reading("cpu", 327.0, 60.0),), 22)
    assert look.reason == "cpu 327 % of 60 %: no faster than its policy"


def test_where_metrics_fail_no_desired_replicas_are_not_a_wish_for_none() -> None:
    look = look_of(objects("no metrics API"), 100.0)
    assert SCENES["no metrics API"]["autoscaler"]["status"]["desiredReplicas"] == 0
    assert (look.before, look.after, look.proposed) == (2, 2, None)
    assert look.readings == (Reading("cpu", None, 60.0),)
    assert look.reason == "the cluster has no metrics API"


def test_what_is_left_of_a_window_is_known_to_who_saw_it_begin() -> None:
    # Seen last a while ago, for it had stayed as it was: the autoscaler looked again meanwhile.
    before = look_of(objects("at the maximum"), 10.0)
    first = look_of(objects("stabilised"), 115.0, before)
    assert first.obstacles == (Obstacle(Cause.WINDOW, "", 285.0, 300.0),)
    later = look_of(objects("stabilised later"), 145.0, first)
    assert later.obstacles == (Obstacle(Cause.WINDOW, "", 255.0, 300.0),)
    assert "15 stay for 255 s more" in said(later)[0]
    # Who came later does not know.
    assert look_of(objects("stabilised later"), 145.0, look_of(objects("stabilised"), 115.0)).obstacles == (
        Obstacle(Cause.WINDOW, "", None, 300.0),
    )


def test_a_window_of_another_length_is_read() -> None:
    seen = objects("stabilised")
    assert seen.autoscaler is not None
    seen.autoscaler["spec"]["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    assert look_of(seen, 1.0).obstacles == (Obstacle(Cause.WINDOW, "", None, 60.0),)


def test_an_autoscaler_that_a_release_holds_says_by_whom() -> None:
    seen = objects("as asked for", held_by="late-7")
    assert seen.autoscaler is not None
    assert causes(look_of(seen, 1.0)) == []
    seen.autoscaler["spec"].update(minReplicas=4, maxReplicas=4)
    look = look_of(seen, 1.0)
    assert said(look) == ["late-7 holds it at 4 while traffic moves"]
    alone = look_of(replace(seen, held_by=""), 1.0)
    assert said(alone) == ["minimum and maximum are both 4: no metric can change that"]


def test_a_hold_below_the_maximum_is_no_maximum_to_raise() -> None:
    seen = objects("at the maximum", held_by="late-7", most=20)
    assert seen.autoscaler is not None
    seen.autoscaler["spec"].update(minReplicas=15, maxReplicas=15)
    look = look_of(seen, 1.0)
    assert said(look) == ["late-7 holds it at 15 while traffic moves"]
    assert look.reason == "cpu 86 % of 60 %: held while traffic moves"
    assert Cause.MAXIMUM in causes(look_of(replace(seen, most=15), 1.0)), "held where it would stop anyway"


def test_an_autoscaler_whose_deployment_is_gone_or_is_another() -> None:
    gone = look_of(objects("as asked for", deployment=None), 1.0)
    assert said(gone) == ["Deployment late-blue is not there: its autoscaler has nothing to scale"]
    seen = objects("as asked for")
    assert seen.autoscaler is not None
    seen.autoscaler["spec"]["scaleTargetRef"]["name"] = "other"
    assert said(look_of(seen, 1.0)) == ["its autoscaler scales Deployment other, not this slot"]


def test_a_slot_without_an_autoscaler_says_so_calmly() -> None:
    (reason,) = explain(ScalingFacts("blue", 4, 4, look=look_of(objects("as asked for", autoscaler=None), 1.0)))
    assert (reason.calm, reason.text) == (True, "no autoscaler looks after it: it stays at 4")


def test_a_quota_that_only_an_event_tells_of_is_found_and_pods_that_go_do_not_count() -> None:
    seen = objects("quota")
    assert seen.deployment is not None
    seen.deployment["status"]["conditions"] = []
    assert Cause.QUOTA in causes(look_of(seen, 1.0))
    assert Cause.QUOTA not in causes(look_of(replace(seen, events=()), 1.0))
    full = look_of(replace(seen, pods=[{"metadata": {"name": f"p{n}"}} for n in range(4)]), 1.0)
    assert Cause.QUOTA not in causes(full)
    going = [{"metadata": {"name": f"p{n}", "deletionTimestamp": "2026-11-21T09:00:00Z"}} for n in range(4)]
    assert Cause.QUOTA in causes(look_of(replace(seen, pods=going), 1.0))


def test_a_cluster_that_has_told_nothing_yet_breaks_nothing() -> None:
    bare = SlotObjects("blue", "late-blue", {"spec": {"scaleTargetRef": {"name": "late-blue"}, "maxReplicas": 3}}, {})
    look = look_of(bare, 1.0)
    assert (look.before, look.after, look.min, look.max, look.obstacles) == (1, 1, 1, 3, ())
    assert look.reason == "it has not looked yet"


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("0/3 nodes are available: 3 Insufficient cpu. no new claims", "cpu is lacking on 3 of 3 nodes"),
        (
            "0/5 nodes are available: 2 Insufficient memory, 3 node(s) had untolerated taint {gpu: }. preemption: x",
            "memory is lacking on 2 of 5 nodes, 3 node(s) had untolerated taint {gpu: }",
        ),
        ("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.", "nvidia.com/gpu is lacking on 1 of 1 nodes"),
        ("no nodes\navailable", "no nodes available"),
        ("", "the scheduler does not say why"),
    ],
)
def test_the_scheduler_is_read(message: str, what: str) -> None:
    assert lacking(message) == what


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        (
            "ErrImagePull",
            'failed to pull image "r/x:1": unexpected status: 401 Unauthorized',
            "r/x:1: 401 Unauthorized",
        ),
        ("ImagePullBackOff", 'Back-off pulling image "r/x:1"', "r/x:1: ImagePullBackOff"),
        ("InvalidImageName", "", "r/x:1: InvalidImageName"),
        ("ContainerCreating", "", ""),
        ("CrashLoopBackOff", "back-off 10s restarting failed container", ""),
    ],
)
def test_the_kubelet_is_read(reason: str, message: str, said: str) -> None:
    assert image_trouble("r/x:1", reason, message) == said


def test_other_refusals_of_a_pod_are_no_quota_and_one_without_figures_is_told_as_it_stands() -> None:
    assert quota_trouble('pods "x" is forbidden: violates PodSecurity "restricted:latest"', {}) == ""
    missing = 'pods "x" is forbidden: failed quota: late: must specify requests.cpu for: server'
    assert quota_trouble(missing, {}) == "quota: late: must specify requests.cpu for: server"
    two = "requested: pods=1,requests.cpu=1, used: pods=3,requests.cpu=3, limited: pods=3,requests.cpu=3"
    said = quota_trouble(f"exceeded quota: late, {two}", {"late": {"pods": "3", "requests.cpu": "4"}})
    used = "pods 3 of 3 used, 1 more asked for; requests.cpu 3 of 3 used, 1 more asked for"
    assert said == f"quota late: {used}; requests.cpu is 4 now"


@pytest.mark.parametrize(
    ("reason", "message", "obstacle"),
    [
        ("ScalingDisabled", "scaling is disabled since the replica count of the target is zero", Obstacle(Cause.ZERO)),
        (
            "FailedGetResourceMetric",
            "failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)",
            Obstacle(Cause.NO_FIGURE, "cpu"),
        ),
        ("FailedGetResourceMetric", "something new", Obstacle(Cause.NO_FIGURE, "metric")),
    ],
)
def test_an_autoscaler_without_figures_is_read(reason: str, message: str, obstacle: Obstacle) -> None:
    assert unmeasured(reason, message) == obstacle


# As a watch has them

AT = ClusterEndpoint(
    "late",
    "late",
    EndpointSettings(name="late", autoscaling=AutoscalingSettings(min=2, max=15, cpu=60.0)),
    KubernetesSettings(context="c", namespace="n"),
)


def watched(scene: str, **bounds: int) -> ClusterView:
    """The Deployment and the autoscaler of a scene, marked as ours, and one of somebody else's."""
    found = copy.deepcopy(SCENES[scene])
    theirs = {"metadata": {"name": "other"}, "spec": {"scaleTargetRef": {"name": "other"}, "maxReplicas": 3}}
    for body in (found["autoscaler"], found["deployment"]):
        body["metadata"]["labels"] = marks(AT, "blue")
    found["autoscaler"]["spec"].update(bounds)
    scalers = {
        ("horizontalpodautoscalers", "late-blue"): found["autoscaler"],
        ("horizontalpodautoscalers", "o"): theirs,
    }
    return ClusterView({**scalers, ("deployments", "late-blue"): found["deployment"]})


def test_our_autoscalers_are_looked_at_and_nobody_elses() -> None:
    found = looks(AT, watched("to the maximum"), 100.0)
    assert found.keys() == {"blue"}
    assert causes(found["blue"]) == [Cause.MAXIMUM]


def test_a_look_that_says_nothing_new_is_known_as_one() -> None:
    first = looks(AT, watched("stabilised"), 100.0, looks(AT, watched("at the maximum"), 85.0))
    again = looks(AT, watched("stabilised"), 110.0, first)
    assert [one.obstacles[0].have for one in (first["blue"], again["blue"])] == [285.0, 275.0]
    assert alike(first["blue"], again["blue"])
    assert not alike(first["blue"], looks(AT, watched("stabilised later"), 110.0, first)["blue"])
    assert not alike(None, first["blue"])


def test_an_autoscaler_is_held_by_a_release_where_its_bounds_are_kept_beside_it() -> None:
    for scene, count in (("at the maximum", 14), ("as asked for", 4)):
        view = watched(scene, minReplicas=count, maxReplicas=count)
        # Somebody else has narrowed them.
        assert not any("a release holds it" in line for line in said(looks(AT, view, 100.0)["blue"]))
        view.objects["horizontalpodautoscalers", "late-blue"]["metadata"]["annotations"] = {BOUNDS: "2 15"}
        assert said(looks(AT, view, 100.0)["blue"]) == [f"a release holds it at {count} while traffic moves"]
