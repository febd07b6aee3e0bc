"""Calls to Azure ML that nobody answered and that land when something else was asked for long since."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.domain.errors import Unreachable
from tests.azure.serving import OnlineEndpoint
from tests.azure.standin import AzureStandIn
from tests.kubernetes.faults import FaultKind
from tests.story.kills_scene import wait_for
from tests.targets.azureml_places import AzurePlaceOf
from tests.targets.azureml_scenes import SEVEN
from tests.targets.helpers import Watcher, two_slots, watching

HALVES, BACK = {"blue": 50.0, "green": 50.0}, {"blue": 100.0}
LATE = "has landed late (blue 50 %, green 50 %); it is put back to blue 100 %"


@pytest.fixture
async def place(azure: AzureStandIn, tmp_path: Path) -> AsyncIterator[AzurePlaceOf]:
    """An endpoint whose calls have a short end."""
    place = AzurePlaceOf(azure, tmp_path, call_s=1.0)
    yield place
    azure.take_back()
    await place.close()


def hang(place: AzurePlaceOf, seconds: float, path: str = "") -> None:
    """The next change at a path is answered by nobody, and lands so much later."""
    place.azure.fault(FaultKind.HANG, "PUT", f"/onlineEndpoints/{place.name}{path}\\?", seconds=seconds, times=1)


async def comes(place: AzurePlaceOf, true: Callable[[OnlineEndpoint], bool]) -> None:
    """Until the endpoint is so, by the stand-in itself."""
    endpoint = place.azure.endpoint(place.name)
    await asyncio.to_thread(wait_for, lambda: place.azure.do(lambda: true(endpoint)), "the endpoint as asked", 20, 0.05)


async def halves(place: AzurePlaceOf, watcher: Watcher, seconds: float) -> None:
    """Half of the traffic to each, by a call that was sent twice: the first one lands so much later."""
    target = place.made[-1]
    hang(place, seconds)
    with pytest.raises(Unreachable):
        await target.route(HALVES)
    await target.route(HALVES)
    await watcher.weight("green", 50)


async def test_a_call_that_was_sent_again_is_put_back_when_its_first_try_lands(place: AzurePlaceOf) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await halves(place, watcher, 8)
        await target.route(BACK)
        await watcher.weight("green", 0)
        await watcher.noted(LATE)
        await comes(place, lambda endpoint: endpoint.traffic == {"blue": 100})


async def test_nothing_has_landed_late_while_traffic_is_only_shown_late(place: AzurePlaceOf) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        place.azure.fault(FaultKind.LOSE, "PUT", f"/onlineEndpoints/{place.name}\\?", times=1)
        with pytest.raises(Unreachable):
            await target.route(HALVES)
        await target.route(HALVES)
        await watcher.weight("green", 50)
        place.azure.delays.shown_s = 1.5
        await target.route(BACK)
        await watcher.weight("green", 0)
        place.azure.delays.shown_s = 0.0
        assert [one for one in watcher.notes() if "landed" in one] == []


async def test_a_driver_that_has_changed_nothing_yet_puts_back_what_the_one_before_left(place: AzurePlaceOf) -> None:
    old = place.target(1)
    async with watching(old) as watcher:
        await two_slots(old, watcher, 1)
        hang(place, 8)
        with pytest.raises(Unreachable):
            await old.route(HALVES)
        await old.route(BACK)
    await old.close()
    async with watching(place.target(2)) as watcher:
        await watcher.noted(LATE)
        await comes(place, lambda endpoint: endpoint.traffic == {"blue": 100})


async def test_a_slot_that_held_another_version_is_cleared_of_what_lands_late(place: AzurePlaceOf) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.route({"blue": 100})
        await watcher.weight("green", 0)
        hang(place, 4, "/deployments/green")
        with pytest.raises(Unreachable):
            await target.apply("green", SEVEN, 1)
        await target.remove("green")
        await watcher.noted("green: a deployment that nobody had answered for has landed late; it is removed")
        await comes(place, lambda endpoint: "green" not in endpoint.deployments)
        await watcher.noted("green is removed after")
