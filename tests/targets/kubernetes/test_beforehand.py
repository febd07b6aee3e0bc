"""What would stop a release in a cluster is said before anything is trained for it."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.config.config import ENVIRONMENTS, load
from core.config.planner import Wishes, release_of
from core.config.scaffold import init
from core.config.settings import SAMPLES
from core.domain.errors import Refused, Unreachable
from core.domain.gates import Gate
from core.domain.plan import Hold, Plan, Shift
from core.engine.project import Project
from core.targets.kubernetes.beforehand import missed_shares, refusals, unmeasured_gates
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import cluster_endpoint
from core.targets.kubernetes.paths import DEPLOYMENTS, GATEWAYS, SERVICES, namespace_path
from tests.kubernetes import bodies
from tests.kubernetes.access import AccessRule
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.metrics import MetricsApi
from tests.targets import kubernetes_scenes
from tui import release_command
from tui.plan_steps import told

STEPS = Plan("canary", (Shift(10), Shift(50), Shift(100)))
SCALING = {"name": "late", "autoscaling": {"min": 2, "max": 4, "cpu": 60}}
TEN = (
    "10 % for the new version: with 4 pods the nearest share is 15 points off (1 of 4); "
    "raise endpoint.autoscaling.max to 7"
)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with running() as one:
        yield one


@pytest.mark.parametrize(
    ("endpoint", "place", "said"),
    [
        (SCALING, {}, [TEN]),
        ({"name": "late", "autoscaling": {"min": 2, "max": 10, "cpu": 60}}, {}, []),
        ({"name": "late", "replicas": 2}, {}, []),
        (SCALING, kubernetes_scenes.GATEWAY, []),
    ],
    ids=["too few", "enough", "no autoscaler", "a gateway splits"],
)
def test_shares_that_so_many_pods_can_not_give(
    tmp_path: Path, endpoint: dict[str, Any], place: dict[str, Any], said: list[str]
) -> None:
    at = kubernetes_scenes.endpoint_of(tmp_path, place, endpoint=endpoint)
    found = list(missed_shares(at, STEPS))
    assert [one.partition(", move")[0] for one in found] == said


@pytest.mark.parametrize(
    ("endpoint", "place", "percent", "said"),
    [
        (SCALING, {}, 25, ": 1 of 4 pods"),
        (SCALING, {}, 30, " wanted, 33 % given: 1 of 3 pods"),
        (SCALING, {}, 10, " wanted, which so few pods can't give"),
        ({"name": "late", "replicas": 2}, {}, 10, ": 1 of 10 pods"),
        (SCALING, kubernetes_scenes.GATEWAY, 10, ""),
        (SCALING, {}, 100, ""),
    ],
    ids=["exact", "near", "too few", "no autoscaler", "a gateway splits", "all"],
)
def test_a_plan_says_which_share_is_really_given(
    tmp_path: Path, endpoint: dict[str, Any], place: dict[str, Any], percent: int, said: str
) -> None:
    settings = kubernetes_scenes.settings_of(tmp_path, place, endpoint=endpoint, release={"strategy": "canary"})
    assert settings.place.given(percent, settings.endpoint) == said
    begin = release_of(settings, False, Wishes(skip=("train",)))
    lines = list(told(begin.plan, partial(settings.place.given, endpoint=settings.endpoint)))
    half = ": 1 of 2 pods" if not place else ""
    assert any(f"50 %{half}, proved by answers" in line for line in lines)


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_new_project_for_a_cluster_can_be_carried_out(sample: str, env: str, tmp_path: Path) -> None:
    path = init(tmp_path, sample, cluster="arn:aws:eks:eu-west-1:1:cluster/prod/models")
    settings = load(path, env, ["image.repository=registry.example/late"])
    assert settings.where == "kubernetes arn:aws:eks:eu-west-1:1:cluster/prod/models"
    plan = release_of(settings, False, Wishes()).plan
    assert list(missed_shares(cluster_endpoint(settings), plan)) == []
    said = [settings.place.given(step.percent, settings.endpoint) for step in plan.steps if isinstance(step, Shift)]
    assert not [one for one in said if "wanted" in one]


def test_a_namespace_and_rights_that_are_missing_are_named_with_what_gives_them(
    cluster: Cluster, tmp_path: Path
) -> None:
    calls = ApiCalls("stand-in", str(cluster.kubeconfig(tmp_path)))
    at = kubernetes_scenes.endpoint_of(tmp_path)
    (missing,) = refusals(at, calls)
    assert missing == (
        "kubernetes stand-in: there is no namespace flights; 'kubectl --context stand-in create namespace flights' "
        "makes it, or kubernetes.create_namespace: true"
    )
    assert list(refusals(kubernetes_scenes.endpoint_of(tmp_path, {"create_namespace": True}), calls)) == []
    calls.ask("POST", namespace_path(), {"metadata": {"name": "flights"}})
    assert list(refusals(at, calls)) == []
    cluster.access.denied.append(AccessRule(("create",), ("deployments",)))
    (forbidden,) = refusals(at, calls)
    assert forbidden.startswith("kubernetes stand-in: whoever logs in here may not create deployments in flights; ")
    calls.close()


def test_a_gateway_that_is_not_there_or_has_no_way_in_is_named(cluster: Cluster, tmp_path: Path) -> None:
    calls = ApiCalls("stand-in", str(cluster.kubeconfig(tmp_path)))
    at = kubernetes_scenes.endpoint_of(tmp_path, kubernetes_scenes.GATEWAY)
    calls.ask("POST", namespace_path(), {"metadata": {"name": "flights"}})
    none = "kubernetes stand-in: there is no Gateway front in flights; have it made, or kubernetes.traffic: replicas"
    assert list(refusals(at, calls)) == [none], "the cluster has no such API"
    cluster.gateway = True
    assert list(refusals(at, calls)) == [none]
    listener = {"name": "tls", "port": 8443, "protocol": "HTTPS"}
    calls.ask("POST", GATEWAYS.path("flights"), {"metadata": {"name": "front"}, "spec": {"listeners": [listener]}})
    (closed,) = refusals(at, calls)
    assert re.search(r": the Gateway front in flights has no (address yet|listener for HTTP), so that nobody", closed)
    assert list(refusals(kubernetes_scenes.endpoint_of(tmp_path), calls)) == []
    calls.close()


def test_what_somebody_else_made_by_our_names_is_named(cluster: Cluster, tmp_path: Path) -> None:
    calls = ApiCalls("stand-in", str(cluster.kubeconfig(tmp_path)))
    at = kubernetes_scenes.endpoint_of(tmp_path)
    calls.ask("POST", namespace_path(), {"metadata": {"name": "flights"}})
    calls.ask("POST", SERVICES.path("flights"), bodies.service("late", "late"))
    calls.ask("POST", DEPLOYMENTS.path("flights"), bodies.deployment("late-green", 1))
    left = "in flights is not Quarterdeck's, and was left as it is; rename the endpoint, or delete it there"
    assert list(refusals(at, calls)) == [
        f"kubernetes stand-in: services/late {left}",
        f"kubernetes stand-in: deployments/late-green {left}",
    ]
    cluster.access.denied.append(AccessRule(("get",), ("services", "deployments")))
    assert list(refusals(at, calls)) == []
    calls.close()


@pytest.mark.parametrize(
    ("api", "gate", "refused"),
    [
        (MetricsApi.ABSENT, Gate("cpu_percent", "<", 80.0), True),
        (MetricsApi.ABSENT, Gate("cpu_percent", "<", 80.0, dry_run=True), False),
        (MetricsApi.ABSENT, Gate("p95_ms", "<", 80.0), False),
        (MetricsApi.DEAD, Gate("memory_percent", "<", 80.0), False),
        (MetricsApi.THERE, Gate("memory_percent", "<", 80.0), False),
    ],
)
def test_a_gate_on_what_pods_use_wants_a_cluster_that_says_it(
    cluster: Cluster, tmp_path: Path, api: MetricsApi, gate: Gate, refused: bool
) -> None:
    calls, at = ApiCalls("stand-in", str(cluster.kubeconfig(tmp_path))), kubernetes_scenes.endpoint_of(tmp_path)
    calls.ask("POST", namespace_path(), {"metadata": {"name": "flights"}})
    cluster.metrics.api = api
    said = list(unmeasured_gates(at, Plan("canary", (Shift(10), Hold(60, (gate,)))), calls))
    why = "release.gates: cpu_percent: kubernetes stand-in has no metrics API (metrics.k8s.io) that measures it"
    assert [one.partition("; ")[0] for one in said] == ([why] if refused else [])
    calls.close()


async def test_a_place_that_is_mute_for_a_moment_is_asked_again_and_one_that_refuses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Unreachable | list[str]] = [Unreachable("no answer"), Unreachable("no answer"), []]
    said: list[str] = []

    async def asked(*_: object) -> list[str]:
        if isinstance(answer := answers.pop(0), Unreachable):
            raise answer
        return answer

    monkeypatch.setattr(release_command, "refused_there", asked)
    monkeypatch.setattr(release_command, "AGAIN_S", 0.0)
    project = Project(kubernetes_scenes.project(tmp_path), "prod")
    await release_command.may_go(project, STEPS, said.append)
    assert said == ["no answer; asked again for 30 s before anything begins"]
    answers.append(["there is no namespace flights"])
    with pytest.raises(Refused, match="late: there is no namespace flights"):
        await release_command.may_go(project, STEPS, said.append)
    monkeypatch.setattr(release_command, "MUTE_S", -1.0)
    answers.append(Unreachable("no answer"))
    with pytest.raises(Unreachable):
        await release_command.may_go(project, STEPS, said.append)
    assert answers == []
