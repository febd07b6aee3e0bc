"""Every object is one that the published schemas allow, and what they don't allow is found."""

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes_schemas import NAMES, Json, kept, objects


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """Every kind of object."""
    return list(objects(Path(tmp_path_factory.mktemp("schemas"))))


@pytest.mark.parametrize("kind", NAMES)
def test_each_object_is_one_that_its_schema_allows(made: list[Json], kind: str) -> None:
    mine = [body for body in made if body["kind"] == kind]
    assert mine
    assert [line for body in mine for line in kept().wrong(body)] == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", "spec.template.spec.containers.0.readOnly", True),
        ("Deployment", "spec.template.spec.containers.0.ports.0.containerPort", "http"),
        ("Deployment", "spec.template.metadata.labels.app", 7),
        ("Deployment", "spec.selector", 1),
        ("Service", "spec.ports.0.port", "80"),
        ("Service", "spec.typ", "ClusterIP"),
        ("HorizontalPodAutoscaler", "spec.maxReplicas", 2.5),
        ("HorizontalPodAutoscaler", "spec.metrics.0.resource.target.averageUtilization", "60"),
        ("PodDisruptionBudget", "spec.selector.match", {}),
        ("Namespace", "metadata.label", {}),
        ("Secret", "data.key", 1),
        ("HTTPRoute", "spec.rules.0.backendRefs.0.weight", -1),
        ("HTTPRoute", "spec.rules.0.backendRefs.0.wait", 1),
        ("HTTPRoute", "spec.parentRefs.0.name", ""),
    ],
)
def test_an_object_that_is_wrong_is_found(made: list[Json], kind: str, path: str, value: Any) -> None:
    body = copy.deepcopy(next(body for body in made if body["kind"] == kind))
    *above, last = (int(part) if part.isdecimal() else part for part in path.split("."))
    part: Any = body
    for key in above:
        part = part[key]
    part[last] = value
    assert kept().wrong(body)
