"""Pods that are real processes, and the ways to them: Services, the API server's proxy, a Gateway's routes."""

import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kubernetes.bodies import deployment, service
from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.images import PodImage
from tests.kubernetes.kinds import Json
from tests.kubernetes.waiting import pods, rolled_out, until

HEALTH = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1, "failureThreshold": 5}
GATEWAY = "gateway.networking.k8s.io"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One with images that really serve, and with the Gateway API."""
    with running() as one:
        one.gateway = True
        one.kubelet.speed = 20.0
        for name in ("blue", "green"):
            command = (sys.executable, "-m", "tests.kubernetes.toy", "8000", name)
            one.kubelet.images[f"registry.example/{name}:1"] = PodImage(command=command)
        yield one
        assert one.troubles == []


def _serve(caller: Caller, name: str, replicas: int = 1, **container: Any) -> None:
    body = deployment(name, replicas, image=f"registry.example/{name}:1")
    server = body["spec"]["template"]["spec"]["containers"][0]
    server |= {"startupProbe": {**HEALTH, "failureThreshold": 400}, "readinessProbe": HEALTH, **container}
    body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 20
    caller.apply("deployments.apps", body)
    until(lambda: rolled_out(caller, name), name, 60)


def _names(client: httpx.Client, url: str, count: int, **headers: str) -> Counter[str]:
    answers = [client.get(url, headers={"Connection": "close", **headers}) for _ in range(count)]
    return Counter(one.json()["name"] for one in answers)


def test_a_service_leads_to_what_its_selector_chooses(caller: Caller, cluster: Cluster) -> None:
    _serve(caller, "blue", 2)
    _serve(caller, "green")
    made = caller.create("services", service("late", "blue", type="NodePort")).json()
    at = until(lambda: cluster.plane.ports.get(((caller.namespace, "late"), 80)), "a port")
    assert at == made["spec"]["ports"][0]["nodePort"]
    url = cluster.service_address(caller.namespace, "late")
    with httpx.Client(trust_env=False) as client:
        until(
            lambda: len(cluster.do(lambda: cluster.plane.endpoints((caller.namespace, "late"), 80))) == 2,
            "two endpoints",
        )
        assert _names(client, url, 5) == {"blue": 5}
        caller.patch("services", "late", {"spec": {"selector": {"app": "green"}}})
        until(lambda: _names(client, url, 1) == {"green": 1}, "the slices of the new selector")
        assert _names(client, url, 5) == {"green": 5}
        proxied = caller.get("services", "late:http", "proxy/predict")
    assert proxied.json()["path"] == "/predict"
    pod = pods(caller, "green")[0]["metadata"]["name"]
    assert caller.get("pods", f"{pod}:8000", "proxy/x").json()["name"] == "green"
    assert caller.get("pods", pod, "log", tailLines=1).text == "green serves\n"


def test_a_pod_that_goes_answers_what_it_has_begun(caller: Caller, cluster: Cluster) -> None:
    _serve(caller, "blue", lifecycle={"preStop": {"sleep": {"seconds": 1}}})
    caller.create("services", service("late", "blue"))
    until(lambda: cluster.do(lambda: cluster.plane.endpoints((caller.namespace, "late"), 80)), "an endpoint")
    until(lambda: ((caller.namespace, "late"), 80) in cluster.plane.ports, "a port that is listened at")
    url = cluster.service_address(caller.namespace, "late")
    answers: list[int] = []

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            answers.append(client.get(f"{url}/slow?seconds=1.5").status_code)

    caller_thread = threading.Thread(target=ask, name="asks slowly")
    caller_thread.start()
    pod = pods(caller, "blue")[0]["metadata"]["name"]
    until(lambda: "begun" in caller.get("pods", pod, "log").text, "a request under way")
    caller.patch("deployments.apps", "blue", {"spec": {"replicas": 0}}, sub="scale")
    caller_thread.join(30)
    assert answers == [200]
    until(lambda: caller.get("pods").json()["items"] == [], "the pod gone")


def test_a_program_that_ends_is_started_again_and_told(caller: Caller, cluster: Cluster) -> None:
    _serve(caller, "blue")
    pod = pods(caller, "blue")[0]["metadata"]["name"]
    assert caller.get("pods", f"{pod}:8000", "proxy/crash").status_code == 503
    again = until(lambda: _restarted(caller, pod), "a restart", 30)
    assert again["lastState"]["terminated"]["exitCode"] == 3


def _restarted(caller: Caller, pod: str) -> Json | None:
    status: Json = caller.read("pods", pod)["status"]["containerStatuses"][0]
    return status if status["restartCount"] == 1 and status["ready"] else None


def test_what_is_not_ready_gets_no_requests(caller: Caller, cluster: Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "ready"
    gate.touch()
    _serve(caller, "blue", env=[{"name": "READY_FILE", "value": str(gate)}])
    caller.create("services", service("late", "blue"))
    key = (caller.namespace, "late")
    until(lambda: cluster.do(lambda: cluster.plane.endpoints(key, 80)), "an endpoint")
    gate.unlink()
    until(lambda: not cluster.do(lambda: cluster.plane.endpoints(key, 80)), "no endpoint")
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.TransportError):
        client.get(cluster.service_address(*key))


def test_a_route_splits_by_weight_and_copies(caller: Caller, cluster: Cluster) -> None:
    for name in ("blue", "green"):
        _serve(caller, name)
        caller.create("services", service(name, name))
    gateway = {"metadata": {"name": "front"}, "spec": {"listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}
    caller.create(f"gateways.{GATEWAY}", gateway)
    backends = [{"name": "blue", "port": 80, "weight": 50}, {"name": "green", "port": 80, "weight": 50}]
    canary = {"matches": [{"headers": [{"name": "x-slot", "value": "green"}]}], "backendRefs": [backends[1]]}
    spec = {"parentRefs": [{"name": "front"}], "rules": [canary, {"backendRefs": backends}]}
    caller.apply(f"httproutes.{GATEWAY}", {"metadata": {"name": "late"}, "spec": spec})
    until(lambda: cluster.plane.gateways.get((caller.namespace, "front")), "the gateway")
    for name in ("blue", "green"):
        until(lambda name=name: cluster.do(lambda: cluster.plane.endpoints((caller.namespace, name), 80)), name)  # type: ignore[misc]
    url = cluster.gateway_address(caller.namespace, "front")
    with httpx.Client(trust_env=False) as client:
        assert set(_names(client, url, 40)) == {"blue", "green"}
        assert _names(client, url, 5, **{"x-slot": "green"}) == {"green": 5}
        change = [{"op": "replace", "path": "/spec/rules/1/backendRefs/1/weight", "value": 0}]
        caller.patch(f"httproutes.{GATEWAY}", "late", change, "application/json-patch+json")
        assert _names(client, url, 10) == {"blue": 10}


def test_the_gateway_api_may_be_missing(caller: Caller, cluster: Cluster) -> None:
    cluster.gateway = False
    try:
        assert caller.send("GET", f"/apis/{GATEWAY}/v1").status_code == 404
        assert caller.get(f"httproutes.{GATEWAY}").status_code == 404
    finally:
        cluster.gateway = True


def test_a_balancer_at_a_taken_port_is_a_trouble_of_the_test() -> None:
    """Its callers would come to whoever listens there."""
    with running() as one, socket.socket() as taken:
        one.plane.balancers = True
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        body = service("late", "blue", type="LoadBalancer")
        body["spec"]["ports"][0]["port"] = port
        caller = Caller(one, "default")
        caller.create("services", body)
        until(lambda: one.troubles, "a trouble")
        caller.client.close()
        assert "address already in use" in str(one.troubles)
