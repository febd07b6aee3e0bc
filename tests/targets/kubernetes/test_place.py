"""What a target touches and what not: objects of others, rights, images, logs, the way in, status and the end of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace

import httpx
import pytest

from core.domain.errors import BadInput, Refused
from core.domain.model import ReplicaState
from core.targets.kubernetes import rights
from core.targets.kubernetes.api_errors import ApiConflict
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.client import KubernetesTarget
from core.targets.kubernetes.costs import costs_of
from core.targets.kubernetes.paths import AUTOSCALERS, BUDGETS, DEPLOYMENTS, LEASES, SECRETS, SERVICES
from core.targets.kubernetes.settings import Traffic
from core.targets.kubernetes.standing import looked_at, slots_in, taken_down
from core.targets.protocol import Address
from tests.kubernetes import bodies
from tests.kubernetes.access import AccessRule
from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import MISSING
from tests.targets.helpers import ONE, TWO, two_slots, watching
from tests.targets.kubernetes.conftest import MakePlace
from tests.targets.kubernetes.places import IMAGE, ClusterPlace

SCALING = {"replicas": 1, "autoscaling": {"min": 1, "max": 4, "cpu": 60}}


def _caller(place: ClusterPlace) -> Caller:
    return Caller(place.cluster, place.namespace)


async def test_what_is_somebody_elses_is_left_alone(place_of: MakePlace) -> None:
    place = place_of("selector")
    caller = _caller(place)
    caller.apply("deployments.apps", bodies.deployment("late-blue", 1), manager="kubectl")
    with pytest.raises(
        Refused, match=r"deployments/late-blue in flights-\d+ is not Quarterdeck's, and was left as it is"
    ):
        await place.target().apply("blue", ONE, 1)
    caller.create("services", bodies.service("late", "late"))
    with pytest.raises(Refused, match="services/late"):
        await place.target().apply("green", ONE, 1)
    assert caller.read("deployments.apps", "late-blue")["spec"]["replicas"] == 1
    caller.client.close()


async def test_a_field_that_somebody_holds_is_not_taken(place_of: MakePlace) -> None:
    place = place_of("selector")
    target = place.target()
    await target.apply("blue", ONE, 0)
    caller = _caller(place)
    found = caller.read("deployments.apps", "late-blue")
    container = {**found["spec"]["template"]["spec"]["containers"][0], "image": "registry.example/mine:1"}
    change = {"spec": {"template": {"spec": {"containers": [container]}}}}
    caller.patch("deployments.apps", "late-blue", change, fieldManager="kubectl-edit")
    with pytest.raises(ApiConflict, match=r"kubectl-edit holds .*image.*; it was left as it is"):
        await target.apply("blue", TWO, 0)
    caller.client.close()


@pytest.mark.parametrize(
    ("traffic", "endpoint"), [("replicas", SCALING), ("selector", {"replicas": 1}), ("gateway", {"replicas": 1})]
)
async def test_the_role_that_doctor_tells_is_enough_for_all_of_it(
    place_of: MakePlace, pods_cluster: Cluster, traffic: Traffic, endpoint: Mapping[str, object]
) -> None:
    place = place_of(traffic, endpoint=dict(endpoint), disruption_budget=traffic == "replicas")
    rules = [AccessRule(tuple(one.verbs), (one.resource,), place.namespace) for one in rights.needs(place.at)]
    rules += [AccessRule(("get",), ("gateways",), place.namespace)] if traffic == "gateway" else []
    pods_cluster.access.user(f"token-{place.namespace}", "releaser", *rules)
    folder = place.folder / "releaser"
    folder.mkdir()
    kubeconfig = str(pods_cluster.kubeconfig(folder, token=f"token-{place.namespace}"))
    target = KubernetesTarget(place.at, place.folder, 1, kubeconfig=kubeconfig)
    place.made.append(target)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.route({"green": 100})
        await watcher.weight("green", 100)
        await target.scale("green", 2)
        await watcher.ready("green", 2)
        await target.remove("blue")
        await watcher.gone("blue")
        assert not [note for note in watcher.notes() if "may not" in note]
    calls = ApiCalls("stand-in", kubeconfig)
    assert [one.slot for one in slots_in(place.at, looked_at(place.at, calls))] == ["green"]
    assert taken_down(place.at, calls)
    assert not taken_down(place.at, calls)
    calls.close()


async def test_an_image_that_is_not_there_is_the_replicas_why(place_of: MakePlace, pods_cluster: Cluster) -> None:
    image = f"registry.example/none@sha256:{'1' * 64}"
    pods_cluster.kubelet.images[image] = MISSING
    target = place_of("selector", image=image).target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        seen = await watcher.until(
            lambda: next((one for one in watcher.slots.values() if one.replicas and one.replicas[0].why), None)
        )
        assert seen.replicas[0].state is ReplicaState.BACKOFF
        assert seen.replicas[0].why.startswith("image can't be pulled: ")
    with pytest.raises(BadInput, match="none of v1 was pushed from here"):
        await place_of("selector", image=None).target().apply("blue", ONE, 1)


async def test_a_slot_that_holds_a_version_keeps_its_image(place_of: MakePlace) -> None:
    place = place_of("selector")
    await place.target().apply("blue", ONE, 0)
    other = place_of("selector", image=IMAGE.replace("0", "9"))
    object.__setattr__(other.at.place, "namespace", place.namespace)
    await other.target().apply("green", ONE, 0)
    await other.target().apply("blue", ONE, 1)
    caller = _caller(place)
    for name in ("late-blue", "late-green"):
        pod = caller.read("deployments.apps", name)["spec"]["template"]["spec"]
        assert pod["containers"][0]["image"] == IMAGE
    caller.client.close()


async def test_what_pods_write_is_read_and_then_followed(place_of: MakePlace) -> None:
    target = place_of("selector").target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        lines = target.logs("blue")
        assert await anext(lines) == "v1 serves"
        await target.scale("blue", 2)
        assert await anext(lines) == "v1 serves"
        await lines.aclose()  # type: ignore[attr-defined]


async def test_a_slot_is_reached_through_the_api_server_by_who_has_its_address(place_of: MakePlace) -> None:
    place = place_of("selector")
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        everybody, green = await target.address(), await target.address("green")
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:

            async def ask(address: Address, **headers: str) -> httpx.Response:
                return await client.post(f"{address.url}/predict", json={}, headers={**address.headers, **headers})

            assert (await ask(everybody)).json() == {"version": "1", "path": "/predict"}
            assert (await ask(green)).headers["x-model-version"] == "2"
            stranger = dict.fromkeys(green.headers, "green.guessed")
            assert (await ask(Address(green.url, stranger))).status_code == 404
            assert (await ask(await target.address("red"))).status_code == 503
            too_large = await client.post(f"{green.url}/predict", content=b"x" * (17 * 2**20), headers=green.headers)
            assert too_large.status_code == 413
    await target.close()


async def test_an_address_is_waited_for_with_the_reason(place_of: MakePlace, pods_cluster: Cluster) -> None:
    place = place_of("selector", service={"type": "LoadBalancer", "port": 18000})
    target = place.target()
    with pytest.raises(Refused, match="has no address yet; deploy a model first"):
        await target.address()
    await target.apply("blue", ONE, 0)
    with pytest.raises(Refused, match="the cluster's load balancer has given it none so far"):
        await target.address()
    caller = _caller(place)
    status = {"status": {"loadBalancer": {"ingress": [{"hostname": "late.example.com"}]}}}
    caller.patch("services", "late", status, sub="status")
    assert (await target.address()).url == "http://late.example.com:18000"
    caller.client.close()


async def test_the_end_takes_what_is_ours_and_no_more(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint={**SCALING, "key_env": "LATE_KEY"})
    target = KubernetesTarget(place.at, place.folder, 0, key="s3cret", kubeconfig=place.kubeconfig)
    place.made.append(target)
    caller = _caller(place)
    caller.create("services", bodies.service("theirs", "theirs"))
    caller.create("configmaps", bodies.config_map("late"))
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
    calls = ApiCalls("stand-in", place.kubeconfig)
    (cost,) = costs_of(place.at, looked_at(place.at, calls))
    assert re.fullmatch(r"2 pods of 500m CPU and 256Mi each on \d nodes? \(node-.*\)", cost)
    assert taken_down(place.at, calls)
    for kind in (DEPLOYMENTS, AUTOSCALERS, BUDGETS, LEASES, SECRETS):
        group = kind.root.split("/")[1] if kind.root.startswith("apis/") else ""
        assert caller.get(f"{kind.plural}.{group}" if group else kind.plural).json()["items"] == []
    left = caller.get(SERVICES.plural).json()["items"]
    assert [one["metadata"]["name"] for one in left] == ["theirs"]
    assert caller.get("configmaps", "late").status_code == 200
    calls.close()
    caller.client.close()


async def test_the_end_takes_what_the_settings_no_longer_mean_too(place_of: MakePlace) -> None:
    """An autoscaler and a budget from before they were switched off would be left with nothing to look after."""
    place = place_of("selector", endpoint=SCALING)
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
    endpoint = place.at.endpoint.model_copy(update={"autoscaling": None})
    now = replace(place.at, endpoint=endpoint, place=place.at.place.model_copy(update={"disruption_budget": False}))
    caller = _caller(place)
    assert len(caller.get("horizontalpodautoscalers.autoscaling").json()["items"]) == 2
    assert taken_down(now, place.calls)
    for plural in ("horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy"):
        assert caller.get(plural).json()["items"] == []
    caller.client.close()


async def test_the_callers_key_goes_into_a_secret_and_nowhere_else(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint={"replicas": 1, "key_env": "LATE_KEY"})
    target = KubernetesTarget(place.at, place.folder, 0, key="s3cret", kubeconfig=place.kubeconfig)
    place.made.append(target)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        assert (await target.address("blue")).key == "s3cret"
        assert "s3cret" not in repr(watcher.reports)
    caller = _caller(place)
    for plural in ("deployments.apps", "pods", "services"):
        assert "s3cret" not in json.dumps(caller.get(plural).json())
    caller.client.close()
