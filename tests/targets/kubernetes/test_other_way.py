"""`kubernetes.traffic` changed while something serves: said by all who look, and nothing moves by the wrong object."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import Refused
from core.targets.kubernetes import kind
from core.targets.kubernetes.client import KubernetesTarget
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.settings import GatewaySettings, Traffic
from tests.kubernetes.access import AccessRule
from tests.targets.helpers import ONE, TWO, watching
from tests.targets.kubernetes.conftest import MakePlace
from tests.targets.kubernetes.places import ClusterPlace

SERVICE = (
    "kubernetes.traffic is gateway, and the traffic of late goes by a Service, as before that was changed; "
    "set it back to replicas or selector, or call 'quarterdeck down --env ENVIRONMENT' first"
)
ROUTE = (
    "kubernetes.traffic is replicas, and the traffic of late goes by the HTTPRoute of a gateway, as before that was "
    "changed; set it back to gateway, or call 'quarterdeck down --env ENVIRONMENT' first"
)

Changed = Callable[[Traffic, Traffic], Awaitable[tuple[ClusterPlace, KubernetesTarget]]]


def _changed(at: ClusterEndpoint, traffic: Traffic) -> ClusterEndpoint:
    """The endpoint as settings with another `traffic` have it."""
    gateway = GatewaySettings(name="front", namespace=at.place.namespace)
    return replace(at, place=at.place.model_copy(update={"traffic": traffic, "gateway": gateway}))


async def _serving(place: ClusterPlace) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await target.route({"blue": 100})
        await watcher.weight("blue", 100)


@pytest.fixture
async def changed_target(place_of: MakePlace, tmp_path: Path) -> AsyncIterator[Changed]:
    """Makes a target whose settings have another `traffic` than what serves."""
    made: list[KubernetesTarget] = []

    async def one(before: Traffic, after: Traffic) -> tuple[ClusterPlace, KubernetesTarget]:
        place = place_of(before)
        await _serving(place)
        made.append(KubernetesTarget(_changed(place.at, after), tmp_path, 2, kubeconfig=place.kubeconfig))
        return place, made[-1]

    yield one
    for target in made:
        await target.close()


@pytest.mark.parametrize(("before", "after", "why"), [("selector", "gateway", SERVICE), ("gateway", "replicas", ROUTE)])
async def test_what_goes_by_another_object_is_said_and_left(
    changed_target: Changed, before: Traffic, after: Traffic, why: str
) -> None:
    place, target = await changed_target(before, after)
    with pytest.raises(Refused) as deployed:
        await target.apply("green", TWO, 1)
    with pytest.raises(Refused) as moved:
        await target.route({"blue": 100})
    with pytest.raises(Refused) as watched:
        async for _ in target.watch():
            pass
    assert {str(one.value) for one in (deployed, moved, watched)} == {why}
    # What serves goes on as it is, and who sets it back has it.
    async with watching(place.target(3)) as watcher:
        await watcher.weight("blue", 100)
        assert "green" not in watcher.slots


@pytest.mark.parametrize(("before", "after"), [("selector", "replicas"), ("replicas", "selector")])
async def test_ways_that_go_by_the_same_object_may_be_changed(
    changed_target: Changed, before: Traffic, after: Traffic
) -> None:
    _, target = await changed_target(before, after)
    async with watching(target) as watcher:
        await watcher.weight("blue", 100)


@pytest.mark.parametrize(("before", "after", "why"), [("selector", "gateway", SERVICE), ("gateway", "replicas", ROUTE)])
async def test_a_plan_knows_what_serves_and_why_no_release_begins(
    place_of: MakePlace, monkeypatch: pytest.MonkeyPatch, before: Traffic, after: Traffic, why: str
) -> None:
    place = place_of(before)
    await _serving(place)
    monkeypatch.setenv("KUBECONFIG", place.kubeconfig)
    stands = kind._standing(_changed(place.at, after), place.folder, "")
    assert stands is not None
    assert [(one.slot, one.version, one.weight) for one in stands.slots] == [("blue", ONE, 100.0)]
    assert stands.refuses == why
    assert f"settings {why}" in stands.lines
    assert stands.lines[0].endswith("traffic by a Service" if before == "selector" else "by the HTTPRoute of a gateway")
    as_meant = kind._standing(place.at, place.folder, "")
    assert as_meant is not None
    assert as_meant.refuses == ""


async def test_who_may_not_look_at_routes_is_told_nothing_of_them(
    place_of: MakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of("selector")
    await place.target(1).apply("blue", ONE, 0)
    monkeypatch.setenv("KUBECONFIG", place.kubeconfig)
    rule = AccessRule(("*",), ("httproutes",))
    place.cluster.access.denied.append(rule)
    stands = kind._standing(place.at, place.folder, "")
    place.cluster.access.denied.remove(rule)
    assert stands is not None
    assert (stands.refuses, stands.slots[0].weight) == ("", 0.0)
