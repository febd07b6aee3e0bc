"""Objects for a cluster: selectors find what they mean, shares are whole numbers, and a server takes them all."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as with_settings, strategies as st

from core.config.serving import EndpointSettings
from core.domain.errors import BadInput
from core.domain.model import Version
from core.images.record import ImageRecord, keep
from core.targets.kubernetes.labels import cluster_endpoint, marks, ours, version_of
from core.targets.kubernetes.manifests import (
    all_of,
    autoscaler,
    bounds,
    image_of,
    key_secret,
    pin,
    route,
    service,
    slot_service,
)
from core.targets.kubernetes.manifests_pod import MODEL, PORT, arguments, deployment
from scoring.__main__ import _parser
from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.defaults import filled
from tests.kubernetes.kinds import RESOURCES, Json, resource
from tests.kubernetes.schema import unknown
from tests.kubernetes.selectors import matches
from tests.kubernetes.validation import wrong
from tests.kubernetes_schemas import kept
from tests.targets.kubernetes_scenes import GATEWAY, IMAGE, SEVEN, endpoint_of, settings_of

PLURAL = {one.kind: one.qualified for one in RESOURCES}
SCALED = {"name": "late", "replicas": 3, "autoscaling": {"min": 1, "max": 15, "cpu": 60, "memory": 80.4}}


def pod_labels(body: Json) -> dict[str, str]:
    found: dict[str, str] = body["spec"]["template"]["metadata"]["labels"]
    return found


def test_a_service_reaches_the_slots_that_get_traffic_and_no_other(tmp_path: Path) -> None:
    at = endpoint_of(tmp_path)
    pods = {slot: pod_labels(deployment(at, slot, SEVEN, IMAGE, 1)) for slot in ("blue", "green")}

    def reached(body: Json) -> list[str]:
        chosen = body["spec"]["selector"]
        return [slot for slot, labels in pods.items() if chosen.items() <= labels.items()]

    assert reached(service(at, [])) == []
    assert reached(service(at, ["green"])) == ["green"]
    assert reached(service(at, ["blue", "green"])) == ["blue", "green"]
    assert reached(slot_service(at, "blue")) == ["blue"]


def test_a_service_has_the_type_and_the_port_of_the_settings(tmp_path: Path) -> None:
    at = endpoint_of(tmp_path, {"service": {"type": "NodePort", "port": 8443}})
    [port] = service(at, ["blue"])["spec"]["ports"]
    assert service(at, ["blue"])["spec"]["type"] == "NodePort"
    assert (port["port"], port["targetPort"]) == (8443, "http")


def test_replicas_are_left_out_where_an_autoscaler_owns_them(tmp_path: Path) -> None:
    fixed, scaled = endpoint_of(tmp_path), endpoint_of(tmp_path, endpoint=SCALED)
    by_kind = {body["kind"]: body for body in all_of(scaled, "blue", SEVEN, IMAGE)}
    assert "replicas" not in by_kind["Deployment"]["spec"]
    spec = by_kind["HorizontalPodAutoscaler"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 15) == bounds(scaled)
    assert [(one["resource"]["name"], one["resource"]["target"]["averageUtilization"]) for one in spec["metrics"]] == [
        ("cpu", 60),
        ("memory", 80),
    ]
    assert spec["scaleTargetRef"]["name"] == by_kind["Deployment"]["metadata"]["name"]
    plain = {body["kind"]: body for body in all_of(fixed, "blue", SEVEN, IMAGE)}
    assert plain["Deployment"]["spec"]["replicas"] == 2
    assert "HorizontalPodAutoscaler" not in plain


def test_an_autoscaler_that_is_held_has_one_count(tmp_path: Path) -> None:
    held = autoscaler(endpoint_of(tmp_path, endpoint=SCALED), "green", 4, 4)["spec"]
    assert (held["minReplicas"], held["maxReplicas"]) == (4, 4)


def test_an_autoscaler_goes_as_fast_as_is_written(tmp_path: Path) -> None:
    down = {"window_s": "2m", "policies": [{"percent": 10, "period_s": 60}, {"pods": 2}], "select": "min"}
    scaling = {"min": 1, "max": 4, "cpu": 60, "behavior": {"down": down, "up": {"select": "disabled"}}}
    at = endpoint_of(tmp_path, endpoint={"name": "late", "autoscaling": scaling})
    assert kept().wrong(body := autoscaler(at, "blue", 1, 4)) == []
    assert body["spec"]["behavior"] == {
        "scaleUp": {"selectPolicy": "Disabled"},
        "scaleDown": {
            "stabilizationWindowSeconds": 120,
            "policies": [
                {"type": "Percent", "value": 10, "periodSeconds": 60},
                {"type": "Pods", "value": 2, "periodSeconds": 15},
            ],
            "selectPolicy": "Min",
        },
    }
    assert "behavior" not in autoscaler(endpoint_of(tmp_path, endpoint=SCALED), "blue", 1, 4)["spec"]


def test_a_version_is_read_back_from_what_it_is_annotated_with(tmp_path: Path) -> None:
    body = deployment(endpoint_of(tmp_path), "blue", SEVEN, IMAGE, 1)
    assert version_of(body["metadata"]["annotations"]) == SEVEN
    assert version_of(body["spec"]["template"]["metadata"]["annotations"]) == SEVEN
    assert version_of(None) is version_of({"quarterdeck.dev/model": "late"}) is None


def test_only_what_carries_our_mark_is_ours(tmp_path: Path) -> None:
    at = endpoint_of(tmp_path)
    assert ours(marks(at, "blue"), at)
    for labels in (None, {}, {**marks(at), "app.kubernetes.io/managed-by": "Helm"}, {"app": "late"}):
        assert not ours(labels, at)
    assert not ours({**marks(at), "quarterdeck.dev/endpoint": "early"}, at)


@given(st.builds(Version, *[st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1)] * 4))
def test_the_service_understands_what_it_is_told(version: Version) -> None:
    told = arguments(EndpointSettings(name="late", drain_s=7.5), version)
    # As a kubelet does it: `$$` is a `$`.
    found = _parser().parse_args([one.replace("$$", "$") for one in told])
    assert (found.folder, found.host, found.port, found.drain_s) == (MODEL, "0.0.0.0", PORT, 7.5)  # noqa: S104
    assert Version(found.model, found.version, found.run_id, found.uri) == version


def test_what_kubernetes_would_put_variables_into_is_kept_as_it_is(tmp_path: Path) -> None:
    version = Version("$(HOME) $x", "$$7")
    [server] = deployment(endpoint_of(tmp_path), "blue", version, IMAGE, 1)["spec"]["template"]["spec"]["containers"]
    assert "--model=$$(HOME) $$x" in server["args"]
    assert "--version=$$$$7" in server["args"]
    assert not [one for one in server["args"] if one.startswith(("--run-id", "--uri"))]


def test_a_gateway_splits_by_weight_and_copies(tmp_path: Path) -> None:
    at = endpoint_of(tmp_path, {**GATEWAY, "gateway": {**GATEWAY["gateway"], "host": "late.example.com"}})  # type: ignore[dict-item]
    [rule] = route(at, {"blue": 90.0, "green": 10.0})["spec"]["rules"]
    assert {one["name"]: one["weight"] for one in rule["backendRefs"]} == {"late-blue": 90, "late-green": 10}
    assert route(at, {"blue": 100.0})["spec"]["hostnames"] == ["late.example.com"]
    [rule] = route(at, {"blue": 99.5, "green": 0.5})["spec"]["rules"]
    assert {one["name"]: one["weight"] for one in rule["backendRefs"]} == {"late-blue": 9950, "late-green": 50}
    [rule] = route(at, {"blue": 100.0}, {"green": 20.0})["spec"]["rules"]
    [copy] = rule["filters"]
    assert (copy["requestMirror"]["backendRef"]["name"], copy["requestMirror"]["percent"]) == ("late-green", 20)
    [copy] = route(at, {"blue": 100.0}, {"green": 0.5})["spec"]["rules"][0]["filters"]
    assert copy["requestMirror"]["fraction"] == {"numerator": 50, "denominator": 10_000}


def test_only_who_knows_the_secret_reaches_a_slot_without_traffic(tmp_path: Path) -> None:
    at = endpoint_of(tmp_path, GATEWAY)
    assert len(route(at, {"blue": 100.0, "green": 0.0})["spec"]["rules"]) == 1
    *pinned, _ = route(at, {"blue": 100.0, "green": 0.0}, secret="5ec")["spec"]["rules"]
    found = {one["backendRefs"][0]["name"]: one["matches"][0]["headers"][0] for one in pinned}
    assert set(found) == {"late-blue", "late-green"}
    assert {found["late-green"]["name"]: found["late-green"]["value"]} == pin("green", "5ec")


def test_each_version_has_its_own_image(tmp_path: Path) -> None:
    pushed = f"registry.example/late@sha256:{'7' * 64}"
    settings = settings_of(tmp_path, {"image": None})
    with pytest.raises(
        BadInput, match=r"image: is not set, and .*: quarterdeck image build 7, then quarterdeck image push"
    ):
        image_of(cluster_endpoint(settings), SEVEN)
    record = ImageRecord("late", "7", pushed.partition("@")[2], "late-v7", "quarterdeck", 1, 1)
    keep(settings, record)
    with pytest.raises(BadInput, match="none of v7 was pushed from here: quarterdeck image push 7; or"):
        image_of(cluster_endpoint(settings), SEVEN)
    keep(settings, record.with_place(pushed))
    assert image_of(cluster_endpoint(settings), SEVEN) == pushed


def test_an_image_that_holds_another_version_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert image_of(cluster_endpoint(settings), SEVEN) == IMAGE
    digest = IMAGE.partition("@")[2]
    keep(settings, ImageRecord("late", "7", digest, "late-v7", "quarterdeck", 1, 1))
    keep(settings, ImageRecord("late", "8", f"sha256:{'8' * 64}", "late-v8", "quarterdeck", 1, 1))
    assert image_of(cluster_endpoint(settings), SEVEN) == IMAGE
    with pytest.raises(BadInput, match=r"kubernetes.image: is not the image of v8, which is sha256:888"):
        image_of(cluster_endpoint(settings), Version("late", "8"))


def test_a_key_is_named_in_a_pod_and_stands_in_a_secret_alone(tmp_path: Path) -> None:
    at = endpoint_of(tmp_path, endpoint={"name": "late", "key_env": "LATE_KEY"})
    secret = key_secret(at, "s3cret")
    objects = all_of(at, "blue", SEVEN, IMAGE)
    [server] = next(one for one in objects if one["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"]
    [variable] = server["env"]
    reference = variable["valueFrom"]["secretKeyRef"]
    assert variable["name"] == "SCORING_KEY"
    assert (reference["name"], reference["key"]) == (secret["metadata"]["name"], *secret["data"])
    assert "Secret" not in {one["kind"] for one in objects}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One with a gateway API."""
    with running() as one:
        one.do(lambda: setattr(one, "gateway", True))
        yield one
        assert one.troubles == []


@pytest.mark.parametrize(
    ("home", "place"),
    [("own", {"create_namespace": True}), ("all-or-none", {"traffic": "selector"}), ("behind-gateway", GATEWAY)],
)
def test_a_server_takes_every_object_and_the_same_again_changes_nothing(
    cluster: Cluster, tmp_path: Path, home: str, place: dict[str, Any]
) -> None:
    at = endpoint_of(tmp_path, {**place, "namespace": home}, endpoint={**SCALED, "key_env": "LATE_KEY"})
    objects = [*all_of(at, "blue", SEVEN, IMAGE), key_secret(at, "s3cret")]
    caller = Caller(cluster, home)
    with caller.client:
        if not place.get("create_namespace"):
            caller.create("namespaces", {"metadata": {"name": home}})
        for body in objects:
            plural, name = PLURAL[body["kind"]], body["metadata"]["name"]
            tried = caller.apply(plural, body, dryRun="All", fieldValidation="Strict")
            assert tried.status_code == 201, tried.text
            assert caller.get(plural, name).status_code == 404
            if body["kind"] == "Namespace":
                caller.apply(plural, body)
        first = [caller.apply(PLURAL[body["kind"]], body).json() for body in objects]
        again = [caller.apply(PLURAL[body["kind"]], body).json() for body in objects]
    assert [wished(body) for body in again] == [wished(body) for body in first]


def wished(body: Json) -> Json:
    """All but what the cluster itself writes: its controllers are at work meanwhile."""
    spec = {key: value for key, value in body.get("spec", {}).items() if key != "replicas"}
    return {"labels": body["metadata"]["labels"], "uid": body["metadata"]["uid"], **spec, **body.get("data", {})}


NAMES = st.from_regex(r"\A[a-z]([a-z0-9_-]{0,40}[a-z0-9])?\Z")
TEXTS = st.text(st.characters(exclude_characters="/:", exclude_categories=["C", "Z"]), min_size=1, max_size=40)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any], str, Version]:
    low = draw(st.integers(1, 20))
    scaling = draw(
        st.none()
        | st.builds(
            lambda more, cpu: {"min": low, "max": low + more, "cpu": cpu}, st.integers(0, 20), st.floats(0.1, 500)
        )
    )
    endpoint = {
        "name": draw(NAMES),
        "replicas": draw(st.integers(1, 50)),
        "cpu": draw(st.sampled_from(["1m", "250m", 0.5, 1, 2.25, "1000m"])),
        "key_env": draw(st.sampled_from([None, "LATE_KEY"])),
        "autoscaling": scaling,
    }
    place = {
        **draw(st.sampled_from([{}, {"traffic": "selector"}, GATEWAY])),
        "create_namespace": draw(st.booleans()),
        "disruption_budget": draw(st.booleans()),
        "pull_secret": draw(st.sampled_from([None, "registry"])),
    }
    version = Version(draw(TEXTS), draw(TEXTS), draw(TEXTS), draw(TEXTS), draw(TEXTS))
    return endpoint, place, draw(st.sampled_from(["prod", "staging", "dev"])), version


@with_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenes())
def test_whatever_the_settings_names_are_valid_and_selectors_find_their_pods(
    tmp_path: Path, scene: tuple[dict[str, Any], dict[str, Any], str, Version]
) -> None:
    endpoint, place, env, version = scene
    at = endpoint_of(tmp_path, place, env=env, endpoint=endpoint)
    for slot in ("blue", "green"):
        objects = all_of(at, slot, version, IMAGE)
        assert len({(one["kind"], one["metadata"]["name"]) for one in objects}) == len(objects)
        by_kind = {one["kind"]: one for one in objects}
        body = by_kind["Deployment"]
        assert by_kind["Service"]["spec"]["selector"].items() <= pod_labels(body).items()
        for one in filter(None, (body, by_kind.get("PodDisruptionBudget"))):
            assert matches(one["spec"]["selector"], pod_labels(body))
        for one in objects:
            assert one["kind"] == "Namespace" or ours(one["metadata"]["labels"], at)
            assert json.loads(json.dumps(one)) == one
            taken(one)


def taken(body: Json) -> None:
    """Neither the published schema nor the server's own checks find anything wrong in it."""
    assert kept().wrong(body) == []
    of, whole = resource(PLURAL[body["kind"]]), copy.deepcopy(body)
    assert unknown(of, body) == []
    filled(of, whole)
    assert wrong(of, whole) == []
