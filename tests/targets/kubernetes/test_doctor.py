"""The doctor on a cluster: one where all is well, and each thing that may stand in a release's way has its line."""

import contextlib
import json
import shlex
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.config.serving import EndpointSettings
from core.config.settings import Settings
from core.doctor.examine import examine
from core.domain.diagnosis import Condition, Diagnosis
from core.domain.errors import Failed
from core.targets.kinds import kind_of
from core.targets.kubernetes import doctor, doctor_cluster, doctor_endpoint, doctor_image, manifests, rights, room
from core.targets.kubernetes.labels import cluster_endpoint
from core.targets.kubernetes.manifests_pod import deployment
from tests.kubernetes.access import ALL, AccessRule
from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.faults import FaultKind
from tests.kubernetes.images import MISSING, PodImage
from tests.kubernetes.metrics import MetricsApi
from tests.kubernetes.waiting import rolled_out, until
from tests.ports import free_port
from tests.targets.kubernetes_scenes import IMAGE, SEVEN, settings_of

FAIL, WARN, OK = Condition.FAIL, Condition.WARN, Condition.OK
KEY, VARIABLE = "no-secret-but-a-key", "CLUSTER_KEY"
NO_IMAGE = f"registry.example/gone@sha256:{'1b' * 32}"
ENDPOINT = {
    "name": "late",
    "key_env": VARIABLE,
    "cpu": "250m",
    "memory": "256Mi",
    "replicas": 1,
    "autoscaling": {"min": 1, "max": 3, "cpu": 60},
}
AT_ONCE = {"strategy": "blue-green"}
LINES = {*doctor.OF_CLUSTER, *doctor.OF_NAMESPACE, *doctor.OF_ENDPOINT, "cluster", "driver", "autoscaler"}


@dataclass(slots=True)
class Scene:
    """A cluster with one version in it; what a test breaks, it breaks here, and `undo` mends it."""

    cluster: Cluster
    caller: Caller
    folder: Path
    patch: pytest.MonkeyPatch
    place: dict[str, Any]
    undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def settings(self, **more: Any) -> Settings:
        """The project's."""
        return settings_of(self.folder, {**self.place, **more}, endpoint=ENDPOINT, release=AT_ONCE)

    async def examined(self, **more: Any) -> list[Diagnosis]:
        """All lines of the cluster."""
        return await examine(list(kind_of("kubernetes").doctor([self.settings(**more)])))

    def restored(self, plural: str, name: str) -> None:
        """Have an object again as it is now, whatever is done to it."""
        body = self.caller.read(plural, name)
        body["metadata"] = {key: body["metadata"][key] for key in ("name", "labels") if key in body["metadata"]}
        body.pop("status", None)
        if plural == "services":
            body["spec"].pop("clusterIP", None)
            body["spec"].pop("clusterIPs", None)

        def again() -> None:
            self.caller.delete(plural, name)
            assert self.caller.create(plural, body).status_code == 201

        self.undo.callback(again)


def secret(name: str, kind: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": name}, "data": data}


@pytest.fixture(scope="module")
def well() -> Iterator[tuple[Cluster, Caller, dict[str, Any]]]:
    """A cluster, who furnishes it, and the place that it is for a project."""
    with running() as cluster:
        cluster.plane.balancers = True
        command = (sys.executable, "-m", "tests.kubernetes.toy", "8080", "late")
        cluster.kubelet.images |= {IMAGE: PodImage(command=command), NO_IMAGE: MISSING}
        caller = Caller(cluster, "flights")
        caller.create("namespaces", {"metadata": {"name": "flights"}})
        yield cluster, caller, {"service": {"port": free_port()}}
        caller.client.close()
        assert cluster.troubles == []


@pytest.fixture(scope="module")
def furnished(
    well: tuple[Cluster, Caller, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Cluster, Caller, dict[str, Any]]:
    """With a version that serves."""
    _, caller, place = well
    at = cluster_endpoint(settings_of(tmp_path_factory.mktemp("furnished"), place, endpoint=ENDPOINT))
    caller.create(
        "secrets", secret("ecr-credentials", "kubernetes.io/dockerconfigjson", **{".dockerconfigjson": "e30="})
    )
    plurals = {
        "Service": "services",
        "Deployment": "deployments.apps",
        "HorizontalPodAutoscaler": "horizontalpodautoscalers.autoscaling",
        "PodDisruptionBudget": "poddisruptionbudgets.policy",
        "Secret": "secrets",
    }
    for body in [manifests.key_secret(at, KEY), *manifests.all_of(at, "blue", SEVEN, IMAGE)]:
        if body["kind"] == "Deployment":
            # The image's own program answers in place of a model.
            (container,) = body["spec"]["template"]["spec"]["containers"]
            del container["command"], container["args"]
        answer = caller.apply(plurals[body["kind"]], body)
        assert answer.status_code in (200, 201), answer.text
    until(lambda: rolled_out(caller, "late-blue"), "late-blue", 60)
    until(lambda: caller.read("services", "late")["status"]["loadBalancer"], "an address")
    return well


def registry(patch: pytest.MonkeyPatch, *, has: bool = True, error: Exception | None = None) -> None:
    """The images' registry, which is on no machine that tests have."""

    async def asked(*_: object) -> bool:
        if error is not None:
            raise error
        return has

    patch.setattr(doctor_image, "in_registry", asked)


@pytest.fixture
def scene(
    furnished: tuple[Cluster, Caller, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    cluster, caller, place = furnished
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
    monkeypatch.setenv(VARIABLE, KEY)
    # A machine that has much else to do breaks nothing here.
    for module, name in ((doctor, "CONNECT_S"), (doctor_cluster, "REVIEW_S"), (doctor_endpoint, "PROBE_S")):
        monkeypatch.setattr(module, name, 60.0)
    monkeypatch.setattr(doctor, "WITHIN_S", 120.0)
    registry(monkeypatch, has=True)
    made = Scene(cluster, caller, tmp_path, monkeypatch, place)
    with made.undo:
        yield made
    cluster.faults.clear()
    cluster.access.denied.clear()
    cluster.metrics.api = MetricsApi.THERE


def named(found: list[Diagnosis]) -> dict[str, Condition]:
    return {one.name: one.condition for one in found if one.condition is not OK}


async def test_where_all_is_well_no_line_says_otherwise(scene: Scene) -> None:
    found = await scene.examined()
    assert {one.name: one.text for one in found if one.condition is not OK} == {}
    assert {one.name for one in found} == LINES
    assert {one.of for one in found} == {"late"}


def renew(scene: Scene) -> None:
    """Somebody else's token is none any longer."""
    scene.cluster.access.user("old", "ada", ALL)
    scene.cluster.kubeconfig(scene.folder, token="old")
    scene.cluster.access.expire("old")


def away(scene: Scene) -> None:
    path = scene.folder / "kubeconfig"
    path.write_text(path.read_text().replace(scene.cluster.address, f"http://127.0.0.1:{free_port()}"))


def clock(scene: Scene) -> None:
    scene.patch.setattr(doctor_cluster, "time", SimpleNamespace(time=lambda: time.time() - 90))


def deny(scene: Scene, *verbs: str, resource: str) -> None:
    scene.cluster.access.denied.append(AccessRule(verbs, (resource,)))


def quota(scene: Scene, **hard: str) -> None:
    said = {key.replace("_", "."): value for key, value in hard.items()}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}, "spec": {"hard": said}}
    assert scene.caller.create("resourcequotas", body).status_code == 201
    scene.undo.callback(lambda: scene.caller.delete("resourcequotas", "team"))
    until(lambda: scene.caller.read("resourcequotas", "team").get("status", {}).get("used"), "the quota is counted")


def no_key(scene: Scene) -> None:
    scene.restored("secrets", "late-key")
    scene.caller.delete("secrets", "late-key")
    scene.patch.delenv(VARIABLE)


def key_of_another_name(scene: Scene) -> None:
    scene.restored("secrets", "late-key")
    scene.caller.delete("secrets", "late-key")
    scene.caller.create("secrets", secret("late-key", "Opaque", other="eA=="))


def key_of_before(scene: Scene) -> None:
    scene.patch.setenv(VARIABLE, "the next one")


def no_login(scene: Scene) -> None:
    scene.restored("secrets", "ecr-credentials")
    scene.caller.delete("secrets", "ecr-credentials")


def login_of_another_type(scene: Scene) -> None:
    no_login(scene)
    scene.caller.create("secrets", secret("ecr-credentials", "Opaque", token="eA=="))


def no_such_image(scene: Scene) -> None:
    at = cluster_endpoint(scene.settings())
    scene.caller.apply("deployments.apps", deployment(at, "green", SEVEN, NO_IMAGE, 1))
    scene.undo.callback(lambda: gone(scene, "late-green"))

    def waits() -> bool:
        pods = scene.caller.get("pods", labelSelector="quarterdeck.dev/slot=green").json()["items"]
        states = [one.get("state", {}) for pod in pods for one in pod["status"].get("containerStatuses", ())]
        return any("Pull" in one.get("waiting", {}).get("reason", "") for one in states)

    until(waits, "a pod waits for its image")


def gone(scene: Scene, name: str) -> None:
    scene.caller.delete("deployments.apps", name, {"propagationPolicy": "Foreground"})
    slot = "quarterdeck.dev/slot=green"
    until(lambda: not scene.caller.get("pods", labelSelector=slot).json()["items"], f"{name} is gone")


def no_address(scene: Scene) -> None:
    scene.restored("services", "late")
    scene.undo.callback(lambda: setattr(scene.cluster.plane, "balancers", True))
    body = manifests.service(cluster_endpoint(scene.settings()), ["blue"])
    scene.cluster.plane.balancers = False
    scene.caller.delete("services", "late")
    assert scene.caller.create("services", body).status_code == 201


def service_of_another(scene: Scene) -> None:
    scene.restored("services", "late")
    labels = {"quarterdeck.dev/endpoint": "other"}
    assert scene.caller.patch("services", "late", {"metadata": {"labels": labels}}).status_code == 200


def no_answer(scene: Scene) -> None:
    scene.cluster.fault(FaultKind.STATUS, "GET", "/proxy/health/ready")


def no_metrics(api: MetricsApi) -> Callable[[Scene], None]:
    return lambda scene: setattr(scene.cluster.metrics, "api", api)


BROKEN: Mapping[str, tuple[Callable[[Scene], None], dict[str, Condition], str]] = {
    "another clock": (clock, {"clock": FAIL}, "s ahead of this machine"),
    "no metrics": (no_metrics(MetricsApi.ABSENT), {"metrics": FAIL}, "has no metrics API"),
    "dead metrics": (no_metrics(MetricsApi.DEAD), {"metrics": FAIL}, "is installed and does not answer"),
    "a verb is missing": (
        lambda scene: deny(scene, "patch", "delete", resource="deployments"),
        {"access": FAIL},
        "may not patch deployments, delete deployments in flights",
    ),
    "logs are missing": (
        lambda scene: deny(scene, "get", resource="pods/log"),
        {"access": FAIL},
        "may not get pods/log",
    ),
    "no pods left": (lambda scene: quota(scene, pods="1"), {"quota": FAIL}, "1 pods more need 1 of pods, 0 are left"),
    "little cpu left": (
        lambda scene: quota(scene, requests_cpu="600m"),
        {"quota": WARN},
        "no room to scale up: team: 3 pods more need 750m of requests.cpu, 350m are left",
    ),
    "no key": (no_key, {"key": FAIL}, f"no Secret late-key, and {VARIABLE} is not set"),
    "the key of before": (key_of_before, {"key": WARN}, f"holds another key than {VARIABLE}"),
    "another key": (key_of_another_name, {"key": FAIL}, "holds no 'key'"),
    "no login": (no_login, {"pull": FAIL}, "no Secret ecr-credentials in flights"),
    "another login": (login_of_another_type, {"pull": FAIL}, "is of type Opaque, which logs nobody in"),
    "a firewall": (
        lambda scene: scene.patch.setattr(doctor_endpoint, "refused_by", lambda *_: "no answer in time"),
        {"address": FAIL},
        "takes no connection from here (no answer in time)",
    ),
    "the registry has no such image": (
        lambda scene: registry(scene.patch, has=False),
        {"image": FAIL},
        "is not in its registry: a new pod can't start",
    ),
    "the registry refuses": (
        lambda scene: registry(scene.patch, error=Failed("registry.example: wants to know who asks (401)")),
        {"image": WARN},
        "its registry does not show it: registry.example: wants to know who asks (401)",
    ),
    "the registry is away": (
        lambda scene: registry(scene.patch, error=TimeoutError()),
        {"image": WARN},
        "its registry can't be asked from here: no answer within 8 s",
    ),
    "no such image": (no_such_image, {"image": FAIL, "probe": FAIL}, "ImagePull"),
    "no address": (no_address, {"address": FAIL}, "has given late no address"),
    "another's service": (service_of_another, {"address": FAIL}, "that Quarterdeck has not made"),
    "no answer": (no_answer, {"probe": FAIL}, "does not answer /health/ready"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_has_its_line_and_no_other_has(scene: Scene, name: str) -> None:
    break_it, lines, text = BROKEN[name]
    break_it(scene)
    found = await scene.examined()
    assert named(found) == lines, [one.text for one in found if one.condition is not OK]
    first = next(one for one in found if one.name in lines)
    assert text in first.text
    assert first.do
    assert KEY not in str(found)
    assert scene.cluster.token not in str(found)


@pytest.mark.parametrize(
    ("break_it", "text"),
    [(away, "no answer from 127.0.0.1"), (renew, "not logged in, or the login has run out; log in as you do")],
)
async def test_a_cluster_that_is_not_to_be_had_is_one_line(
    scene: Scene, break_it: Callable[[Scene], None], text: str
) -> None:
    break_it(scene)
    (line,) = await scene.examined()
    assert (line.name, line.condition) == ("cluster", FAIL)
    assert text in line.text


async def test_a_context_that_is_not_there_is_one_line(scene: Scene) -> None:
    (line,) = await scene.examined(context="stand-inn")
    assert line.condition is FAIL
    assert "did you mean stand-in?" in line.text


async def test_a_namespace_that_is_not_there_is_made_or_asked_for(scene: Scene) -> None:
    found = await scene.examined(namespace="nowhere", pull_secret=None)
    assert named(found) == {"namespace": FAIL}
    found = await scene.examined(namespace="nowhere", pull_secret=None, create_namespace=True)
    assert named(found) == {}
    deny(scene, "create", resource="namespaces")
    found = await scene.examined(namespace="nowhere", pull_secret=None, create_namespace=True)
    assert named(found) == {"namespace": FAIL}


async def test_without_an_image_in_the_settings_it_is_each_versions_own(scene: Scene) -> None:
    found = await scene.examined(image=None)
    assert named(found) == {"registry": WARN}
    assert next(one.text for one in found if one.name == "image").endswith("is in its registry; no pod waits for one")


async def test_a_gateway_that_is_not_there_is_told_beside_the_rights(scene: Scene) -> None:
    gateway = {"traffic": "gateway", "gateway": {"name": "front", "namespace": "flights"}}
    found = await scene.examined(**gateway)
    assert named(found) == {"access": FAIL, "address": FAIL}
    assert "there is no Gateway front in flights" in [one.text for one in found if one.name == "access"]
    (moved,) = [one for one in found if one.name == "address"]
    assert moved.text.startswith("kubernetes.traffic is gateway, and the traffic of late goes by a Service")
    assert moved.do.startswith("set it back to replicas or selector, or call ")


async def test_the_role_that_is_told_is_all_that_a_user_needs(scene: Scene) -> None:
    """Whoever has it, and nothing else, is told of nothing that is missing."""
    scene.cluster.access.user("poor", "ada")
    scene.cluster.kubeconfig(scene.folder, token="poor")
    found = await scene.examined()
    (line,) = [one for one in found if one.name == "access"]
    assert line.condition is FAIL
    words = shlex.split(line.do)
    assert words[2:8] == ["|", "kubectl", "--context", "stand-in", "apply", "-f"]
    role = json.loads(words[1])
    assert scene.caller.apply("roles.rbac.authorization.k8s.io", role).status_code == 201
    own = [AccessRule(tuple(one["verbs"]), tuple(one["resources"]), "flights") for one in role["rules"]]
    scene.cluster.access.user("poor", "ada", *own)
    found = await scene.examined()
    assert named(found) == {}
    # A terminal is told lines of two thousand characters.
    assert len(line.do) < 1900


async def test_shares_that_its_pods_can_not_give_are_a_line(scene: Scene) -> None:
    settings = settings_of(scene.folder, scene.place, endpoint=ENDPOINT, release={"strategy": "canary"})
    found = await examine([one for one in kind_of("kubernetes").doctor([settings]) if one.name == "shares"])
    assert found[0].condition is FAIL
    assert found[0].text.startswith(
        "10 % for the new version: with 3 pods the nearest share is 23 points off (1 of 3); raise "
    )


def test_a_role_asks_for_what_the_settings_need_and_no_more(tmp_path: Path) -> None:
    bare = cluster_endpoint(settings_of(tmp_path, {"disruption_budget": False}))
    groups = {one.resource for one in rights.needs(bare)}
    assert not groups & {"horizontalpodautoscalers", "poddisruptionbudgets", "secrets", "httproutes"}
    for rule in rights.role(bare)["rules"]:
        assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]


@pytest.mark.parametrize(
    ("text", "value"),
    [("250m", "0.25"), ("2", "2"), ("512Mi", "536870912"), ("1k", "1000"), ("1e3", "1000"), ("100n", "1E-7")],
)
def test_an_amount_is_read_as_kubernetes_writes_it(text: str, value: str) -> None:
    assert room.amount(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "Mi", "1.2.3", "5X", "many"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        room.amount(text)


def test_each_quota_is_judged_by_what_it_counts() -> None:
    endpoint = EndpointSettings(name="late", cpu="500m", memory="1Gi")
    hard = {"limits.memory": "4Gi", "cpu": "10", "pods": "9", "services": "1"}
    quota = {"metadata": {"name": "team"}, "status": {"hard": hard, "used": {"limits.memory": "3Gi", "pods": "8"}}}
    assert list(room.short([quota], endpoint, 2)) == [
        "team: 2 pods more need 2048Mi of limits.memory, 1024Mi are left",
        "team: 2 pods more need 2 of pods, 1 are left",
    ]
    assert list(room.short([quota], endpoint, 1)) == []
    assert list(room.short([{"metadata": {"name": "new"}}], endpoint, 99)) == []


def test_an_address_that_takes_no_connection_is_told_with_the_reason() -> None:
    assert doctor_endpoint.refused_by("127.0.0.1", free_port()) == "Connection refused"
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert doctor_endpoint.refused_by("127.0.0.1", server.getsockname()[1]) is None
