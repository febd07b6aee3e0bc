"""What stands around endpoints: logins, roles, limits, faults, jobs, clusters, cores, autoscale settings."""

import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.azure.caller import AzureCaller, until
from tests.azure.front import RequestLimits
from tests.azure.place import AzurePlace
from tests.azure.standin import AzureStandIn
from tests.kubernetes.faults import FaultKind

JOBS, CANCEL = "2024-01-01-preview", "2023-04-01-preview"


@pytest.fixture
def limited(azure: AzureStandIn) -> Iterator[RequestLimits]:
    """Few reads, and none that come back."""
    before = azure.front.limits
    azure.front.limits = RequestLimits(reads=3, refill_s=100, enforced=True)
    yield azure.front.limits
    azure.front.limits = before


def _job(caller: AzureCaller, name: str, words: str, **more: Any) -> httpx.Response:
    compute = caller.azure.place.path("computes", "cpu-cluster")
    settings = {"jobType": "Command", "command": words, "computeId": compute, "environmentId": "azureml:late:1", **more}
    return caller.send("PUT", "jobs", name, body={"properties": settings}, version="2025-01-01-preview")


def _state(caller: AzureCaller, name: str) -> str:
    return str(caller.send("GET", "jobs", name, version=JOBS).json()["properties"]["status"])


def test_no_login_a_wrong_one_and_one_that_has_ended_are_401(azure: AzureStandIn, caller: AzureCaller) -> None:
    token = azure.logins.login("late@example.com")
    caller.client.headers["Authorization"] = f"Bearer {token}"
    assert caller.send("GET").status_code == 200
    azure.logins.end(token)
    for one in (f"Bearer {token}", "Bearer wrong", ""):
        caller.client.headers["Authorization"] = one
        answer = caller.send("GET")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AuthenticationFailed")


def test_a_missing_role_is_named_with_the_action(azure: AzureStandIn) -> None:
    caller = AzureCaller(azure, azure.logins.login("reader@example.com", "onlineEndpoints/write", "listKeys/action"))
    assert caller.send("GET", "onlineEndpoints").status_code == 200
    refused = caller.put_endpoint("mine")
    assert refused.status_code == 403
    said = refused.json()["error"]
    assert said["code"] == "AuthorizationFailed"
    assert "action 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write'" in said["message"]
    assert "reader@example.com" in said["message"]
    assert caller.send("POST", "onlineEndpoints", "mine", "listKeys").status_code == 403
    allowed = caller.send("GET", "providers", "Microsoft.Authorization", "permissions").json()["value"][0]
    assert "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write" in allowed["notActions"]
    caller.client.close()


@pytest.mark.parametrize(
    ("place", "status", "code"),
    [
        (AzurePlace(subscription="11111111-0000-0000-0000-000000000000"), 404, "SubscriptionNotFound"),
        (AzurePlace(group="other"), 404, "ResourceGroupNotFound"),
        (AzurePlace(name="other"), 404, "ResourceNotFound"),
    ],
)
def test_a_place_that_is_not_there_says_which_part_is_wrong(
    caller: AzureCaller, place: AzurePlace, status: int, code: str
) -> None:
    answer = caller.client.get(place.workspace, params={"api-version": "2024-10-01-preview"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_an_unregistered_provider_refuses_until_it_is_registered(azure: AzureStandIn, caller: AzureCaller) -> None:
    azure.surroundings.unregistered.add("Microsoft.MachineLearningServices")
    assert caller.send("GET").json()["error"]["code"] == "MissingSubscriptionRegistration"
    path = f"/subscriptions/{azure.place.subscription}/providers/Microsoft.MachineLearningServices"
    version = {"api-version": "2021-04-01"}
    assert caller.client.get(path, params=version).json()["registrationState"] == "NotRegistered"
    assert caller.client.post(f"{path}/register", params=version).status_code == 200
    assert caller.client.get(path, params=version).json()["registrationState"] == "Registered"
    assert caller.send("GET").status_code == 200


def test_more_reads_than_the_limit_are_429_with_a_time(limited: RequestLimits, caller: AzureCaller) -> None:
    left = [caller.send("GET").headers["x-ms-ratelimit-remaining-subscription-reads"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    busy = caller.send("GET")
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "100")


def test_a_call_that_hangs_lands_after_its_caller_has_left(azure: AzureStandIn, caller: AzureCaller) -> None:
    caller.ready("late", "blue", "green")
    azure.fault(FaultKind.HANG, "PUT", "onlineEndpoints/late", seconds=2, times=1)
    caller.client.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.TimeoutException):
        caller.put_endpoint("late", {"green": 100})
    caller.client.timeout = httpx.Timeout(60)
    assert caller.endpoint("late")["traffic"] == {"blue": 100}
    until(lambda: caller.endpoint("late")["traffic"] == {"green": 100}, "it lands")


@pytest.mark.parametrize(("kind", "made"), [(FaultKind.DROP, False), (FaultKind.LOSE, True)])
def test_a_connection_that_breaks_before_or_after_the_deed(
    azure: AzureStandIn, caller: AzureCaller, kind: FaultKind, made: bool
) -> None:
    name = f"broken-{kind.value}"
    azure.fault(kind, "PUT", f"onlineEndpoints/{name}", times=1)
    with pytest.raises(httpx.TransportError):
        caller.put_endpoint(name)
    assert (name in azure.endpoints.held) is made


def test_a_fault_has_the_envelope_and_the_words_it_was_given(azure: AzureStandIn, caller: AzureCaller) -> None:
    azure.fault(FaultKind.STATUS, "GET", "workspaces/ws", times=1, status=409, code="Conflict", message="Busy.")
    found = caller.send("GET")
    assert (found.status_code, found.json()["error"]["code"], found.json()["error"]["message"]) == (
        409,
        "Conflict",
        "Busy.",
    )
    assert found.json()["error"]["additionalInfo"]
    assert caller.send("GET").status_code == 200


def test_a_job_runs_as_a_process_and_its_details_lead_to_its_log(azure: AzureStandIn, caller: AzureCaller) -> None:
    words = f"{sys.executable} -c \"import os; print('here', os.environ['WHO'])\""
    answer = _job(caller, "job1", words, environmentVariables={"WHO": "late"})
    assert (answer.status_code, answer.json()["properties"]["status"]) == (201, "Starting")
    until(lambda: _state(caller, "job1") == "Completed", "the job has ended")
    details = caller.client.get(
        f"/history/v1.0{azure.place.workspace}/runs/job1/details", params={"api-version": "v1.0"}
    )
    assert details.json()["status"] == "Completed"
    log = caller.client.get(details.json()["logFiles"]["user_logs/std_log.txt"], headers={"Authorization": ""})
    assert log.text == "here late\n"


def test_a_job_that_fails_says_its_code_and_one_that_is_cancelled_ends(
    azure: AzureStandIn, caller: AzureCaller
) -> None:
    _job(caller, "job2", "echo no; exit 4")
    until(lambda: _state(caller, "job2") == "Failed", "the job has failed")
    assert "status code 4" in azure.jobs.held["job2"].error
    _job(caller, "job3", "sleep 600")
    until(lambda: _state(caller, "job3") == "Running", "the job runs")
    busy = caller.send("GET", "computes", "cpu-cluster").json()["properties"]["properties"]["nodeStateCounts"]
    assert busy["runningNodeCount"] == 1
    begun = caller.send("POST", "jobs", "job3", "cancel", version=CANCEL)
    assert (begun.status_code, "azure-asyncoperation" in begun.headers) == (202, False)
    until(lambda: caller.client.get(begun.headers["location"]).status_code == 200, "the cancel has ended")
    assert _state(caller, "job3") == "Canceled"
    late = caller.send("POST", "jobs", "job3", "cancel", version=CANCEL)
    assert (late.status_code, "terminal" in late.json()["error"]["message"]) == (400, True)


def test_a_job_with_an_unknown_field_or_cluster_is_refused(caller: AzureCaller) -> None:
    error = _job(caller, "job4", "true", nothing="at all").json()["error"]
    assert error["details"][0]["code"] == "RequestInvalid"
    assert "'nothing'" in error["details"][0]["message"]
    assert _job(caller, "job5", "true", computeId="/computes/nobody").status_code == 400
    assert caller.send("GET", "jobs", "job4", version=JOBS).status_code == 404


def test_autoscale_settings_hold_their_bounds_and_follow_what_the_rules_want(
    azure: AzureStandIn, caller: AzureCaller
) -> None:
    held = caller.ready("scaled", "blue")
    target = held.deployments["blue"].path
    profile = {"name": "usual", "capacity": {"minimum": "2", "maximum": "4", "default": "2"}, "rules": []}
    body = {"properties": {"enabled": True, "targetResourceUri": target, "profiles": [profile]}}
    path = f"{azure.place.scope}/providers/Microsoft.Insights/autoscalesettings/scaled-blue"
    version = {"api-version": "2022-10-01"}
    assert caller.client.put(path, json=body, params=version).status_code == 201

    def instances() -> tuple[str, int]:
        found = caller.deployment("scaled", "blue").json()
        return found["properties"]["provisioningState"], found["sku"]["capacity"]

    until(lambda: instances() == ("Succeeded", 2), "the smallest number holds")
    azure.do(lambda: azure.autoscale.wanted("scaled-blue", 9))
    until(lambda: instances() == ("Succeeded", 4), "the largest number holds")
    assert caller.client.get(path, params=version).json()["properties"]["profiles"] == [profile]
    assert caller.client.delete(path, params=version).status_code == 200
    assert caller.client.delete(path, params=version).status_code == 204


def test_sizes_and_cores_of_the_location(azure: AzureStandIn, caller: AzureCaller) -> None:
    azure.quota.not_here.add("standard_f8s_v2")
    home = f"/subscriptions/{azure.place.subscription}/providers/Microsoft.MachineLearningServices/locations/westeurope"
    sizes = caller.client.get(f"{home}/vmSizes", params={"api-version": "2023-04-01"}).json()["value"]
    names = {one["name"] for one in sizes}
    assert "Standard_DS3_v2" in names
    assert "Standard_F8s_v2" not in names
    caller.succeed(caller.put_endpoint("cores"))
    refused = caller.put_deployment("cores", "blue", size="Standard_F8s_v2")
    assert "not available in the current region" in refused.text
    caller.succeed(caller.put_deployment("cores", "blue", size="Standard_DS2_v2"))
    usages = caller.client.get(f"{home}/usages", params={"api-version": "2023-04-01"}).json()["value"]
    family = next(one for one in usages if one["name"]["value"] == "standardDSv2Family")
    assert family["currentValue"] >= 2
    assert family["limit"] == 100
