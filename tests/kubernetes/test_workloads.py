"""Deployments down to pods: rollouts, what goes wrong with them, and what goes with them."""

from decimal import Decimal

from tests.kubernetes.bodies import deployment, service
from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.registry import STRATEGIC_PATCH
from tests.kubernetes.waiting import condition, pods, reasons, rolled_out, until


def test_a_changed_template_rolls_out_as_a_new_set(caller: Caller) -> None:
    caller.apply("deployments.apps", deployment("late", 3))
    until(lambda: rolled_out(caller, "late"), "three pods")
    changed = {
        "spec": {"template": {"spec": {"containers": [{"name": "server", "env": [{"name": "A", "value": "1"}]}]}}}
    }
    caller.patch("deployments.apps", "late", changed, STRATEGIC_PATCH)
    done = until(lambda: rolled_out(caller, "late"), "the change rolled out")
    revision = "deployment.kubernetes.io/revision"
    sets = caller.get("replicasets.apps").json()["items"]
    assert {one["metadata"]["annotations"][revision]: one["spec"]["replicas"] for one in sets} == {"1": 0, "2": 3}
    assert done["metadata"]["annotations"][revision] == "2"
    assert condition(done, "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert {"ScalingReplicaSet", "SuccessfulCreate", "SuccessfulDelete", "Scheduled", "Started"} <= reasons(caller)


def test_a_rollout_never_has_fewer_ready_pods_than_it_may(caller: Caller) -> None:
    body = deployment("late", 4)
    body["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    caller.apply("deployments.apps", body)
    until(lambda: rolled_out(caller, "late"), "four pods")
    version = caller.get("deployments.apps").json()["metadata"]["resourceVersion"]
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    caller.apply("deployments.apps", body)
    until(lambda: rolled_out(caller, "late"), "the change rolled out")
    seen = [one["object"]["status"] for one in caller.watched("deployments.apps", version)]
    assert min(one.get("availableReplicas", 0) for one in seen) == 4
    assert max(one.get("replicas", 0) for one in seen) == 5


def test_an_image_that_is_not_there_is_told_and_times_out(caller: Caller, cluster: Cluster) -> None:
    body = deployment("late", 1, image="registry.example/missing:1")
    body["spec"]["progressDeadlineSeconds"] = 1
    caller.apply("deployments.apps", body)
    waiting = ("ErrImagePull", "ImagePullBackOff")
    until(lambda: _waits(caller, "late") in waiting, "a pod that waits for its image")
    stuck = until(
        lambda: condition(one := caller.read("deployments.apps", "late"), "Progressing")["status"] == "False" and one,
        "stuck",
    )
    assert condition(stuck, "Progressing")["reason"] == "ProgressDeadlineExceeded"
    assert {"Pulling", "Failed"} <= reasons(caller)
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/late:2"
    caller.apply("deployments.apps", body)
    until(lambda: rolled_out(caller, "late"), "the image corrected")


def _waits(caller: Caller, app: str) -> str:
    found = pods(caller, app)
    states = [one["state"] for pod in found for one in pod["status"].get("containerStatuses", ())]
    return states[0].get("waiting", {}).get("reason", "") if states else ""


def test_a_pod_that_fits_nowhere_is_told_and_scheduled_once_there_is_room(caller: Caller, cluster: Cluster) -> None:
    caller.apply("deployments.apps", deployment("late", 1, cpu="9"))
    pod = until(lambda: [one for one in pods(caller, "late") if condition(one, "PodScheduled")], "PodScheduled")[0]
    told = condition(pod, "PodScheduled")
    assert (told["status"], told["reason"]) == ("False", "Unschedulable")
    assert told["message"].startswith("0/3 nodes are available: 3 Insufficient cpu.")
    assert reasons(caller, fieldSelector="reason=FailedScheduling") == {"FailedScheduling"}
    node = caller.read("nodes", "node-1")
    room = {**node["status"]["allocatable"], "cpu": "16"}
    caller.patch("nodes", "node-1", {"status": {"allocatable": room}}, sub="status")
    until(lambda: rolled_out(caller, "late"), "a pod on the larger node")
    caller.patch("nodes", "node-1", {"status": node["status"]}, sub="status")


def test_a_quota_forbids_and_the_deployment_says_so(caller: Caller) -> None:
    quota = {"metadata": {"name": "late"}, "spec": {"hard": {"requests.cpu": "100m"}}}
    caller.create("resourcequotas", quota)
    caller.apply("deployments.apps", deployment("late", 3))
    failed = until(
        lambda: condition(one := caller.read("deployments.apps", "late"), "ReplicaFailure") and one, "ReplicaFailure"
    )
    message = condition(failed, "ReplicaFailure")["message"]
    assert (
        "exceeded quota: late, requested: requests.cpu=50m, used: requests.cpu=100m, limited: requests.cpu=100m"
        in message
    )
    until(lambda: len(pods(caller, "late")) == 2, "two pods")
    used = caller.read("resourcequotas", "late")["status"]["used"]
    assert Decimal(used["requests.cpu"].removesuffix("m")) == 100
    caller.patch("resourcequotas", "late", {"spec": {"hard": {"requests.cpu": "1"}}})
    until(lambda: rolled_out(caller, "late"), "the third pod after the back-off")


def test_a_foreground_delete_ends_with_the_owner_and_a_background_one_begins_with_it(caller: Caller) -> None:
    for name in ("blue", "green"):
        caller.apply("deployments.apps", deployment(name))
        until(lambda name=name: rolled_out(caller, name), name)  # type: ignore[misc]
    version = caller.get("deployments.apps").json()["metadata"]["resourceVersion"]
    caller.delete("deployments.apps", "blue", propagationPolicy="Foreground")
    until(lambda: caller.get("deployments.apps", "blue").status_code == 404, "blue gone")
    assert caller.get("pods", labelSelector="app=blue").json()["items"] == []
    events = caller.watched("deployments.apps", version, fieldSelector="metadata.name=blue")
    assert events[0]["object"]["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert events[-1]["type"] == "DELETED"
    caller.delete("deployments.apps", "green", propagationPolicy="Background")
    assert caller.get("deployments.apps", "green").status_code == 404
    until(lambda: caller.get("pods").json()["items"] == [], "green's pods gone")


def test_a_namespace_takes_all_with_it(caller: Caller) -> None:
    caller.apply("deployments.apps", deployment("late"))
    until(lambda: rolled_out(caller, "late"), "one pod")
    path = f"/api/v1/namespaces/{caller.namespace}"
    caller.send("DELETE", path)
    refused = caller.create("services", service("late", "late")).json()
    assert (refused["code"], refused["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    until(lambda: caller.send("GET", path).status_code == 404, "the namespace gone")


def test_hundreds_of_pods_that_pretend_become_ready(cluster: Cluster, caller: Caller) -> None:
    caller.apply("deployments.apps", deployment("late", 300, cpu="1m"))
    until(lambda: rolled_out(caller, "late"), "three hundred pods", 60)
    caller.create("services", service("late", "late"))
    slices = "endpointslices.discovery.k8s.io"
    until(lambda: len(caller.get(slices).json()["items"]) == 3, "three slices")
    caller.delete("deployments.apps", "late")
    until(lambda: caller.get("pods", limit=1).json()["items"] == [], "none left", 60)
