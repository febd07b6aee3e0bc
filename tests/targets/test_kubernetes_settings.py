"""What a project says of its cluster: nothing falls through to a default one, and a slip is one line."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from core.config.config import load
from core.config.planner import Wishes, release_of
from core.domain.errors import BadInput
from core.domain.gates import Gate
from core.domain.plan import Deploy, Hold, Mirror, Shift, Work
from core.targets.kinds import kind_of
from tests.targets.kubernetes_scenes import GATEWAY, IMAGE, project, settings_of
from tui.plan_steps import told


def test_the_place_is_named_by_context_and_namespace(tmp_path: Path) -> None:
    assert settings_of(tmp_path).where == "kubernetes stand-in/flights"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ({"context": None}, "kubernetes.context: is empty, and should be text"),
        ({"context": ""}, "kubernetes.context: '' should be text that is not empty"),
        ({"context": "a\nb"}, "kubernetes.context: .* as 'kubectl config get-contexts' shows it"),
        ({"namespace": "Flights"}, "kubernetes.namespace: 'Flights' should be small letters, digits and dashes"),
        ({"namespace": "flights\n"}, "kubernetes.namespace: "),
        ({"namespace": "f" * 64}, "kubernetes.namespace: f+… has 64 characters, and 63 are the most"),
        ({"image": "late:latest"}, "kubernetes.image: 'late:latest' does not say which build; write REGISTRY/NAME@sha"),
        ({"image": IMAGE[:-1]}, "kubernetes.image: .*64 hexadecimal digits"),
        ({"image": IMAGE.upper()}, "kubernetes.image: "),
        ({"image": f"{IMAGE}\n"}, "kubernetes.image: "),
        ({"pull_secret": "a b"}, "kubernetes.pull_secret: 'a b' should be small letters"),
        ({"service": {"type": "ExternalName"}}, "kubernetes.service.type: 'ExternalName' is none of LoadBalancer"),
        ({"service": {"port": 0}}, "kubernetes.service.port: 0 should be at least 1"),
        ({"traffic": "weights"}, "kubernetes.traffic: 'weights' is none of gateway, replicas, selector"),
        ({"traffic": "gateway"}, "kubernetes: traffic: gateway needs gateway.name and gateway.namespace"),
        ({"gateway": {"name": "front"}}, "kubernetes.gateway.namespace: is needed and not set"),
        ({"contxt": "a"}, "kubernetes.contxt: unknown key; did you mean context?"),
    ],
)
def test_a_slip_is_one_line_with_its_place(tmp_path: Path, place: dict[str, Any], line: str) -> None:
    with pytest.raises(BadInput, match=f"quarterdeck.yaml: {line}"):
        settings_of(tmp_path, place)


def test_without_a_context_there_is_no_cluster(tmp_path: Path) -> None:
    path = project(tmp_path)
    path.write_text("data: {source: iris, target: species}\nendpoint: {name: late}\ntarget: kubernetes\n")
    with pytest.raises(BadInput, match=r"kubernetes.context: is needed and not set · kubernetes.namespace: is"):
        load(path)


@pytest.mark.parametrize(
    "image", [IMAGE, f"late@sha256:{'b' * 64}", f"123.dkr.ecr.eu-west-1.amazonaws.com/a/b:v7@sha256:{'c' * 64}"]
)
def test_an_image_is_taken_by_its_digest(tmp_path: Path, image: str) -> None:
    assert settings_of(tmp_path, {"image": image}).where


@pytest.mark.parametrize(
    ("place", "strategy", "why"),
    [
        (
            {"traffic": "selector"},
            "canary",
            "traffic is selector, so 10 % can't be moved; set it to replicas or gateway",
        ),
        ({"traffic": "selector"}, "shadow", "traffic is selector, so no request can be copied; set it to gateway"),
        ({}, "shadow", "traffic is replicas, so no request can be copied"),
    ],
)
def test_what_the_traffic_cannot_do_is_refused_before_a_release(
    tmp_path: Path, place: dict[str, Any], strategy: str, why: str
) -> None:
    settings = settings_of(tmp_path, place, release={"strategy": strategy})
    with pytest.raises(BadInput, match=why):
        release_of(settings, False, Wishes())


def test_no_caller_is_kept_on_a_side(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, GATEWAY, release={"strategy": "ab", "ab": {"header": "x-user"}})
    with pytest.raises(BadInput, match="no caller can be kept on a side; take header x-user out"):
        release_of(settings, False, Wishes())


def test_a_plan_waits_as_long_as_a_cluster_takes(tmp_path: Path) -> None:
    shadow = settings_of(tmp_path, GATEWAY, release={"strategy": "shadow"})
    plan = release_of(shadow, False, Wishes()).plan
    assert {step.deadline_s for step in plan.steps if isinstance(step, Shift | Mirror)} == {60.0}
    assert [step.deadline_s for step in plan.steps if isinstance(step, Deploy)] == [330.0]
    assert (plan.tolerance, plan.patience.back_s) == (0.01, 300.0)
    assert release_of(settings_of(tmp_path), True, Wishes()).plan.tolerance == 5.0


def test_copies_are_compared_by_counts_for_nobody_has_both_answers(tmp_path: Path) -> None:
    """What a plan promises is what is looked at there."""
    settings = settings_of(tmp_path, GATEWAY, release={"strategy": "shadow", "max_differing": 3})
    plan = release_of(settings, False, Wishes()).plan
    (hold,) = [after for step, after in pairwise(plan.steps) if isinstance(step, Mirror) and isinstance(after, Hold)]
    assert hold.gates[-1] == Gate("mix_points", "<=", 3.0, "live")
    assert "differing_percent" not in {gate.metric for gate in hold.gates}
    (line,) = [line for line in told(plan) if "mirror" in line]
    assert line.endswith("counts, errors, times and labels are compared, and no answer with another")
    here = load(project(tmp_path, target="local", release={"strategy": "shadow"}), "prod")
    (line,) = [line for line in told(release_of(here, False, Wishes()).plan) if "mirror" in line]
    assert line.endswith("each answer is put beside the user's")


def test_names_that_become_one_are_refused_in_one_line(tmp_path: Path) -> None:
    path = project(tmp_path, endpoints={"late_model": {}, "late-model": {}})
    path.write_text(path.read_text().replace("endpoint:\n  name: late\n", ""))
    with pytest.raises(
        BadInput, match=r"quarterdeck.yaml: kubernetes: late-model-dev and late_model-dev would both have"
    ):
        load(path)
    path.write_text(path.read_text().replace("target: kubernetes", "target: local"))
    assert load(path, endpoint="late_model").endpoint.name == "late_model"


def test_a_version_that_is_trained_now_has_no_image_and_that_is_said_before(tmp_path: Path) -> None:
    bare = settings_of(tmp_path, {"image": None})
    with pytest.raises(BadInput, match=r"prod: on Kubernetes a version needs an image.*--skip deploy.*--model-uri"):
        release_of(bare, first=True, wishes=Wishes())
    release_of(bare, first=True, wishes=Wishes(skip=("deploy",)))
    release_of(bare, first=True, wishes=Wishes(model_uri="models:/late/7"))
    release_of(settings_of(tmp_path), first=True, wishes=Wishes())


def test_a_target_is_opened_without_a_call_and_only_where_it_could_work(tmp_path: Path) -> None:
    kind = kind_of("kubernetes")
    opened = kind.opened(settings_of(tmp_path), None, {})  # type: ignore[arg-type]
    assert opened(3).token == 3  # type: ignore[attr-defined]
    with pytest.raises(BadInput, match="a pod without a limit can take a node"):
        kind.opened(settings_of(tmp_path, endpoint={"name": "late", "cpu": None}), None, {})  # type: ignore[arg-type]
    keyed = settings_of(tmp_path, endpoint={"name": "late", "key_env": "LATE_KEY"})
    with pytest.raises(BadInput, match="the variable LATE_KEY is not set"):
        kind.opened(keyed, None, {})  # type: ignore[arg-type]
    assert "s3cret" not in repr(kind.opened(keyed, None, {"LATE_KEY": "s3cret"})(0))  # type: ignore[arg-type]


def test_a_release_packs_its_version_where_a_registry_is_named_and_no_image(tmp_path: Path) -> None:
    def work(wishes: Wishes, image: str | None = None, to: str | None = "registry.example/team/late") -> str:
        told: dict[str, Any] = {"image": {"repository": to}} if to else {}
        settings = settings_of(tmp_path, {"image": image}, **told)
        return " ".join(s.name for s in release_of(settings, True, wishes).plan.steps if isinstance(s, Work))

    assert work(Wishes()).endswith("register check image alias")
    assert work(Wishes(model_uri="models:/late/8")).endswith("gate check image alias")
    assert "image" not in work(Wishes(skip=("deploy",)))
    assert "image" not in work(Wishes(), image=IMAGE)
    assert "image" not in work(Wishes(model_uri="models:/late/8"), to=None)
    with pytest.raises(BadInput, match=r"name the registry to which the release pushes it \(image.repository\)"):
        work(Wishes(), to=None)
