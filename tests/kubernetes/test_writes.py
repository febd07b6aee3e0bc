"""Writes through the API: versions, patches, apply, refusals."""

import pytest

from tests.kubernetes.bodies import autoscaler, config_map, deployment, service
from tests.kubernetes.caller import Caller
from tests.kubernetes.registry import APPLY_PATCH, JSON_PATCH, STRATEGIC_PATCH


def test_a_write_onto_a_version_left_behind_is_a_conflict(caller: Caller) -> None:
    first = caller.create("configmaps", config_map("notes", a="1")).json()
    assert caller.send("PUT", caller.path("configmaps", "notes"), {**first, "data": {"a": "2"}}).status_code == 200
    late = caller.send("PUT", caller.path("configmaps", "notes"), {**first, "data": {"a": "3"}})
    assert (late.status_code, late.json()["reason"]) == (409, "Conflict")
    stale = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "data": {"a": "4"}}
    assert caller.patch("configmaps", "notes", stale).status_code == 409
    assert caller.read("configmaps", "notes")["data"] == {"a": "2"}


def test_a_write_that_changes_nothing_keeps_the_version(caller: Caller) -> None:
    made = caller.apply("configmaps", config_map("notes", a="1"))
    again = caller.apply("configmaps", config_map("notes", a="1"))
    patched = caller.patch("configmaps", "notes", {"data": {"a": "1"}})
    versions = {one.json()["metadata"]["resourceVersion"] for one in (made, again, patched)}
    assert (made.status_code, again.status_code, len(versions)) == (201, 200, 1)


def test_apply_of_anothers_field_is_a_conflict_that_names_field_and_owner(caller: Caller) -> None:
    caller.apply("deployments.apps", deployment("late", 2))
    other = deployment("late", 3, image="registry.example/late:9")
    refused = caller.apply("deployments.apps", other, "someone-else")
    fields = [one["field"] for one in refused.json()["details"]["causes"]]
    assert refused.status_code == 409
    assert fields == [".spec.replicas", '.spec.template.spec.containers[name="server"].image']
    assert 'conflicts with "quarterdeck":\n- .spec.replicas' in refused.json()["message"]
    assert caller.apply("deployments.apps", other, "someone-else", force="true").json()["spec"]["replicas"] == 3
    assert caller.apply("deployments.apps", deployment("late", 2)).status_code == 409


def test_the_scale_is_another_manager_and_what_is_left_out_falls_back(caller: Caller) -> None:
    body = deployment("late", 0)
    caller.apply("deployments.apps", body)
    caller.patch("deployments.apps", "late", {"spec": {"replicas": 2}}, sub="scale", fieldManager="quarterdeck")
    refused = caller.apply("deployments.apps", body).json()["message"]
    assert 'conflict with "quarterdeck" with subresource "scale" using apps/v1: .spec.replicas' in refused
    del body["spec"]["replicas"]
    assert caller.apply("deployments.apps", body).json()["spec"]["replicas"] == 2
    alone = deployment("alone", 2)
    caller.apply("deployments.apps", alone)
    del alone["spec"]["replicas"]
    assert caller.apply("deployments.apps", alone).json()["spec"]["replicas"] == 1


def test_apply_takes_away_an_item_of_a_list_that_it_no_longer_names(caller: Caller) -> None:
    body = deployment("late", 0)
    server = body["spec"]["template"]["spec"]["containers"][0]
    server["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    caller.apply("deployments.apps", body)
    server["env"] = [{"name": "B", "value": "3"}]
    applied = caller.apply("deployments.apps", body).json()["spec"]["template"]["spec"]["containers"][0]
    assert applied["env"] == [{"name": "B", "value": "3"}]
    assert applied["terminationMessagePolicy"] == "File"


def test_a_strategic_patch_merges_by_name_and_a_json_patch_tests_first(caller: Caller) -> None:
    caller.create("deployments.apps", deployment("late", 0))
    change = {
        "spec": {"template": {"spec": {"containers": [{"name": "server", "env": [{"name": "A", "value": "1"}]}]}}}
    }
    patched = caller.patch("deployments.apps", "late", change, STRATEGIC_PATCH).json()
    assert patched["spec"]["template"]["spec"]["containers"][0]["image"]
    assert caller.patch("deployments.apps", "late", change).status_code == 422
    test = [
        {"op": "test", "path": "/spec/replicas", "value": 0},
        {"op": "replace", "path": "/spec/replicas", "value": 0},
    ]
    assert caller.patch("deployments.apps", "late", test, JSON_PATCH).status_code == 200
    test[0]["value"] = 7
    assert caller.patch("deployments.apps", "late", test, JSON_PATCH).status_code == 422


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("deployments.apps", deployment("late", -1), "spec.replicas: Invalid value: -1: must be"),
        ("deployments.apps", deployment("Late_1"), "metadata.name: Invalid value"),
        ("deployments.apps", deployment("late", cpu="-1"), "resources.requests[cpu]: Invalid value"),
        ("services", service("l" * 64, "late"), "must be no more than 63 characters"),
        ("horizontalpodautoscalers.autoscaling", autoscaler("late", 5, 2), "greater than or equal to `minReplicas`"),
    ],
)  # fmt: skip
def test_what_is_invalid_is_refused_with_its_field(
    caller: Caller, kind: str, body: dict[str, object], said: str
) -> None:
    refused = caller.create(kind, body)
    assert (refused.status_code, refused.json()["reason"]) == (422, "Invalid")
    assert said in refused.json()["message"]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("{not json", 400, "the object provided is unrecognized (must be of type Deployment)"),
        (
            {"spec": {"replicas": "two"}},
            400,
            "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas",
        ),
        ({"kind": "ConfigMap", "apiVersion": "v1"}, 400, "unknown conversion"),
        ({"metadata": {"namespace": "elsewhere"}}, 400, "does not match the namespace sent on the request"),
    ],
)
def test_a_bad_body_is_a_bad_request(caller: Caller, body: object, code: int, said: str) -> None:
    answer = caller.send("POST", caller.path("deployments.apps"), body)
    assert (answer.status_code, answer.json()["reason"]) == (code, "BadRequest")
    assert said in answer.json()["message"]


def test_an_unknown_field_is_dropped_refused_or_fails_an_apply(caller: Caller) -> None:
    body = deployment("late", 0)
    body["spec"]["replcias"] = 2
    strict = caller.create("deployments.apps", body, fieldValidation="Strict").json()["message"]
    assert 'unknown field "spec.replcias"' in strict
    assert caller.create("deployments.apps", body, dryRun="All").status_code == 201
    failed = caller.apply("deployments.apps", body)
    assert (failed.status_code, ".spec.replcias: field not declared in schema" in failed.text) == (500, True)
    assert caller.patch("deployments.apps", "late", body, APPLY_PATCH).json()["details"]["kind"] == "PatchOptions"
    assert caller.get("deployments.apps", "late").status_code == 404


def test_a_lease_is_taken_by_one_only_and_its_times_have_fractions(caller: Caller) -> None:
    body = {"metadata": {"name": "late"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}}
    seen = caller.create("leases.coordination.k8s.io", body).json()
    path = caller.path("leases.coordination.k8s.io", "late")
    assert caller.send("PUT", path, {**seen, "spec": {"holderIdentity": "b"}}).status_code == 200
    assert caller.send("PUT", path, {**seen, "spec": {"holderIdentity": "a"}}).status_code == 409
    whole = {"metadata": {"name": "late"}, "spec": {"renewTime": "2026-01-01T00:00:00Z"}}
    assert caller.send("PUT", path, whole).status_code == 400
    assert caller.patch("leases.coordination.k8s.io", "late", {"spec": whole["spec"]}).status_code == 422
