"""Autoscaling on Azure ML against the stand-in: settings follow a release, looks follow what is measured."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.domain.model import Observation, Scaled, Version
from core.domain.obstacles import Cause
from core.targets.azureml import autoscale_looks, deploying
from core.targets.azureml.api_errors import AzureBusy
from core.targets.azureml.autoscale_bodies import METRICS
from core.targets.azureml.client import AzureMLTarget
from core.targets.azureml.standing import slots_in
from tests.azure.caller import AzureCaller
from tests.azure.standin import AzureStandIn
from tests.kubernetes.faults import FaultKind
from tests.story.kills_scene import wait_for
from tests.targets.azureml_places import AzurePlaceOf, serving_workspace

V1, V2 = Version("late", "1"), Version("late", "2")
AUTOSCALING = {"min": 1, "max": 3, "cpu": 70}


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    with pytest.MonkeyPatch.context() as patch, serving_workspace(tmp_path_factory.mktemp("azure")) as one:
        patch.setenv("SSL_CERT_FILE", str(one.ca))
        yield one


class Reading:
    """What a target's watch told last."""

    def __init__(self, target: AzureMLTarget) -> None:
        self.target = target
        self.slots: dict[str, Observation] = {}
        self.looks: dict[str, Scaled] = {}
        self.told: list[object] = []
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for report in self.target.watch():
            self.told.append(report)
            if isinstance(report, Observation):
                self.slots[report.slot] = report
            if isinstance(report, Scaled):
                self.looks[report.slot] = report
            self._news.set()

    async def until(self, question: Callable[[], bool], what: str) -> None:
        """Wait until it is so; what Azure Monitor has is asked for again, whatever is told."""
        ends_at = asyncio.get_running_loop().time() + 30
        while not question():
            assert asyncio.get_running_loop().time() < ends_at, f"not seen: {what}; {self.slots} {self.looks}"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self._news.wait()
            self._news.clear()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
async def place(azure: AzureStandIn, tmp_path: Path) -> AsyncIterator[AzurePlaceOf]:
    made = AzurePlaceOf(azure, tmp_path, endpoint={"name": "late", "replicas": 1, "autoscaling": AUTOSCALING})
    yield made
    await made.close()


def settings(azure: AzureStandIn, place: AzurePlaceOf, slot: str) -> dict[str, Any] | None:
    """What Azure Monitor has of a slot."""
    return azure.autoscale.held.get(f"ws-{place.name}-{slot}")


def enabled(azure: AzureStandIn, place: AzurePlaceOf) -> dict[str, bool]:
    found = {slot: settings(azure, place, slot) for slot in ("blue", "green")}
    return {slot: body["properties"]["enabled"] for slot, body in found.items() if body is not None}


async def serving(place: AzurePlaceOf) -> tuple[AzureMLTarget, Reading]:
    """Version 1 in blue, with all traffic."""
    target = place.target(1)
    seen = Reading(target)
    await target.apply("blue", V1, 1)
    await seen.until(lambda: "blue" in seen.slots and seen.slots["blue"].ready == 1, "blue is ready")
    await target.route({"blue": 100})
    await seen.until(lambda: seen.slots["blue"].weight == 100, "blue has all traffic")
    return target, seen


async def test_settings_are_written_with_the_deployment_held_while_traffic_moves_and_deleted_with_it(
    azure: AzureStandIn, place: AzurePlaceOf
) -> None:
    target, seen = await serving(place)
    await seen.until(lambda: enabled(azure, place) == {"blue": True}, "blue is scaled")
    await target.apply("green", V2, 1)
    await seen.until(lambda: enabled(azure, place) == {"blue": True, "green": False}, "green keeps its size")
    await target.route({"blue": 90, "green": 10})
    await seen.until(lambda: enabled(azure, place) == {"blue": False, "green": False}, "both are held")
    await seen.until(
        lambda: [one.cause for one in seen.looks["blue"].obstacles] == [Cause.HELD], "blue's look says who holds it"
    )
    await target.route({"green": 100})
    await seen.until(lambda: enabled(azure, place) == {"blue": False, "green": True}, "green is scaled")
    await target.remove("blue")
    await seen.until(lambda: enabled(azure, place) == {"green": True}, "blue's settings went with it")
    await seen.end()


async def test_a_look_says_what_was_measured_and_what_the_autoscaler_did(
    azure: AzureStandIn, place: AzurePlaceOf
) -> None:
    _, seen = await serving(place)
    await seen.until(
        lambda: "blue" in seen.looks and [one.cause for one in seen.looks["blue"].obstacles] == [Cause.NO_FIGURE],
        "nothing was measured",
    )
    azure.metrics.use(place.at.deployment("blue"), **{METRICS["cpu"]: 91.0})
    await seen.until(lambda: seen.looks["blue"].proposed == 2, "two are asked for")
    azure.do(lambda: azure.autoscale.wanted(f"ws-{place.name}-blue", 2))
    await seen.until(lambda: seen.looks["blue"].after == 2, "it has scaled")
    assert any(isinstance(one, Scaled) and (one.before, one.after) == (1, 2) for one in seen.told)
    await seen.until(
        lambda: [one.cause for one in seen.looks["blue"].obstacles] == [Cause.COOLDOWN], "it cools down for the third"
    )
    assert (seen.looks["blue"].min, seen.looks["blue"].max) == (1, 3)
    await seen.end()


async def test_a_look_that_says_nothing_new_is_told_again_once_it_is_due(
    azure: AzureStandIn, place: AzurePlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoscale_looks, "LOOKS_S", 0.5)
    _, seen = await serving(place)
    await seen.until(lambda: "blue" in seen.looks and enabled(azure, place) == {"blue": True}, "blue is scaled")
    known = seen.looks["blue"]
    await seen.until(lambda: seen.looks["blue"].at >= known.at + 1.0, "it is looked at still")
    await seen.end()


async def test_why_nobody_can_look_any_more_stands_beside_the_last_look(
    azure: AzureStandIn, place: AzurePlaceOf
) -> None:
    _, seen = await serving(place)
    await seen.until(lambda: "blue" in seen.looks and enabled(azure, place) == {"blue": True}, "blue is scaled")
    azure.fault(FaultKind.STATUS, "GET", r"/autoscaleSettings\?", status=403, code="AuthorizationFailed")
    await seen.until(lambda: Cause.UNREAD in {one.cause for one in seen.looks["blue"].obstacles}, "it is said")
    looked_at = seen.looks["blue"].at
    azure.faults.clear()
    await seen.until(
        lambda: Cause.UNREAD not in {one.cause for one in seen.looks["blue"].obstacles}, "it is looked at again"
    )
    assert seen.looks["blue"].at > looked_at
    await seen.end()


async def test_a_slot_that_sleeps_is_looked_at_as_one_that_was_scaled_to_none(
    azure: AzureStandIn, place: AzurePlaceOf
) -> None:
    target, seen = await serving(place)
    await target.apply("green", V2, 1)
    await seen.until(lambda: "green" in seen.looks and seen.slots["green"].ready == 1, "green is ready")
    await target.apply("green", V2, 0)
    await seen.until(lambda: seen.slots["green"].wanted == 0, "green sleeps")
    await seen.until(lambda: [one.cause for one in seen.looks["green"].obstacles] == [Cause.ZERO], "its look says so")
    assert (seen.looks["green"].after, seen.looks["green"].min, seen.looks["green"].max) == (0, 1, 3)
    await seen.end()


async def test_a_slot_that_is_being_deployed_awaits_its_autoscaler_within_the_bounds_of_the_settings(
    azure: AzureStandIn, place: AzurePlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, seen = await serving(place)
    monkeypatch.setattr(azure.delays, "deployment_s", 2.0)
    await target.apply("green", V2, 1)
    await seen.until(lambda: "green" in seen.looks, "green is looked at")
    (awaited,) = seen.looks["green"].obstacles
    assert (awaited.cause, awaited.what) == (Cause.AWAITED, "Azure says Creating of its deployment")
    assert (seen.looks["green"].min, seen.looks["green"].max) == (1, 3)
    await seen.until(lambda: seen.looks["green"].obstacles == (), "green has its settings")
    await seen.end()


async def test_another_size_is_there_once_azure_is_done_and_whoever_looks_sees_the_same(
    azure: AzureStandIn, place: AzurePlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, seen = await serving(place)
    await target.scale("blue", 2)
    await seen.until(lambda: seen.slots["blue"].ready == 2, "blue has two")
    monkeypatch.setattr(azure.delays, "deployment_s", 60.0)
    monkeypatch.setattr(deploying, "RESIZE_S", 0.3)
    await target.scale("blue", 1)
    await seen.until(lambda: seen.slots["blue"].wanted == 1, "one is asked for")
    (standing,) = slots_in(place.at, await asyncio.to_thread(target._reader.read))
    assert (standing.wanted, standing.ready) == (seen.slots["blue"].wanted, seen.slots["blue"].ready) == (1, 2)
    with pytest.raises(AzureBusy, match="blue changes its size: for"):
        await target.scale("blue", 3)
    azure.delays.deployment_s = 0.1
    await seen.until(lambda: seen.slots["blue"].ready == 1, "Azure is done")
    await seen.end()


async def test_a_size_that_nobody_saw_is_where_the_next_change_begins(
    azure: AzureStandIn, place: AzurePlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, seen = await serving(place)
    await target.scale("blue", 2)
    await seen.until(lambda: seen.slots["blue"].ready == 2, "blue has two")
    await seen.end()
    await place.made.pop().close()
    # Nobody watches from now on.
    other = place.target(2)
    await other.scale("blue", 1)
    await asyncio.to_thread(wait_for, lambda: other._reader.read().ready("blue"), "blue has one")
    monkeypatch.setattr(azure.delays, "deployment_s", 60.0)
    assert other._changes.book.sizes()["blue"] == (V1.full, 2)
    await other.scale("blue", 2)
    (standing,) = slots_in(place.at, await asyncio.to_thread(other._reader.read))
    assert (standing.wanted, standing.ready) == (2, 1)
    azure.delays.deployment_s = 0.1


async def test_settings_that_are_not_ours_stay_as_they_are(azure: AzureStandIn, place: AzurePlaceOf) -> None:
    target = place.target(1)
    seen = Reading(target)
    path = f"{azure.place.scope}/providers/Microsoft.Insights/autoscaleSettings/by-hand"
    capacity = {"minimum": "1", "maximum": "9", "default": "1"}
    body = {
        "location": "westeurope",
        "properties": {
            "enabled": True,
            "targetResourceUri": place.at.deployment("blue"),
            "profiles": [{"name": "hers", "capacity": capacity, "rules": []}],
        },
    }
    await target.apply("blue", V1, 1)
    caller = AzureCaller(azure)
    await asyncio.to_thread(caller.client.put, path, params={"api-version": "2022-10-01"}, json=body)
    await seen.until(lambda: "blue" in seen.slots and seen.slots["blue"].ready == 1, "blue is ready")
    await target.route({"blue": 100})
    await seen.until(lambda: "blue" in seen.looks and seen.looks["blue"].max == 9, "hers are shown")
    assert "by-hand scales it, not ours" in seen.looks["blue"].reason
    await seen.end()
    await target.remove("green")
    assert settings(azure, place, "blue") is None
    assert azure.autoscale.held["by-hand"]["properties"]["profiles"][0]["name"] == "hers"
    caller.client.close()


async def test_settings_of_a_time_when_it_was_scaled_are_taken_away(azure: AzureStandIn, place: AzurePlaceOf) -> None:
    _, seen = await serving(place)
    await seen.until(lambda: enabled(azure, place) == {"blue": True}, "blue is scaled")
    await seen.end()
    await place.made.pop().close()
    place.at = replace(place.at, endpoint=place.at.endpoint.model_copy(update={"autoscaling": None}))
    again = Reading(place.target(2))
    await again.until(lambda: enabled(azure, place) == {}, "it is scaled no more")
    await again.end()
