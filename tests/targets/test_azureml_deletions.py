"""What somebody else deletes in Azure is said in one line; what this project removes itself is no such news."""

import asyncio

import pytest

from core.domain.model import Contact, Level, Noted
from core.system.moment import KeptMoment
from core.targets.azureml import changes
from core.targets.azureml.api_errors import Json
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AzureLogin
from core.targets.azureml.deletions import DeletionNews
from core.targets.azureml.operations import AzureOperation
from core.targets.azureml.standing import taken_down
from core.targets.azureml.view import AzureView
from core.targets.azureml.workspace import DEPLOYMENT_API, ENDPOINT_API
from tests.targets.azureml_places import AzurePlaceOf
from tests.targets.helpers import two_slots, watching


def deployment(number: str, change: str, state: str = "Succeeded") -> Json:
    """One that a change of ours made."""
    tags = {"quarterdeck-model": "late", "quarterdeck-number": number, "quarterdeck-change": change}
    return {"tags": tags, "properties": {"provisioningState": state}}


def view(state: str = "Succeeded", **deployments: Json) -> AzureView:
    """An endpoint whose green has all traffic."""
    return AzureView({"properties": {"provisioningState": state, "traffic": {"green": 100}}}, deployments)


def remove(slot: str) -> AzureOperation:
    """One of this project's own."""
    return AzureOperation("a", "remove", KeptMoment.now(), slot)


BLUE, GREEN = deployment("6", "one"), deployment("7", "two")


def told(*views: AzureView, ours: str = "") -> list[tuple[str, Level]]:
    """What is said of these looks; `ours` is removed by this project after the first."""
    news, found = DeletionNews("late"), list[Noted]()
    for one in views:
        found += news.of(one)
        if ours:
            news.removed([remove(ours)])
            ours = ""
    return [(one.text, one.level) for one in found]


def test_a_deployment_that_goes_is_news_once_and_one_that_this_project_removed_is_none() -> None:
    both, one, going = view(blue=BLUE, green=GREEN), view(green=GREEN), view(blue=deployment("6", "one", "Deleting"))
    assert told(both, one, one) == [("blue (v6) was deleted, and not by this project", Level.WARNING)]
    assert told(both, one, both, one, ours="blue") == []
    assert told(view(blue=BLUE), going, view()) == [
        ("blue (v6) is being deleted, and not by this project", Level.WARNING)
    ]
    again = view(blue=deployment("8", "three"), green=GREEN)
    assert told(both, one, again, one, ours="blue") == [
        ("blue (v8) was deleted, and not by this project", Level.WARNING)
    ]
    assert told(both, view(blue=BLUE)) == [("green (v7) was deleted, and not by this project", Level.ERROR)]


def test_a_whole_endpoint_that_goes_is_one_line_and_none_where_there_was_none() -> None:
    both = view(blue=BLUE, green=GREEN)
    gone = ("the endpoint late was deleted, with blue (v6), green (v7): nobody answers its callers", Level.ERROR)
    assert told(both, AzureView(), AzureView()) == [gone]
    going = view("Deleting", green=GREEN)
    assert told(both, going, AzureView()) == [(gone[0].replace(" was ", " is being "), Level.ERROR)]
    assert told(both, AzureView(), both, AzureView()) == [gone, gone]
    assert told(AzureView(), AzureView(), both) == []


def test_a_workspace_that_goes_takes_the_endpoint_with_it_and_is_one_line() -> None:
    both, nowhere = view(blue=BLUE, green=GREEN), AzureView(nowhere="rg/ws")
    gone = "the endpoint late is gone with it, with blue (v6), green (v7): nobody answers its callers"
    line = (f"Azure has no workspace rg/ws any more; {gone}", Level.ERROR)
    assert told(both, nowhere, nowhere) == [line]
    assert told(both, nowhere, both, nowhere) == [line, line]
    wrong = "if it was not deleted, correct azureml.subscription, resource_group or workspace"
    assert told(nowhere, nowhere) == [(f"Azure has no workspace rg/ws; {wrong}", Level.ERROR)]


@pytest.mark.parametrize("what", ["workspace_there", "group_there"])
async def test_that_there_is_no_workspace_any_more_is_an_answer_and_no_silence(
    place: AzurePlaceOf, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        with monkeypatch.context() as patch:
            patch.setattr(place.azure.foundations, what, value=False)
            note = await watcher.noted("Azure has no workspace")
            assert note.text.endswith("blue (v1), green (v2): nobody answers its callers")
            await watcher.gone("blue")
            await watcher.gone("green")
            heard = len(watcher.reports)
            await watcher.until(lambda: any(isinstance(one, Contact) for one in watcher.reports[heard:]))
            assert not any(one.lost for one in watcher.reports if isinstance(one, Contact))
        await watcher.ready("green", 1)


async def test_who_watches_is_told_what_goes_behind_its_back_and_not_what_it_removes(place: AzurePlaceOf) -> None:
    target = place.target(1)
    calls = AzureCalls(place.at.place, AzureLogin(place.at.place, place.token), place.at.ca)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.remove("green")
        await watcher.gone("green")
        await two_slots(target, watcher, 1)
        await asyncio.to_thread(calls.ask, "DELETE", place.at.deployment("green"), DEPLOYMENT_API)
        await watcher.noted("deleted, and not by this project")
        await asyncio.to_thread(taken_down, place.at, calls)
        await watcher.noted(f"the endpoint {place.at.name} ")
        await watcher.gone("blue")
        found = [text for text in watcher.notes() if "deleted" in text]
    calls.close()
    assert len(found) == 2, found
    assert found[0].startswith("green (v")


async def test_traffic_that_somebody_else_moves_is_said_once(
    place: AzurePlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SHOWN_S", 0.1)
    target = place.target(1)
    calls = AzureCalls(place.at.place, AzureLogin(place.at.place, place.token), place.at.ca)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        found = (await asyncio.to_thread(calls.ask, "GET", place.at.path, ENDPOINT_API)).body
        sent = {key: found[key] for key in ("tags", "location", "identity", "properties")}
        sent["properties"] = {**sent["properties"], "traffic": {"green": 100}}
        await asyncio.to_thread(calls.ask, "PUT", place.at.path, ENDPOINT_API, sent)
        note = await watcher.noted("the traffic was moved")
        assert note.text.endswith(", and not by this project: green 100 % instead of blue 100 %")
        await target.route({"blue": 100})
        await watcher.noted("the change of traffic is done")
        await watcher.weight("blue", 100)
        assert len([one for one in watcher.notes() if "the traffic was moved" in one]) == 1
    calls.close()
