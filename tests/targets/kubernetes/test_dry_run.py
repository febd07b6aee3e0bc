"""What an apply would change: field by field, tried by the server, and nothing of it kept."""

from typing import Any

import pytest

from core.targets.kubernetes import manifests
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.differing import differences
from core.targets.kubernetes.dry_run import DryRun, compared
from core.targets.kubernetes.paths import DEPLOYMENTS
from core.targets.kubernetes.settings import Traffic
from tests.kubernetes import bodies
from tests.kubernetes.caller import Caller
from tests.targets.helpers import ONE, two_slots, watching
from tests.targets.kubernetes.conftest import MakePlace
from tests.targets.kubernetes.places import IMAGE, ClusterPlace

SCALING = {"replicas": 1, "autoscaling": {"min": 1, "max": 4, "cpu": 60}}


def _env(value: str) -> Json:
    return {"spec": {"containers": [{"name": "scoring", "env": [{"name": "KEY", "value": value}]}]}}


@pytest.mark.parametrize(
    ("live", "wanted", "lines"),
    [
        ({"spec": {"replicas": 2}}, {"spec": {"replicas": 3}}, ["~ spec.replicas: 2 → 3"]),
        ({"spec": {"a": "x"}}, {"spec": {"b": True}}, ["- spec.a: x", "+ spec.b: true"]),
        ({"metadata": {"uid": "1", "generation": 4}}, {"metadata": {"uid": "2"}, "status": {"a": 1}}, []),
        ({"spec": {"a": {}, "b": [], "c": None}}, {"spec": {}}, []),
        (
            {"spec": {"containers": [{"name": "one", "image": "a"}]}},
            {"spec": {"containers": [{"name": "side", "image": "s"}, {"name": "one", "image": "a"}]}},
            ["+ spec.containers[side].image: s", "+ spec.containers[side].name: side"],
        ),
        ({"spec": {"ports": [{"port": 80}]}}, {"spec": {"ports": [{"port": 81}]}},
         ["- spec.ports[80].port: 80", "+ spec.ports[81].port: 81"]),
        ({"spec": {"args": ["a", "b"]}}, {"spec": {"args": ["a", "c"]}}, ["~ spec.args[1]: b → c"]),
        ({"kind": "Secret", "data": {"key": "b25l"}}, {"kind": "Secret", "data": {"key": "dHdv"}},
         ["~ data.key: (not shown)"]),
        ({"kind": "Secret", "data": {}}, {"kind": "Secret", "data": {"key": "dHdv"}}, ["+ data.key: (not shown)"]),
        (_env("s3cret"), _env("other"), ["~ spec.containers[scoring].env[KEY].value: (not shown)"]),
    ],
)  # fmt: skip
def test_fields_that_differ_are_lines_and_what_the_server_keeps_is_none(
    live: Json, wanted: Json, lines: list[str]
) -> None:
    assert differences(live, wanted) == lines


def _objects(place: ClusterPlace, key: str = "") -> list[Json]:
    objects = manifests.all_of(place.at, "blue", ONE, IMAGE)
    return [*objects, manifests.key_secret(place.at, key)] if key else objects


def _tried(place: ClusterPlace, objects: list[Json]) -> dict[str, DryRun]:
    return {one.what: one for one in compared(place.at, place.calls, objects)}


@pytest.mark.parametrize(
    ("traffic", "endpoint"), [("replicas", SCALING), ("selector", {"replicas": 1}), ("gateway", {"replicas": 1})]
)
async def test_what_a_release_left_is_what_an_export_has(
    place_of: MakePlace, traffic: Traffic, endpoint: dict[str, Any]
) -> None:
    """In each way of traffic, though releases write rules and selectors that no export has."""
    place = place_of(traffic, endpoint=endpoint)
    new = _tried(place, _objects(place))
    assert all(one.new and not one.error for one in new.values())
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.route({"blue": 100.0, "green": 0.0})
        found = _tried(place, _objects(place))
        assert [one for one in found.values() if not one.same] == []
        await target.route({"blue": 0.0, "green": 100.0})
        (moved,) = [one for one in _tried(place, _objects(place)).values() if not one.same]
    assert moved.conflict.startswith("releases hold spec.")
    assert any("blue" in line for line in moved.changes)


async def test_a_changed_setting_is_told_and_not_applied(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint={"replicas": 1, "memory": "256Mi"})
    await place.target().apply("blue", ONE, 1)
    held = _spec(place)
    objects = _objects(place)
    (container,) = next(one for one in objects if one["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"]
    container["resources"]["limits"]["memory"] = "1Gi"
    found = _tried(place, objects)["deployments/late-blue"]
    path = "spec.template.spec.containers[scoring].resources.limits.memory"
    assert (found.changes, found.conflict) == ((f"~ {path}: 256Mi → 1Gi",), "")
    assert _spec(place) == held


async def test_whose_field_it_is_is_said_and_the_difference_too(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint={"replicas": 1})
    await place.target().apply("blue", ONE, 1)
    caller = Caller(place.cluster, place.namespace)
    caller.patch("deployments.apps", "late-blue", {"spec": {"revisionHistoryLimit": 7}}, fieldManager="kubectl-edit")
    found = _tried(place, _objects(place))["deployments/late-blue"]
    assert "~ spec.revisionHistoryLimit: 7 → 2" in found.changes
    assert found.conflict == "kubectl-edit holds spec.revisionHistoryLimit"
    assert _spec(place)["revisionHistoryLimit"] == 7
    caller.client.close()


async def test_a_key_that_differs_is_not_shown(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint={"replicas": 1, "key_env": "LATE_KEY"})
    caller = Caller(place.cluster, place.namespace)
    place.calls.ask("POST", f"/api/v1/namespaces/{place.namespace}/secrets", manifests.key_secret(place.at, "first"))
    found = _tried(place, _objects(place, "second"))["secrets/late-key"]
    assert (found.changes, found.new) == (("~ data.key: (not shown)",), False)
    caller.client.close()


async def test_somebody_elses_object_is_no_reason_to_stop(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint={"replicas": 1})
    caller = Caller(place.cluster, place.namespace)
    caller.apply("deployments.apps", bodies.deployment("late-blue", 1), manager="kubectl")
    found = _tried(place, _objects(place))
    assert "is not Quarterdeck's" in found["deployments/late-blue"].error
    assert found["services/late"].new
    caller.client.close()


def _spec(place: ClusterPlace) -> Json:
    found: Json = place.calls.ask("GET", DEPLOYMENTS.path(place.namespace, "late-blue"))["spec"]
    return found
