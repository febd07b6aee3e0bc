"""Endpoints and deployments over the REST, as the recordings have them."""

import pytest

from tests.azure.caller import DEPLOYMENTS, AzureCaller, until
from tests.azure.standin import AzureStandIn


def test_an_endpoint_is_creating_until_its_operation_ends_and_then_has_an_address(caller: AzureCaller) -> None:
    answer = caller.put_endpoint("fresh")
    shown = answer.json()["properties"]
    assert answer.status_code == 201
    assert (shown["provisioningState"], shown["scoringUri"], shown["swaggerUri"]) == ("Creating", None, None)
    assert answer.headers["x-ms-async-operation-timeout"] == "PT30M"
    assert "retry-after" not in answer.headers
    assert len(answer.headers["azure-asyncoperation"]) > 3000
    first = caller.client.get(answer.headers["azure-asyncoperation"]).json()
    assert (first["status"], first["percentComplete"]) == ("Updating", 0.0)
    assert first["endTime"] == "0001-01-01T00:00:00+00:00"
    assert first["name"].startswith("oeidp:")
    caller.succeed(answer)
    ready = caller.endpoint("fresh")
    assert ready["provisioningState"] == "Succeeded"
    assert ready["scoringUri"].endswith("/score")


def test_an_address_of_an_operation_is_good_as_it_was_given_alone(caller: AzureCaller) -> None:
    address = caller.put_endpoint("signed").headers["azure-asyncoperation"]
    path, _, query = address.partition("?")
    assert caller.client.get(f"{path}?{query.split('&')[0]}").status_code == 403
    assert caller.client.get(address).status_code == 200
    shown = caller.endpoint("signed")["properties"]["AzureAsyncOperationUri"]
    assert shown == f"{path}?{query.split('&')[0]}"


def test_an_answer_to_new_traffic_shows_the_old_one(azure: AzureStandIn, caller: AzureCaller) -> None:
    caller.ready("moving", "blue", "green")
    azure.delays.shown_s = 600
    answer = caller.put_endpoint("moving", {"green": 100})
    assert answer.json()["properties"]["traffic"] == {"blue": 100}
    caller.succeed(answer)
    assert caller.endpoint("moving")["traffic"] == {"blue": 100}
    assert caller.score("moving").json() == {"deployment": "green"}
    azure.delays.shown_s = 0
    until(lambda: caller.endpoint("moving")["traffic"] == {"green": 100}, "the new traffic is shown")


@pytest.mark.parametrize(
    ("traffic", "mirror"),
    [({"nobody": 100}, {}), ({"blue": 90}, {}), ({"blue": 100}, {"green": 60}), ({"blue": 100}, {"nobody": 10})],
)
def test_traffic_that_can_not_be_is_refused(
    caller: AzureCaller, traffic: dict[str, int], mirror: dict[str, int]
) -> None:
    if "refusing" not in caller.azure.endpoints.held:
        caller.ready("refusing", "blue", "green")
    answer = caller.put_endpoint("refusing", traffic, mirror)
    assert answer.status_code == 400
    assert answer.headers["x-ms-response-type"] == "error"
    assert caller.endpoint("refusing")["traffic"] == {"blue": 100}
    assert caller.endpoint("refusing")["provisioningState"] == "Succeeded"


def test_a_second_change_waits_for_the_first_one(azure: AzureStandIn, caller: AzureCaller) -> None:
    caller.ready("held", "blue")
    azure.delays.traffic_s = 30
    first = caller.put_endpoint("held", {"blue": 100})
    busy = caller.put_endpoint("held", {"blue": 100})
    assert (busy.status_code, busy.json()["error"]["code"]) == (409, "Conflict")
    assert "Updating provisioning state" in busy.json()["error"]["message"]
    assert caller.put_deployment("held", "green").status_code == 409
    azure.delays.traffic_s = 0
    caller.succeed(first)


def test_a_creation_of_twenty_minutes_is_over_when_a_test_says_so(azure: AzureStandIn, caller: AzureCaller) -> None:
    caller.ready("slow-one", "blue")
    azure.delays.deployment_s = 1200
    answer = caller.put_deployment("slow-one", "green")
    state = answer.json()["properties"]["provisioningState"]
    assert (state, caller.endpoint("slow-one")["provisioningState"]) == ("Creating", "Succeeded")
    caller.succeed(caller.put_endpoint("slow-one", {"blue": 100}))
    assert caller.client.get(answer.headers["azure-asyncoperation"]).json()["status"] == "Updating"
    azure.delays.deployment_s = 0
    caller.succeed(answer)


def test_what_is_ready_may_still_refuse_and_what_is_new_may_still_be_404(
    azure: AzureStandIn, caller: AzureCaller
) -> None:
    azure.delays.settling_s = azure.delays.hidden_s = 600
    caller.succeed(caller.put_endpoint("settling"))
    assert caller.put_deployment("settling", "blue").status_code == 409
    azure.delays.settling_s = 0
    assert caller.put_deployment("settling", "blue").status_code == 201
    hidden = caller.deployment("settling", "blue")
    assert hidden.status_code == 404
    assert "Deployment blue not found in endpoint settling, workspace ws" in hidden.text
    azure.delays.hidden_s = 0
    assert caller.deployment("settling", "blue").status_code == 200


def test_names_that_others_have_and_names_that_went_a_moment_ago(azure: AzureStandIn, caller: AzureCaller) -> None:
    azure.endpoints.taken.add("theirs")
    azure.endpoints.just_gone.add("gone")
    theirs, gone = caller.put_endpoint("theirs"), caller.put_endpoint("gone")
    assert "There is already an endpoint with this name" in theirs.json()["error"]["details"][0]["message"]
    assert theirs.json()["error"]["code"] == "BadRequest"
    assert (gone.status_code, gone.json()["error"]["details"][0]["code"]) == (404, "InferencingClientCallFailed")


def test_what_the_service_adds_to_an_endpoint_is_not_kept_when_it_comes_back(caller: AzureCaller) -> None:
    caller.succeed(caller.put_endpoint("again"))
    body = caller.send("GET", "onlineEndpoints", "again").json()
    body["properties"]["properties"] |= {"createdBy": "me", "lastModifiedAt": "then", "own": "kept"}
    caller.succeed(caller.send("PUT", "onlineEndpoints", "again", body=body))
    assert set(caller.endpoint("again")["properties"]) == {"own", "azureml.onlineendpointid", "AzureAsyncOperationUri"}


def test_a_deployment_has_its_defaults_and_keeps_its_date_when_its_instances_change(caller: AzureCaller) -> None:
    caller.ready("defaults", "blue")
    before = caller.deployment("defaults", "blue").json()
    settings = before["properties"]
    assert settings["requestSettings"]["requestTimeout"] == "PT5S"
    assert settings["livenessProbe"]["initialDelay"] == "PT10S"
    assert before["sku"] == {"name": "Default", "tier": "Standard", "capacity": 1}
    caller.succeed(caller.put_deployment("defaults", "blue", count=3))
    after = caller.deployment("defaults", "blue").json()
    assert (after["sku"]["capacity"], after["systemData"]["createdAt"]) == (3, before["systemData"]["createdAt"])
    assert len(caller.azure.endpoint("defaults").deployments["blue"].containers) == 3


def test_too_many_cores_are_refused_with_the_numbers_inside_of_a_text(azure: AzureStandIn, caller: AzureCaller) -> None:
    caller.succeed(caller.put_endpoint("costly"))
    azure.quota.limits["standardFSv2Family"] = 6
    answer = caller.put_deployment("costly", "blue", count=2, size="Standard_F4s_v2")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "BadRequest")
    assert error["details"][0]["code"] == "InferencingClientCreateDeploymentFailed"
    assert "Current usage/limit: 0/6. Additional needed: 10" in error["details"][0]["message"]
    assert caller.deployment("costly", "blue").status_code == 404
    caller.succeed(caller.put_deployment("costly", "blue", size="Standard_F4s_v2"))
    assert azure.quota.used("standardFSv2Family") == 4
    del azure.quota.limits["standardFSv2Family"]


def test_what_has_traffic_stays_and_what_has_none_goes(caller: AzureCaller) -> None:
    caller.ready("going", "blue", "green")
    path = ("onlineEndpoints", "going", "deployments")
    assert caller.send("DELETE", *path, "blue", version=DEPLOYMENTS).status_code == 400
    gone = caller.send("DELETE", *path, "green", version=DEPLOYMENTS)
    assert (gone.status_code, gone.text) == (202, "null")
    assert "/mfeOperationResults/" in gone.headers["location"]
    caller.succeed(gone)
    assert caller.client.get(gone.headers["location"]).status_code == 204
    names = [one["name"] for one in caller.send("GET", *path, version=DEPLOYMENTS).json()["value"]]
    assert names == ["blue"]
    assert caller.send("DELETE", *path, "green", version=DEPLOYMENTS).status_code == 204
    caller.succeed(caller.send("DELETE", "onlineEndpoints", "going"))
    assert caller.send("GET", "onlineEndpoints", "going").status_code == 404
    assert caller.send("DELETE", "onlineEndpoints", "going").status_code == 204
    assert not [name for name in caller.azure.quota.held if name.startswith("going/")]


def test_what_is_deleted_while_it_is_made_leaves_nothing(azure: AzureStandIn, caller: AzureCaller) -> None:
    caller.ready("brief", "blue")
    azure.delays.deployment_s = 30
    made = caller.put_deployment("brief", "green")
    caller.succeed(caller.send("DELETE", "onlineEndpoints", "brief", "deployments", "green", version=DEPLOYMENTS))
    azure.delays.deployment_s = 0
    found = caller.finish(made)
    assert (found["status"], found["error"]["message"].split(":")[0]) == ("Failed", "OperationCanceled")
    assert [*azure.endpoint("brief").deployments] == ["blue"]


def test_every_secret_that_was_handed_out_is_known(azure: AzureStandIn, caller: AzureCaller) -> None:
    caller.succeed(caller.put_endpoint("secret"))
    keys = caller.send("POST", "onlineEndpoints", "secret", "listKeys").json()
    caller.succeed(caller.send("POST", "onlineEndpoints", "secret", "regenerateKeys", body={"keyType": "Primary"}))
    token = caller.send("POST", "onlineEndpoints", "secret", "token").json()["accessToken"]
    assert {*keys.values(), token, azure.token} <= azure.secrets()
    assert azure.endpoint("secret").keys.primary != keys["primaryKey"]
