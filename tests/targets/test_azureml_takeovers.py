"""Two projects at one endpoint in Azure ML: who is told that it was taken over, and over what a release goes."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import TakenOver, Unreachable
from core.domain.model import OtherDriver
from core.engine.as_it_stands import as_it_stands
from core.engine.project import Project
from core.state.snapshot import Snapshot
from core.targets.azureml.api_errors import AzureBusy
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.claims import TAG, driver_name
from core.targets.azureml.client import AzureMLTarget
from core.targets.azureml.credentials import AzureLogin
from core.targets.azureml.standing import assumed, changed_elsewhere, looked_at, slots_in
from core.targets.azureml.view import AzureView
from core.targets.azureml.workspace import ENDPOINT_API, AzureEndpoint
from core.targets.protocol import Turn
from tests.azure.standin import AzureStandIn
from tests.kubernetes.faults import FaultKind
from tests.targets.azureml_places import ROW, AzurePlaceOf
from tests.targets.azureml_scenes import endpoint_of
from tests.targets.helpers import ONE, Watcher, two_slots, watching


def _elsewhere(place: AzurePlaceOf) -> AzureEndpoint:
    """The same endpoint, of a project in another folder."""
    return replace(place.at, folder=place.folder / "elsewhere" / place.at.folder.name)


def _there(place: AzurePlaceOf) -> AzureMLTarget:
    made = AzureMLTarget(_elsewhere(place), place.models, 1, row=lambda _: ROW, source=place.token)
    place.made.append(made)
    return made


def _others(watcher: Watcher) -> list[OtherDriver]:
    return [one for one in watcher.reports if isinstance(one, OtherDriver)]


def _other(watcher: Watcher, weights: Mapping[str, float]) -> OtherDriver | None:
    """Who was said last to drive from elsewhere, where this is the traffic."""
    last = _others(watcher)[-1]
    return last if last.by and last.weights == weights else None


def _shown(place: AzurePlaceOf, at: AzureEndpoint) -> dict[str, float]:
    """The traffic of each slot as `status` and a plan take it."""
    calls = AzureCalls(at.place, AzureLogin(at.place, place.token), at.ca)
    try:
        return {one.slot: one.weight for one in slots_in(at, looked_at(at, calls)) if one.weight}
    finally:
        calls.close()


async def test_who_was_followed_hears_by_whom_and_a_new_word_takes_it_back(place: AzurePlaceOf) -> None:
    here, there = place.target(1), _there(place)
    here.stand_for(Turn("r-here", "ada"))
    async with watching(here) as watcher:
        await two_slots(here, watcher, 1)
        there.stand_for(Turn("r-there", "bob"))
        await there.route({"green": 100})
        await watcher.weight("green", 100)
        other = await watcher.until(lambda: _other(watcher, {"green": 100.0}))
        assert (other.by.startswith("a driver on "), other.took) == (True, "r-here")
        assert 0 < other.since <= time.time() + 1
        here.stand_for(Turn("r-here", "ada"))
        with pytest.raises(TakenOver, match=r"taken over by a driver on .* \(project \w{8}\); nothing is changed"):
            await here.route({"blue": 100})
        here.stand_for(Turn("r-here", "ada", 10.0))
        await here.route({"blue": 100})
        await watcher.weight("blue", 100)
        await watcher.until(lambda: not _others(watcher)[-1].by)
        with pytest.raises(TakenOver):
            await there.route({"green": 100})
        there.stand_for(Turn("r-later", "bob"))
        await there.route({"green": 100})
        await watcher.weight("green", 100)


def _landed(call: Callable[[], object]) -> None:
    """A call that Azure takes once no other change goes on."""
    until_s = time.monotonic() + 30
    while True:
        try:
            call()
            return
        except AzureBusy:
            assert time.monotonic() < until_s
            time.sleep(0.05)


async def test_a_call_of_who_was_followed_that_lands_late_is_seen_by_who_has_followed(
    azure: AzureStandIn, place: AzurePlaceOf
) -> None:
    here, there = place.target(1), _there(place)
    async with watching(here) as watcher, watching(there) as theirs:
        await two_slots(here, watcher, 1)
        await here.route({"blue": 50, "green": 50})
        await watcher.weight("green", 50)
        azure.fault(FaultKind.DROP, "PUT", f"/onlineEndpoints/{place.name}\\?", times=1)
        with pytest.raises(Unreachable):
            await here.route({"blue": 10, "green": 90})
        there.stand_for(Turn("r-there", "bob", 10.0))
        await there.route({"blue": 100})
        await theirs.weight("blue", 100)
        (late,) = [one for one in azure.front.dropped if place.name in one.path]
        calls = AzureCalls(place.at.place, AzureLogin(place.at.place, place.token), place.at.ca)
        await asyncio.to_thread(_landed, lambda: calls.ask("PUT", late.path, ENDPOINT_API, late.body))
        calls.close()
        moved = "the traffic was moved, and not by this project: blue 10 %, green 90 % instead of blue 100 %"
        await theirs.noted(moved)
        await theirs.weight("green", 90)
        await there.route({"blue": 100})
        await theirs.weight("blue", 100)
        with pytest.raises(TakenOver):
            await here.route({"green": 100})


async def test_traffic_that_azure_does_not_show_yet_counts_as_it_was_asked_for_once_that_is_over(
    azure: AzureStandIn, place: AzurePlaceOf
) -> None:
    here = place.target(1)
    async with watching(here) as watcher:
        await two_slots(here, watcher, 1)
        azure.delays.shown_s, azure.delays.traffic_s = 600.0, 3.0
        await here.route({"green": 100})
        assert _shown(place, place.at) == {"blue": 100}, "it is on its way"
        azure.delays.traffic_s = 0.1
        await watcher.until(lambda: _shown(place, place.at) == {"green": 100})
        assert _shown(place, _elsewhere(place)) == {"blue": 100}


async def test_traffic_that_somebody_else_moved_is_shown_as_it_is_at_once(place: AzurePlaceOf) -> None:
    """What Azure may still show is what was before; any other traffic is no echo of that."""
    here = place.target(1)
    calls = AzureCalls(place.at.place, AzureLogin(place.at.place, place.token), place.at.ca)
    async with watching(here) as watcher:
        await two_slots(here, watcher, 1)
        await here.route({"green": 100})
        await watcher.weight("green", 100)
        found = (await asyncio.to_thread(calls.ask, "GET", place.at.path, ENDPOINT_API)).body
        for shares, echo in (({"blue": 50, "green": 50}, False), ({"blue": 100}, True)):
            sent = {key: found[key] for key in ("tags", "location", "identity", "properties")}
            sent["properties"] = {**sent["properties"], "traffic": shares}
            await asyncio.to_thread(calls.ask, "PUT", place.at.path, ENDPOINT_API, sent)
            await watcher.weight("blue", float(shares["blue"]))
            assert assumed(place.at, looked_at(place.at, calls)) is echo
            assert _shown(place, place.at) == ({"green": 100} if echo else shares)
        await watcher.noted("the traffic was moved, and not by this project: blue 50 %, green 50 %")
    calls.close()


async def test_an_empty_journal_releases_over_what_the_workspace_serves(
    azure: AzureStandIn, place: AzurePlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in azure.environment().items():
        monkeypatch.setenv(name, value)
    there = _there(place)
    async with watching(there) as watcher:
        await there.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await there.route({"blue": 100})
        await watcher.weight("blue", 100)
    ours = Project(place.folder / "quarterdeck.yaml", "prod")
    stands = await as_it_stands([ours], Snapshot())
    stands.check("late")
    assert stands.snapshot.endpoint("late").served == ONE


@pytest.mark.parametrize(
    ("mine", "states", "told"),
    [
        (False, {"blue": "Succeeded", "green": "Creating"}, "(green is Creating); wait for its end, or look there"),
        (False, {"blue": "Succeeded", "green": "Failed"}, ""),
        (True, {"green": "Creating"}, ""),
    ],
)
def test_what_goes_on_of_another_driver_lets_no_release_begin(
    tmp_path: Path, mine: bool, states: dict[str, str], told: str
) -> None:
    at = endpoint_of(tmp_path)
    driver = driver_name(at.folder.parent) if mine else "vm/00000001"

    def body(state: str) -> dict[str, Any]:
        return {"properties": {"provisioningState": state}, "tags": {TAG: f"3 {driver} 1"}}

    why = changed_elsewhere(at, AzureView(body("Succeeded"), {slot: body(state) for slot, state in states.items()}))
    assert why.endswith(told)
    assert bool(why) == bool(told)
    assert not why or why.startswith("a driver on vm (project 00000001) has a change under way")


@pytest.mark.parametrize(
    ("mine", "traffic", "age_s", "told"),
    [
        (False, {"traffic": {"blue": 50, "green": 50}}, 60.0, "blue 50 %, green 50 %"),
        (
            False,
            {"traffic": {"blue": 100, "green": 0}, "mirrorTraffic": {"green": 20}},
            60.0,
            "a copy of 20 % to green",
        ),
        (False, {"traffic": {"blue": 100, "green": 0}}, 60.0, ""),
        (False, {"traffic": {"blue": 50, "green": 50}}, 7200.0, ""),
        (True, {"traffic": {"blue": 50, "green": 50}}, 60.0, ""),
    ],
)
def test_traffic_that_another_driver_split_a_while_ago_lets_no_release_begin(
    tmp_path: Path, mine: bool, traffic: dict[str, Any], age_s: float, told: str
) -> None:
    at = endpoint_of(tmp_path)
    driver = driver_name(at.folder.parent) if mine else "vm/00000001"
    changed = datetime.fromtimestamp(time.time() - age_s, UTC).isoformat()
    ready = {"properties": {"provisioningState": "Succeeded"}}
    body = {
        "properties": {"provisioningState": "Succeeded", **traffic},
        "tags": {TAG: f"3 {driver} 1"},
        "systemData": {"lastModifiedAt": changed},
    }
    why = changed_elsewhere(at, AzureView(body, {"blue": ready, "green": ready}))
    assert bool(why) == bool(told)
    assert not why or why.startswith("a driver on vm (project 00000001) has a release under way (")
    assert told in why
