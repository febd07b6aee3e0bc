"""What doctor says of a workspace: who is logged in, what may be done, whether there is room; each in a line."""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.diagnosis import Condition, Diagnosis
from core.domain.errors import Unreachable
from core.targets.azureml import doctor
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.claims import TAG, DriverClaim, driver_name
from core.targets.azureml.credentials import AccessToken, AzureLogin
from core.targets.azureml.rights import WRITES, allows
from core.targets.azureml.standing import costs_of, lines_of, looked_at, taken_down
from core.targets.azureml.workspace import ENDPOINT_API
from tests.azure.standin import AzureStandIn
from tests.story.kills_scene import wait_for
from tests.targets.azureml_places import AzurePlaceOf, serving_workspace
from tests.targets.azureml_scenes import settings_of


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """A workspace."""
    with serving_workspace(tmp_path_factory.mktemp("azure")) as one:
        yield one


@pytest.fixture
def place(azure: AzureStandIn, tmp_path: Path) -> Iterator[AzurePlaceOf]:
    """An endpoint that is to be."""
    yield AzurePlaceOf(azure, tmp_path)
    azure.take_back()
    azure.quota.limits.clear()
    azure.quota.not_here.clear()


@pytest.fixture
def calls(place: AzurePlaceOf) -> Iterator[AzureCalls]:
    """Calls of somebody who is logged in."""
    calls = AzureCalls(place.at.place, AzureLogin(place.at.place, place.token), place.at.ca)
    yield calls
    calls.close()


def said(look: doctor.Look, calls: AzureCalls, place: AzurePlaceOf) -> Diagnosis:
    """The one thing that a look found."""
    (found,) = look(calls, place.at)
    return found


def test_who_is_logged_in_is_told_with_the_tenant(calls: AzureCalls, place: AzurePlaceOf) -> None:
    found = said(doctor.login, calls, place)
    assert found.condition is Condition.OK
    assert found.text == f"logged in as user@example.com of tenant {place.azure.place.tenant}"


def test_who_may_not_set_autoscaling_is_told_the_role_on_the_group(calls: AzureCalls, place: AzurePlaceOf) -> None:
    """And only where it is set, for each endpoint."""
    assert said(doctor.autoscale, calls, place).text == "this login may set the autoscaling"
    token = place.azure.logins.login("bob@example.com", "Microsoft.Insights/autoscaleSettings/write")
    login = AzureLogin(place.at.place, lambda _: AccessToken(token, time.time() + 3600))
    less = AzureCalls(place.at.place, login, place.at.ca)
    found = said(doctor.autoscale, less, place)
    less.close()
    assert found.condition is Condition.FAIL
    assert found.text == "this login may not Microsoft.Insights/autoscaleSettings/write"
    assert found.do == "ask for the role 'Monitoring Contributor' on the group rg"


def test_the_cluster_that_trains_is_looked_at(calls: AzureCalls, place: AzurePlaceOf) -> None:
    assert said(doctor.cluster, calls, place).condition is Condition.OK
    nope = place.at.place.cluster.model_copy(update={"name": "nope"})
    place.at = replace(place.at, place=place.at.place.model_copy(update={"cluster": nope}))
    found = said(doctor.cluster, calls, place)
    assert found.condition is Condition.FAIL
    assert "there is no compute cluster nope; make it: 'quarterdeck azure setup'" in found.text


@pytest.mark.parametrize(
    ("target", "on", "rows"),
    [
        ("azureml", "local", {"login", "workspace", "store", "quota"}),
        ("azureml", "azureml", {"login", "workspace", "store", "quota", "cluster"}),
        ("local", "azureml", {"login", "workspace", "store", "cluster"}),
    ],
)
def test_what_only_trains_there_is_asked_for_what_training_needs(
    tmp_path: Path, target: str, on: str, rows: set[str]
) -> None:
    asked = {one.name for one in doctor.examinations([settings_of(tmp_path, target=target, train={"on": on})])}
    assert asked & {"login", "workspace", "store", "quota", "cluster"} == rows


@pytest.mark.parametrize(("scales", "asked"), [({}, 0), ({"autoscaling": {"min": 1, "max": 3, "cpu": 60}}, 1)])
def test_the_right_to_autoscale_is_asked_where_it_is_set(tmp_path: Path, scales: dict[str, object], asked: int) -> None:
    several = [settings_of(tmp_path, endpoint={"name": "late", **scales})]
    assert [one.name for one in doctor.examinations(several)].count("autoscaling") == asked


def test_a_workspace_that_is_there_says_its_region(calls: AzureCalls, place: AzurePlaceOf) -> None:
    assert "00000000/rg/ws is there, in " in said(doctor.workspace, calls, place).text


def test_cores_are_asked_for_two_slots_and_what_azure_keeps_for_upgrades(
    calls: AzureCalls, place: AzurePlaceOf
) -> None:
    # Two instances of four cores and a fifth, in two slots.
    place.azure.quota.limits["standardDSv2Family"] = 20
    assert said(doctor.quota, calls, place).text == "standardDSv2Family: 20 of 20 cores free, 20 needed for two slots"
    place.azure.quota.limits["standardDSv2Family"] = 19
    found = said(doctor.quota, calls, place)
    assert found.condition is Condition.FAIL
    assert found.text == "standardDSv2Family: 20 cores are needed for two slots, 19 of 19 are free"


def test_cores_are_asked_for_as_many_as_the_autoscaler_begins_with(
    calls: AzureCalls, place: AzurePlaceOf, tmp_path: Path
) -> None:
    scales = {"replicas": 1, "autoscaling": {"min": 2, "max": 4, "cpu": 60}}
    at = replace(place.at, endpoint=settings_of(tmp_path, endpoint={"name": "late", **scales}).endpoint)
    place.azure.quota.limits["standardDSv2Family"] = 19
    (found,) = doctor.quota(calls, at)
    assert found.text == "standardDSv2Family: 20 cores are needed for two slots, 19 of 19 are free"
    (sized,) = doctor.size(calls, at)
    assert "2 x Standard_DS3_v2" in sized.text


def test_an_address_of_stores_that_is_not_the_workspaces_is_a_row(calls: AzureCalls, place: AzurePlaceOf) -> None:
    assert said(doctor.store, calls, place).text.startswith("files go to ")
    cloud = place.at.place.cloud.model_copy(update={"storage": "elsewhere.example.com"})
    at = replace(place.at, place=place.at.place.model_copy(update={"cloud": cloud}))
    (found,) = doctor.store(calls, at)
    assert found.condition is Condition.FAIL
    assert "azureml.cloud.storage is elsewhere.example.com, and the workspace's own store is at" in found.do


def test_a_size_that_the_region_has_not_is_said_before_a_release(calls: AzureCalls, place: AzurePlaceOf) -> None:
    assert "$0.40 to $0.80 an hour" in said(doctor.size, calls, place).text
    place.azure.quota.not_here.add("standard_ds3_v2")
    found = said(doctor.size, calls, place)
    assert (found.condition, found.do) == (Condition.FAIL, "name another size in azureml.instance_type")


@pytest.mark.parametrize(
    ("actions", "without", "may"),
    [
        (["*"], [], True),
        (["Microsoft.MachineLearningServices/workspaces/*/write"], [], True),
        (["*/read"], [], False),
        (["*"], ["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*"], False),
    ],
)
def test_a_role_holds_what_its_patterns_hold(actions: list[str], without: list[str], may: bool) -> None:
    assert allows({"actions": actions, "notActions": without}, WRITES[0]) is may


async def rows(calls: AzureCalls, place: AzurePlaceOf) -> dict[str, list[Diagnosis]]:
    """What all looks at an endpoint found, at once as the doctor asks them."""
    shared = doctor.SharedLogin(calls)
    looks = {name: shared.examination(name, look, place.at, "late") for name, look in doctor.LOOKS.items()}
    # Whoever comes first is no matter.
    found = await asyncio.gather(*(one.look() for one in reversed(looks.values())))
    return dict(zip(reversed(looks), map(list, found), strict=True))


async def test_a_missing_login_is_one_row_and_what_hangs_on_it_is_left_out(place: AzurePlaceOf) -> None:
    def nobody(scope: str) -> object:
        raise Unreachable("azureml ws: no login was found that works; call 'az login'")

    calls = AzureCalls(place.at.place, AzureLogin(place.at.place, nobody), place.at.ca)  # type: ignore[arg-type]
    found = await rows(calls, place)
    (line,) = found.pop("login")
    assert (line.condition, "call 'az login'" in line.text) == (Condition.FAIL, True)
    assert [name for name, lines in found.items() if lines] == []


async def test_a_workspace_that_is_missing_is_one_row_too(place: AzurePlaceOf, calls: AzureCalls) -> None:
    place.azure.foundations.workspace_there = False
    found = await rows(calls, place)
    assert {name: [one.condition for one in lines] for name, lines in found.items() if lines} == {
        "login": [Condition.OK],
        "workspace": [Condition.FAIL],
    }
    place.azure.foundations.workspace_there = True


async def test_of_a_workspace_that_is_there_all_is_said(place: AzurePlaceOf, calls: AzureCalls) -> None:
    assert all((await rows(calls, place)).values())


async def test_a_login_that_hangs_lets_nobody_say_more_than_its_own_row(
    place: AzurePlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def hangs(scope: str) -> object:
        over.wait(20)
        raise Unreachable("too late")

    monkeypatch.setattr(doctor, "SPARE_S", doctor.WITHIN_S - 0.1)
    calls = AzureCalls(place.at.place, AzureLogin(place.at.place, hangs), place.at.ca)  # type: ignore[arg-type]
    shared = doctor.SharedLogin(calls)
    looks = [shared.examination(name, look, place.at, "late") for name, look in doctor.LOOKS.items()]
    hanging = asyncio.ensure_future(looks[0].look())
    assert [list(await one.look()) for one in looks[1:]] == [[]] * (len(looks) - 1)
    assert not hanging.done()
    over.set()
    await hanging


def test_who_changed_the_endpoint_last_is_told_whoever_it_was(calls: AzureCalls, place: AzurePlaceOf) -> None:
    assert (
        said(doctor.LOOKS["driver"], calls, place).text == "no endpoint is there, so nobody drives it from any machine"
    )
    body = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
    calls.ask("PUT", place.at.path, ENDPOINT_API, body)
    found = said(doctor.LOOKS["driver"], calls, place)
    assert found.condition is Condition.WARN
    assert found.text.startswith(f"no driver of Quarterdeck has ever changed {place.at.name} (20")
    for driver, condition, text in (
        (driver_name(place.at.folder.parent), Condition.OK, "no other machine or project has changed this endpoint"),
        ("vm-9/ab12cd34", Condition.WARN, "changed last by another project on vm-9 (ab12cd34) (20"),
    ):
        wait_for(lambda: looked_at(place.at, calls).state == "Succeeded", "the endpoint", 20, 0.05)
        calls.ask("PUT", place.at.path, ENDPOINT_API, {**body, "tags": {TAG: str(DriverClaim(3, driver, 1))}})
        found = said(doctor.LOOKS["driver"], calls, place)
        assert (found.condition, found.text.startswith(text)) == (condition, True), found
    assert "whether it still drives is not known" in found.text
    wait_for(lambda: looked_at(place.at, calls).state == "Succeeded", "the endpoint", 20, 0.05)
    taken_down(place.at, calls)


def test_what_stands_is_told_with_its_costs_and_goes_with_all_of_it(calls: AzureCalls, place: AzurePlaceOf) -> None:
    at = place.at
    assert not taken_down(at, calls)
    path, api = at.path, "2022-02-01-preview"
    body = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
    calls.ask("PUT", path, api, body)
    view = looked_at(at, calls)
    assert view.body is not None
    assert costs_of(at, calls, view) == ()
    assert "account  user@example.com of tenant" in lines_of(at, calls, view)[0]
    assert taken_down(at, calls)
    assert looked_at(at, calls).body is None
