"""What would stop a release to a workspace is said before anything is trained for it, within a bounded time."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import Unreachable
from core.domain.plan import Deploy, Plan, Shift, Work
from core.targets.azureml import beforehand, kind
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AccessToken, AzureLogin
from core.targets.azureml.kind import KIND
from core.targets.azureml.workspace import DEPLOYMENT_API, ENDPOINT_API
from core.targets.kinds import Forewarning
from tests.azure.blobs import DOMAIN
from tests.azure.standin import AzureStandIn
from tests.kubernetes.faults import FaultKind
from tests.targets.azureml_places import AzurePlaceOf
from tests.targets.azureml_scenes import settings_of
from tui.foreseen import refused_there

PLAN = Plan("canary", (Work("train"), Deploy(2), Shift(100)))
FAMILY = "standardDSv2Family"
SCALED = {"min": 1, "max": 3, "cpu": 70}


@pytest.fixture
def place(azure: AzureStandIn, tmp_path: Path) -> Iterator[AzurePlaceOf]:
    """An endpoint that is to be, with two instances of four cores a slot."""
    yield AzurePlaceOf(azure, tmp_path)
    azure.take_back()
    azure.quota.limits.clear()
    azure.quota.not_here.clear()
    azure.foundations.group_there = azure.foundations.workspace_there = True
    azure.surroundings.unregistered.clear()


def said(place: AzurePlaceOf, token: str = "", instances: int = 2) -> list[str]:
    """What would be refused, to whoever has this token."""
    login = AzureLogin(place.at.place, lambda _: AccessToken(token or place.azure.token, time.time() + 3600))
    calls = AzureCalls(place.at.place, login, place.at.ca)
    try:
        return list(beforehand.refusals(place.at, calls, instances))
    finally:
        calls.close()


def test_a_workspace_that_is_ready_refuses_nothing(place: AzurePlaceOf) -> None:
    assert said(place) == []


def test_a_workspace_or_a_group_that_is_missing_is_said_with_the_names_to_look_at(place: AzurePlaceOf) -> None:
    place.azure.foundations.workspace_there = False
    assert said(place) == [
        (
            "azureml ws: there is no such workspace in the group rg; check azureml.subscription, resource_group and "
            "workspace, or make it: 'quarterdeck azure setup'"
        )
    ]
    place.azure.foundations.group_there = False
    (line,) = said(place)
    assert line.endswith("knows no such group; check azureml.subscription and resource_group")
    place.azure.foundations.group_there = place.azure.foundations.workspace_there = True
    place.azure.surroundings.unregistered.add("Microsoft.MachineLearningServices")
    (line,) = said(place)
    assert "az provider register --namespace Microsoft.MachineLearningServices" in line


@pytest.mark.parametrize("on", ["azureml", "local"])
async def test_a_cluster_that_is_not_there_is_said_before_anything_is_trained_on_it(
    place: AzurePlaceOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: str
) -> None:
    """Wherever the version is to be served."""
    monkeypatch.setattr(kind, "_calls", lambda at: AzureCalls(at.place, AzureLogin(at.place, place.token), at.ca))
    monkeypatch.setenv("SSL_CERT_FILE", str(place.azure.ca))
    (tmp_path / "trains").mkdir()
    there = {"cloud": {"resource_manager": place.azure.url, "storage": DOMAIN}, "cluster": {"name": "nope"}}
    settings = settings_of(tmp_path / "trains", there, target=on, train={"on": "azureml"})
    missing = (
        "azureml ws: there is no compute cluster nope; make it: 'quarterdeck azure setup', or name one that is there "
        "in azureml.cluster.name"
    )
    assert await refused_there(settings, PLAN) == [missing]
    assert await refused_there(settings, replace(PLAN, steps=PLAN.steps[1:])) == []
    place.azure.foundations.workspace_there = False
    (line,) = await refused_there(settings, PLAN)
    assert "there is no such workspace in the group rg" in line


def test_a_login_that_has_run_out_and_a_role_that_is_missing_are_said(place: AzurePlaceOf) -> None:
    ended = place.azure.logins.login("eve@example.com")
    place.azure.logins.end(ended)
    (line,) = said(place, ended)
    assert "the login has run out; call 'az login'" in line
    less = place.azure.logins.login("bob@example.com", "onlineEndpoints/write")
    assert said(place, less) == [
        (
            "azureml ws: bob@example.com may not Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write; "
            "ask for the role 'AzureML Data Scientist' on it, then log in again"
        )
    ]
    blind = place.azure.logins.login("zoe@example.com", "workspaces/read")
    (line,) = said(place, blind)
    assert "zoe@example.com may not Microsoft.MachineLearningServices/workspaces/read" in line


def test_a_login_that_may_not_scale_is_refused_only_where_a_release_would_scale(
    place: AzurePlaceOf, tmp_path: Path
) -> None:
    (tmp_path / "scaled").mkdir()
    scaled = AzurePlaceOf(place.azure, tmp_path / "scaled", {"name": "late", "autoscaling": SCALED})
    less = place.azure.logins.login("bob@example.com", "Microsoft.Insights/autoscaleSettings/write")
    assert said(place, less) == []
    assert said(scaled) == []
    assert said(scaled, less) == [
        (
            "azureml ws: bob@example.com may not Microsoft.Insights/autoscaleSettings/write, which "
            "endpoint.autoscaling needs; ask for the role 'Monitoring Contributor' on the group rg, then log in again, "
            "or leave endpoint.autoscaling out"
        )
    ]


def test_an_address_of_stores_that_is_not_the_workspaces_is_said(place: AzurePlaceOf, tmp_path: Path) -> None:
    cloud = {"resource_manager": place.azure.url, "storage": "core.windows.net"}
    (tmp_path / "other").mkdir()
    other = AzurePlaceOf(place.azure, tmp_path / "other", cloud=cloud)
    assert said(other) == [
        (
            "azureml ws: no file can be put there: azureml.cloud.storage is core.windows.net, and the workspace's own "
            "store is at core.localhost; write that"
        )
    ]


def test_a_size_that_the_region_has_not_and_a_quota_without_room_are_said(place: AzurePlaceOf) -> None:
    quota = place.azure.quota
    quota.limits[FAMILY] = 9
    assert said(place) == [
        (
            f"azureml ws: out of quota: 2 x Standard_DS3_v2 need 10 cores of {FAMILY}, 9 of 9 are free; take fewer or "
            "smaller instances (azureml.instance_type), delete what is unused, or ask Azure for more"
        )
    ]
    assert said(place, instances=1) == []
    quota.limits[FAMILY] = 10
    assert said(place) == []
    quota.not_here.add("standard_ds3_v2")
    (line,) = said(place)
    assert line.endswith("has no Standard_DS3_v2; name another size in azureml.instance_type")


def test_cores_of_a_slot_that_is_replaced_count_as_free_and_those_of_what_serves_do_not(place: AzurePlaceOf) -> None:
    """Blue serves and green is idle, each with two instances: eight cores each, and a fifth for upgrades."""
    login = AzureLogin(place.at.place, place.token)
    calls = AzureCalls(place.at.place, login, place.at.ca)
    body = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
    calls.ask("PUT", place.at.path, ENDPOINT_API, body)
    held = {"instanceType": "Standard_DS3_v2", "endpointComputeType": "Managed"}
    deployment = {"location": "eastus", "sku": {"name": "Default", "capacity": 2}, "properties": held}

    def state(path: str, api: str) -> str:
        return str(calls.ask("GET", path, api).body["properties"]["provisioningState"])

    def ready(path: str, api: str) -> None:
        until_s = time.monotonic() + 20
        while state(path, api) != "Succeeded":
            assert time.monotonic() < until_s
            time.sleep(0.05)

    ready(place.at.path, ENDPOINT_API)
    for slot in ("blue", "green"):
        calls.ask("PUT", place.at.deployment(slot), DEPLOYMENT_API, deployment)
        ready(place.at.deployment(slot), DEPLOYMENT_API)
    traffic = {**body, "properties": {"authMode": "Key", "traffic": {"blue": 100}}}
    calls.ask("PUT", place.at.path, ENDPOINT_API, traffic)
    ready(place.at.path, ENDPOINT_API)
    place.azure.quota.limits[FAMILY] = 16
    assert said(place) == []
    (line,) = said(place, instances=4)
    assert "need 20 cores" in line
    calls.ask("DELETE", place.at.deployment("green"), DEPLOYMENT_API)
    place.azure.quota.limits[FAMILY] = 17
    until_s = time.monotonic() + 20
    while not said(place):
        assert time.monotonic() < until_s
        time.sleep(0.05)
    calls.close()


@pytest.mark.parametrize("path", ["permissions", "/vmSizes", "/usages", "datastores", "onlineEndpoints"])
@pytest.mark.parametrize(
    ("kind", "status"), [(FaultKind.STATUS, 403), (FaultKind.STATUS, 500), (FaultKind.DROP, 0)], ids=str
)
def test_what_can_not_be_known_stops_nobody(place: AzurePlaceOf, path: str, kind: FaultKind, status: int) -> None:
    place.azure.fault(kind, path=path, status=status, code="Forbidden", message="no", service=False)
    assert said(place) == []


def test_a_workspace_that_does_not_answer_is_no_refusal(place: AzurePlaceOf) -> None:
    place.azure.fault(FaultKind.DROP, path="workspaces/ws")
    with pytest.raises(Unreachable, match="azureml ws: GET workspaces/ws: no answer from localhost"):
        said(place)


async def test_the_kind_asks_with_the_login_of_this_shell_and_only_for_a_plan_that_deploys(
    place: AzurePlaceOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in place.azure.environment().items():
        monkeypatch.setenv(name, value)
    cloud = {"resource_manager": place.azure.url, "storage": DOMAIN}
    settings = settings_of(tmp_path, {"cloud": cloud})
    assert isinstance(KIND, Forewarning)
    place.azure.quota.limits[FAMILY] = 0
    (line,) = await KIND.beforehand(settings, PLAN)
    assert "out of quota" in line
    assert await KIND.beforehand(settings, Plan("canary", (Work("train"),))) == ()


async def test_who_hangs_is_waited_for_no_longer_than_a_while(
    place: AzurePlaceOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in place.azure.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(beforehand, "WITHIN_S", 0.3)
    place.azure.fault(FaultKind.HANG, path="/identity", seconds=20)
    cloud = {"resource_manager": place.azure.url, "storage": DOMAIN}
    async with asyncio.timeout(15):
        with pytest.raises(Unreachable, match=r"azureml ws: no answer within 0.3 s"):
            await KIND.beforehand(settings_of(tmp_path, {"cloud": cloud}), PLAN)
