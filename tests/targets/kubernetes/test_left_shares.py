"""What a driver that died had begun with pods that were to be a share is ended by the one after it."""

import asyncio
from pathlib import Path

import pytest

from core.domain.errors import Refused
from core.targets.kubernetes.deploying import hold_autoscaler
from core.targets.kubernetes.labels import SLOT
from core.targets.kubernetes.observed import held_slots
from core.targets.kubernetes.paths import AUTOSCALERS, DEPLOYMENTS, SERVICES, ApiKind
from core.targets.kubernetes.standing import lines_of, looked_at
from core.targets.kubernetes.traffic import REPLICAS
from tests.kubernetes.faults import FaultKind
from tests.kubernetes.kinds import Json
from tests.kubernetes.waiting import until
from tests.targets.helpers import ONE, TWO, two_slots, watching
from tests.targets.kubernetes.conftest import MakePlace
from tests.targets.kubernetes.places import ClusterPlace

SCALING = {"replicas": 1, "autoscaling": {"min": 1, "max": 10, "cpu": 60}}
SHARES = {"blue": 75.0, "green": 25.0}


def _read(place: ClusterPlace, kind: ApiKind, name: str) -> Json:
    return place.calls.ask("GET", kind.path(place.namespace, name))


def _bounds(place: ClusterPlace) -> dict[str, tuple[int, int]]:
    """Of both autoscalers."""
    specs = {slot: _read(place, AUTOSCALERS, f"late-{slot}")["spec"] for slot in ("blue", "green")}
    return {slot: (spec["minReplicas"], spec["maxReplicas"]) for slot, spec in specs.items()}


def _kept(place: ClusterPlace) -> str:
    """How many replicas slots had before they were shares, as the Service says."""
    return str(_read(place, SERVICES, "late")["metadata"]["annotations"][REPLICAS])


async def test_autoscalers_that_a_dead_driver_held_are_handed_back_without_another_move(place_of: MakePlace) -> None:
    place = place_of("replicas", endpoint=SCALING)
    dead, after = place.target(1), place.target(2)
    async with watching(dead) as watcher:
        await two_slots(dead, watcher, 1)
        await dead.route(SHARES)
        await watcher.weight("green", 25)
        fault = place.cluster.fault(FaultKind.STATUS, "PATCH", "deployments/.*/scale", status=503)
        await dead.route({"green": 100})
        await asyncio.to_thread(until, lambda: fault.met, "the call")
        await dead.close()
    place.cluster.faults.clear()
    assert _bounds(place) == {"blue": (3, 3), "green": (1, 1)}
    async with watching(after) as watcher:
        await watcher.until(watcher.synced)
        await after.recover()
        await asyncio.to_thread(until, lambda: _kept(place) == "{}", "the end of shares")
        await watcher.ready("blue", 1)
    assert _bounds(place) == {"blue": (1, 10), "green": (1, 10)}


async def test_a_share_that_a_dead_driver_was_asked_for_is_brought_about(place_of: MakePlace) -> None:
    place = place_of("replicas", endpoint=SCALING)
    dead, after = place.target(1), place.target(2)
    async with watching(dead) as watcher:
        await two_slots(dead, watcher, 1)
        fault = place.cluster.fault(FaultKind.STATUS, "PATCH", "deployments/.*/scale", status=503)
        await dead.route(SHARES)
        await asyncio.to_thread(until, lambda: fault.met, "the call")
        await dead.close()
    place.cluster.faults.clear()
    async with watching(after) as watcher:
        await watcher.until(watcher.synced)
        await after.recover()
        await watcher.weight("green", 25)
    assert SLOT not in _read(place, SERVICES, "late")["spec"]["selector"]
    assert _bounds(place) == {"blue": (3, 3), "green": (1, 1)}


async def test_what_another_machine_has_under_way_is_left_to_it(place_of: MakePlace, tmp_path: Path) -> None:
    place = place_of("replicas", endpoint=SCALING)
    here, elsewhere = place.target(1), place.target(9, tmp_path / "elsewhere")
    async with watching(here) as watcher, watching(elsewhere) as other:
        await two_slots(here, watcher, 1)
        await here.route(SHARES)
        await watcher.weight("green", 25)
        await other.until(other.synced)
        await elsewhere.recover()
        for doing in (elsewhere.remove("green"), elsewhere.scale("blue", 2)):
            with pytest.raises(Refused, match=r"a driver on .* looks after it; do it there, or release here"):
                await doing
        await here.route({"green": 100})
        await watcher.weight("green", 100)


async def test_a_driver_that_was_followed_holds_nothing_any_more(place_of: MakePlace) -> None:
    place = place_of("replicas", endpoint=SCALING)
    old, new = place.target(1), place.target(2)
    async with watching(old) as watcher, watching(new) as other:
        await two_slots(old, watcher, 1)
        fault = place.cluster.fault(FaultKind.STATUS, "PATCH", "deployments/late-blue/scale", status=503)
        await old.route(SHARES)
        await asyncio.to_thread(until, lambda: fault.met, "the call")
        await other.until(other.synced)
        await new.route({"green": 100})
        place.cluster.faults.clear()
        await watcher.noted("was moved by somebody else meanwhile")
        await asyncio.to_thread(until, lambda: _kept(place) == "{}", "the end of shares")
        await other.weight("green", 100)
        # What was under way when it was followed may land after all.
        await asyncio.to_thread(hold_autoscaler, old._changes, "blue", 3)
        assert _bounds(place) == {"blue": (3, 3), "green": (1, 10)}
        await other.until(lambda: held_slots(place.at, new._known()) == ["blue"])
        await new.recover()
    assert _bounds(place) == {"blue": (1, 10), "green": (1, 10)}


@pytest.mark.parametrize("traffic", ["replicas", "selector"])
async def test_the_way_back_brings_nothing_of_later_settings(place_of: MakePlace, traffic: str) -> None:
    place = place_of(traffic, endpoint=SCALING)
    before = place.target(1)
    async with watching(before) as watcher:
        await before.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await before.route({"blue": 100})
        await watcher.weight("blue", 100)
    later = place_of(traffic, endpoint={**SCALING, "cpu": "250m", "autoscaling": {"min": 1, "max": 2, "cpu": 60}})
    object.__setattr__(later.at.place, "namespace", place.namespace)
    after = later.target(2)
    async with watching(after) as watcher:
        await after.apply("green", TWO, 1)
        await watcher.ready("green", 1)
        await after.apply("blue", ONE, 1)
        text = "blue was deployed with cpu 500m, not 250m and 1 to 10 replicas, not 1 to 2, and stays so"
        await watcher.noted(text)
    assert _bounds(place) == {"blue": (1, 10), "green": (1, 2)}
    (told,) = (line for line in lines_of(later.at, looked_at(later.at, later.calls)) if line.startswith("settings"))
    assert told.startswith("settings blue has cpu 500m, not 250m and 1 to 10 replicas, not 1 to 2; the next release")
    assert _cpu(place, "blue") == "500m"
    assert _cpu(place, "green") == "250m"


async def test_a_slot_that_never_had_all_traffic_is_deployed_anew_with_the_same_version(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint=SCALING)
    async with watching(place.target(1)) as watcher:
        await place.made[0].apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
    later = place_of("selector", endpoint={**SCALING, "cpu": "250m", "autoscaling": {"min": 1, "max": 2, "cpu": 60}})
    object.__setattr__(later.at.place, "namespace", place.namespace)
    await later.target(2).apply("blue", ONE, 1)
    assert _cpu(place, "blue") == "250m"
    spec = _read(place, AUTOSCALERS, "late-blue")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 2)


def _cpu(place: ClusterPlace, slot: str) -> str:
    (container,) = _read(place, DEPLOYMENTS, f"late-{slot}")["spec"]["template"]["spec"]["containers"]
    return str(container["resources"]["limits"]["cpu"])
