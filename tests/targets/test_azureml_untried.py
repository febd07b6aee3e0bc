"""Two machines release at once: no traffic of one comes to what the other has just deployed, unseen."""

import asyncio
from pathlib import Path

import pytest

from core.domain.errors import Refused, Unreachable
from core.domain.model import Version
from core.targets.azureml.client import AzureMLTarget
from core.targets.azureml.operations import OperationBook
from core.targets.azureml.workspace import ENDPOINT_API
from core.targets.protocol import Turn
from tests.azure.standin import AzureStandIn
from tests.targets.azureml_places import ROW, AzurePlaceOf
from tests.targets.helpers import TWO, Watcher, two_slots, watching
from tests.targets.test_azureml_late import land, lose, traffic, until
from tests.targets.test_azureml_takeovers import _elsewhere, _there

THREE = Version("late", "3", "run3", "models:/late/3")


async def _deployed_over(place: AzurePlaceOf, here: AzureMLTarget, there: AzureMLTarget, theirs: Watcher) -> None:
    """A shift from here is lost on its way; then somebody there deploys v3 into that slot."""
    lose(place, "")
    with pytest.raises(Unreachable):
        await here.route({"blue": 90, "green": 10})
    there.stand_for(Turn("r-there", "bob"))
    await there.apply("green", THREE, 1)
    await theirs.ready("green", 1, THREE)


async def test_tags_that_are_written_from_here_are_no_change_of_somebody_else(
    azure: AzureStandIn, place: AzurePlaceOf
) -> None:
    here = place.target(1)
    async with watching(here) as watcher:
        await two_slots(here, watcher, 1)
        azure.delays.endpoint_s = azure.delays.traffic_s = 1.0
        await here.apply("green", TWO, 0)
        await here.apply("green", THREE, 1)
        await watcher.ready("green", 1, THREE)
        assert [note for note in watcher.notes() if "somebody else" in note] == []


async def test_a_change_that_goes_on_elsewhere_is_waited_for_and_nothing_is_deployed_over_its_traffic(
    azure: AzureStandIn, place: AzurePlaceOf
) -> None:
    here, there = place.target(1), _there(place)
    async with watching(here) as watcher, watching(there) as theirs:
        await two_slots(here, watcher, 1)
        azure.delays.traffic_s = 1.5
        await here.route({"blue": 90, "green": 10})
        with pytest.raises(Refused, match=r"green: gets 10 % of the traffic by now from a driver on .*; nothing is"):
            await there.apply("green", THREE, 1)
        await theirs.noted("somebody else changes the endpoint (Updating); green is deployed once that is over")
        assert (await watcher.ready("green", 1)).version == TWO
    assert traffic(place) == {"blue": 90, "green": 10}


async def test_traffic_that_others_asked_for_before_is_put_back_from_what_nobody_has_tried(place: AzurePlaceOf) -> None:
    here, there = place.target(1), _there(place)
    async with watching(here) as watcher, watching(there) as theirs:
        await two_slots(here, watcher, 1)
        await _deployed_over(place, here, there, theirs)
        await asyncio.to_thread(land, place, {"blue": 90, "green": 10})
        text = (await theirs.noted("green got 10 % of the traffic before anybody had tried it, by a change of a")).text
        assert text.endswith("that was asked for before it was deployed; it is put back")
        await until(lambda: traffic(place) == {"blue": 100})
        await theirs.weight("green", 0)
        # From here on it is tried, and what is sent to it stays.
        await there.route({"blue": 90, "green": 10})
        await theirs.weight("green", 10)
        assert traffic(place) == {"blue": 90, "green": 10}
        assert [one for one in theirs.notes() if "before anybody" in one] == [text]


async def test_who_follows_the_driver_that_deployed_puts_it_back_too(place: AzurePlaceOf) -> None:
    here, there = place.target(1), _there(place)
    async with watching(here) as watcher:
        await two_slots(here, watcher, 1)
        async with watching(there) as theirs:
            await _deployed_over(place, here, there, theirs)
        await there.close()
        next_one = AzureMLTarget(_elsewhere(place), place.models, 2, row=lambda _: ROW, source=place.token)
        place.made.append(next_one)
        async with watching(next_one) as theirs:
            await asyncio.to_thread(land, place, {"blue": 90, "green": 10})
            await theirs.noted("it is put back")
            await until(lambda: traffic(place) == {"blue": 100})


async def test_what_somebody_moves_by_hand_is_said_and_stays(place: AzurePlaceOf) -> None:
    here, there = place.target(1), _there(place)
    async with watching(here) as watcher, watching(there) as theirs:
        await two_slots(here, watcher, 1)
        await _deployed_over(place, here, there, theirs)
        calls = here._calls
        found = (await asyncio.to_thread(calls.ask, "GET", place.at.path, ENDPOINT_API)).body
        sent = {key: found[key] for key in ("tags", "location", "identity", "properties")}
        sent["properties"] = {**sent["properties"], "traffic": {"blue": 80, "green": 20}}
        await asyncio.to_thread(calls.ask, "PUT", place.at.path, ENDPOINT_API, sent)
        await theirs.noted("green got 20 % of the traffic before anybody had tried it, moved by nobody who releases")
        await theirs.weight("green", 20)
        assert traffic(place) == {"blue": 80, "green": 20}


@pytest.mark.parametrize(
    ("weights", "mirror", "tried"),
    [({"blue": 90, "green": 10}, {}, True), ({"blue": 100}, {"green": 20}, True), ({"blue": 100}, {}, False)],
)
def test_a_slot_is_tried_once_a_route_from_here_reaches_it(
    tmp_path: Path, weights: dict[str, int], mirror: dict[str, int], tried: bool
) -> None:
    book = OperationBook(tmp_path, "late")
    book.leave_untried({"slot": "green", "weights": {"blue": 100}})
    book.begin("traffic", asked={"weights": weights, "mirror": mirror})
    assert (book.untried() is None) is tried
