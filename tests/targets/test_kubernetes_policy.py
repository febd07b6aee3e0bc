"""Pods keep to the restricted Pod Security Standard and to our own rules; every rule is shown to fail."""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import BadInput
from core.targets.kubernetes.manifests_pod import deployment
from tests.targets.kubernetes_scenes import IMAGE, SEVEN, endpoint_of
from tests.targets.pod_security import RULES, Json, containers


def read_only(pod: Json) -> Iterator[str]:
    """Nothing in an image is changed."""
    return (
        one["name"]
        for one in containers(pod)
        if not (one.get("securityContext") or {}).get("readOnlyRootFilesystem", False)
    )


def limited(pod: Json) -> Iterator[str]:
    """CPU and memory of every container, asked for as they are limited."""
    for one in containers(pod):
        said = one.get("resources") or {}
        for name in ("cpu", "memory"):
            limit = (said.get("limits") or {}).get(name)
            if limit is None or limit != (said.get("requests") or {}).get(name):
                yield f"{one['name']}: {name}"


def scratch_limited(pod: Json) -> Iterator[str]:
    """What a pod may write."""
    return (one["name"] for one in pod.get("volumes", ()) if "emptyDir" in one and not one["emptyDir"].get("sizeLimit"))


def pinned(pod: Json) -> Iterator[str]:
    """Every image by its digest."""
    return (one["image"] for one in containers(pod) if not re.search(r"@sha256:[0-9a-f]{64}\Z", one["image"]))


def no_token(pod: Json) -> Iterator[str]:
    """No pod can ask the API server anything."""
    return iter(() if pod.get("automountServiceAccountToken", True) is False else ("token",))


def no_secret(pod: Json) -> Iterator[str]:
    """No value of a secret stands in a pod: a variable is public, or read from a Secret."""
    return (one["name"] for whole in containers(pod) for one in whole.get("env", ()) if "valueFrom" not in one)


def drained(pod: Json) -> Iterator[str]:
    """What is asked to end goes on answering first, and has the time for it."""
    for one in containers(pod):
        hook = ((one.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}
        drain_s = next((float(arg.partition("=")[2]) for arg in one["args"] if arg.startswith("--drain-s=")), 0.0)
        if not hook.get("seconds") or pod.get("terminationGracePeriodSeconds", 30) <= hook["seconds"] + drain_s:
            yield one["name"]


def probed(pod: Json) -> Iterator[str]:
    """By all three probes, and those that take traffic away ask whether it is ready."""
    for one in containers(pod):
        for name, page in (("startupProbe", "ready"), ("readinessProbe", "ready"), ("livenessProbe", "live")):
            if ((one.get(name) or {}).get("httpGet") or {}).get("path") != f"/health/{page}":
                yield f"{one['name']}: {name}"


OURS: dict[str, Callable[[Json], Iterator[str]]] = {
    rule.__name__: rule for rule in (read_only, limited, scratch_limited, pinned, no_token, no_secret, drained, probed)
}
ALL = {**RULES, **OURS}
SERVER = "containers.0"
CONTEXT = f"{SERVER}.securityContext"
BROKEN: list[tuple[str, str, Any]] = [
    ("host_namespaces", "hostNetwork", True),
    ("host_namespaces", "hostPID", True),
    ("host_namespaces", "hostIPC", True),
    ("privileged", f"{CONTEXT}.privileged", True),
    ("capabilities", f"{CONTEXT}.capabilities.drop", ["NET_RAW"]),
    ("capabilities", f"{CONTEXT}.capabilities.add", ["SYS_ADMIN"]),
    ("capabilities", f"{CONTEXT}.capabilities", None),
    ("volumes", "volumes.0", {"name": "tmp", "hostPath": {"path": "/var"}}),
    ("host_ports", f"{SERVER}.ports.0.hostPort", 8080),
    ("proc_mount", f"{CONTEXT}.procMount", "Unmasked"),
    ("sysctls", "securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
    ("privilege_escalation", f"{CONTEXT}.allowPrivilegeEscalation", None),
    ("non_root", f"{CONTEXT}.runAsNonRoot", False),
    ("user", "securityContext.runAsUser", 0),
    ("user", f"{CONTEXT}.runAsUser", 0),
    ("seccomp", f"{CONTEXT}.seccompProfile.type", "Unconfined"),
    ("read_only", f"{CONTEXT}.readOnlyRootFilesystem", None),
    ("limited", f"{SERVER}.resources.limits.cpu", None),
    ("limited", f"{SERVER}.resources.limits.memory", None),
    ("limited", f"{SERVER}.resources.requests.cpu", "1m"),
    ("scratch_limited", "volumes.0.emptyDir.sizeLimit", None),
    ("pinned", f"{SERVER}.image", "late:latest"),
    ("no_token", "automountServiceAccountToken", None),
    ("no_secret", f"{SERVER}.env", [{"name": "SCORING_KEY", "value": "s3cret"}]),
    ("drained", f"{SERVER}.lifecycle", None),
    ("drained", "terminationGracePeriodSeconds", 10),
    ("probed", f"{SERVER}.readinessProbe", None),
    ("probed", f"{SERVER}.livenessProbe.httpGet.path", "/health/ready"),
]


@pytest.fixture
def pod(tmp_path: Path) -> Json:
    """Of an endpoint with a key, cores and a drain of its own."""
    endpoint = {"name": "late", "key_env": "LATE_KEY", "cpu": 1.5, "memory": "1Gi", "drain_s": 7.5}
    found: Json = deployment(endpoint_of(tmp_path, endpoint=endpoint), "blue", SEVEN, IMAGE, 2)
    spec: Json = found["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("rule", ALL)
def test_a_pod_keeps_to_every_rule(pod: Json, rule: str) -> None:
    assert list(ALL[rule](pod)) == []


@pytest.mark.parametrize(("rule", "path", "value"), BROKEN)
def test_a_pod_that_breaks_a_rule_is_found_by_it(pod: Json, rule: str, path: str, value: Any) -> None:
    assert list(ALL[rule](changed(pod, path, value)))


def test_every_rule_has_a_pod_that_breaks_it() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(ALL)


@pytest.mark.parametrize("part", ["cpu", "memory"])
def test_a_pod_without_a_limit_is_not_made(tmp_path: Path, part: str) -> None:
    at = endpoint_of(tmp_path, endpoint={"name": "late", part: None})
    with pytest.raises(BadInput, match=rf"endpoint.{part}: is not set, .*write one"):
        deployment(at, "blue", SEVEN, IMAGE, 2)


def changed(pod: Json, path: str, value: Any) -> Json:
    """The pod with another value at a path, or without it where that is None."""
    made = copy.deepcopy(pod)
    *above, last = (int(part) if part.isdecimal() else part for part in path.split("."))
    part: Any = made
    for key in above:
        part = part[key]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return made
