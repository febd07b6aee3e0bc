"""What goes wrong on demand, and who may do what."""

import httpx
import pytest

from tests.kubernetes.access import AccessRule
from tests.kubernetes.bodies import config_map
from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.faults import FaultKind


def test_too_many_requests_say_when_to_come_back(caller: Caller, cluster: Cluster) -> None:
    cluster.fault(FaultKind.BUSY, "GET", "configmaps", seconds=3, times=1)
    busy = caller.get("configmaps")
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "3")
    assert caller.get("configmaps").status_code == 200


def test_a_call_that_hangs_lands_after_its_caller_has_left(caller: Caller, cluster: Cluster) -> None:
    cluster.fault(FaultKind.HANG, "POST", "configmaps", seconds=0.4, times=1)
    version = caller.get("configmaps").json()["metadata"]["resourceVersion"]
    caller.client.timeout = httpx.Timeout(0.1)
    with pytest.raises(httpx.TimeoutException):
        caller.create("configmaps", config_map("late"))
    caller.client.timeout = httpx.Timeout(30)
    assert caller.get("configmaps", "late").status_code == 404
    assert [one["type"] for one in caller.watched("configmaps", version, fieldSelector="metadata.name=late")] == [
        "ADDED"
    ]


def test_a_lost_answer_is_of_a_write_that_was_done(caller: Caller, cluster: Cluster) -> None:
    cluster.fault(FaultKind.LOSE, "POST", "configmaps", times=1)
    with pytest.raises(httpx.TransportError):
        caller.create("configmaps", config_map("lost"))
    assert caller.get("configmaps", "lost").status_code == 200
    cluster.fault(FaultKind.DROP, "POST", "configmaps", times=1)
    with pytest.raises(httpx.TransportError):
        caller.create("configmaps", config_map("dropped"))
    assert caller.get("configmaps", "dropped").status_code == 404


def test_a_restart_keeps_what_is_stored_and_breaks_what_is_open(caller: Caller, cluster: Cluster) -> None:
    caller.create("configmaps", config_map("kept"))
    version = caller.get("configmaps").json()["metadata"]["resourceVersion"]
    with caller.client.stream(
        "GET", caller.path("configmaps"), params={"watch": "true", "resourceVersion": version}
    ) as one:
        cluster.run(cluster.refuse())
        with pytest.raises(httpx.TransportError):
            one.read()
    with pytest.raises(httpx.ConnectError):
        caller.get("configmaps")
    cluster.run(cluster.listen())
    assert caller.get("configmaps", "kept").status_code == 200


def test_a_token_that_has_run_out_is_401_and_a_denied_verb_403(caller: Caller, cluster: Cluster) -> None:
    cluster.access.user("viewer-token", "system:serviceaccount:flights:viewer", AccessRule(("get", "list"), ("pods",)))
    viewer = Caller(cluster, caller.namespace, "viewer-token")
    assert viewer.get("pods").status_code == 200
    refused = viewer.create("configmaps", config_map("notes")).json()
    assert refused["message"].startswith(
        'configmaps is forbidden: User "system:serviceaccount:flights:viewer" cannot create'
    )
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    asked = {
        "spec": {"resourceAttributes": {"namespace": caller.namespace, "verb": "patch", "resource": "deployments"}}
    }
    assert viewer.send("POST", path, asked).json()["status"] == {"allowed": False}
    assert caller.send("POST", path, asked).json()["status"] == {"allowed": True}
    cluster.access.expire("viewer-token")
    assert viewer.get("pods").json()["message"] == "Unauthorized"
    viewer.client.close()


def test_it_is_told_what_to_do_over_http_too(caller: Caller) -> None:
    told = caller.send("POST", "/stand-in/fault", {"kind": "status", "path": "configmaps", "status": 500, "times": 1})
    assert told.json()["faults"] == [{"kind": "status", "path": "configmaps", "met": 0}]
    assert [caller.get("configmaps").status_code for _ in range(2)] == [500, 200]
    unknown = caller.send("POST", "/stand-in/nothing", {})
    assert (unknown.status_code, "not one of fault" in unknown.json()["error"]) == (404, True)
