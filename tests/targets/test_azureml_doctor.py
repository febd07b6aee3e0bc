"""What doctor says of a workspace: who is logged in, what may be done, whether there is room; each in a line."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain.diagnosis import Condition, Diagnosis
from core.domain.errors import Unreachable
from core.targets.azureml import doctor
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AccessToken, AzureLogin
from core.targets.azureml.rights import WRITES, allows
from core.targets.azureml.standing import costs_of, lines_of, looked_at, taken_down
from tests.azure.standin import AzureStandIn
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


async def test_no_login_is_one_line_for_each_look(place: AzurePlaceOf) -> None:
    def nobody(scope: str) -> object:
        raise Unreachable("azureml ws: no login was found that works; call 'az login'")

    calls = AzureCalls(place.at.place, AzureLogin(place.at.place, nobody), place.at.ca)  # type: ignore[arg-type]
    looks = [doctor.examination(name, look, calls, place.at, "late") for name, look in doctor.LOOKS.items()]
    for look in looks:
        (found,) = await look.look()
        assert (found.condition, "call 'az login'" in found.text) == (Condition.FAIL, True), found


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
