"""The doctor says who drives an endpoint in a cluster, since when, for which release, and does it live."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.domain.diagnosis import Condition, Diagnosis
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.doctor_lease import lease
from core.targets.kubernetes.labels import ClusterEndpoint, metadata
from core.targets.kubernetes.lease import driver_name
from core.targets.kubernetes.lease_holder import BY, RELEASE
from core.targets.kubernetes.paths import LEASES, namespace_path
from tests.kubernetes.access import AccessRule
from tests.kubernetes.cluster import Cluster, running
from tests.targets import kubernetes_scenes

FAIL, WARN, OK = Condition.FAIL, Condition.WARN, Condition.OK
BOB = "a driver on vm (bob, in the folder late)"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with running() as one:
        yield one


@pytest.fixture
def calls(cluster: Cluster, tmp_path: Path) -> Iterator[ApiCalls]:
    """To a cluster with the namespace of the endpoint."""
    made = ApiCalls("stand-in", str(cluster.kubeconfig(tmp_path)))
    made.ask("POST", namespace_path(), {"metadata": {"name": "flights"}})
    yield made
    made.close()


def _held(calls: ApiCalls, at: ClusterEndpoint, holder: str, release: str = "", silent_s: float = 0.0) -> None:
    """A Lease as a driver leaves it that was heard last so many seconds ago."""
    now = datetime.now(UTC)
    head = {**metadata(at, at.name), "annotations": {RELEASE: release, BY: "bob, in the folder late"}}
    moments = {"acquireTime": now - timedelta(hours=2), "renewTime": now - timedelta(seconds=silent_s)}
    spec: dict[str, Any] = {key: f"{each:%Y-%m-%dT%H:%M:%S.%fZ}" for key, each in moments.items()}
    spec |= {"holderIdentity": holder, "leaseDurationSeconds": 30, "leaseTransitions": 3}
    calls.ask("POST", LEASES.path(at.place.namespace), {"metadata": head, "spec": spec})


def _found(calls: ApiCalls, at: ClusterEndpoint, folder: Path) -> Diagnosis:
    (line,) = lease(calls, at, folder)
    return line


@pytest.mark.parametrize(
    ("release", "silent_s", "condition", "text", "do"),
    [
        ("r-there", 1.0, WARN, f"release r-there of {BOB} is under way since ", "a rollback from here steps in"),
        ("", 1.0, WARN, f"{BOB} looks after it since ", "'quarterdeck watch --stop'"),
        ("r-there", 600.0, WARN, f"release r-there was begun by {BOB}, since ", "a release from here takes over"),
        ("", 600.0, OK, f"driven last by {BOB}, since ", ""),
    ],
    ids=["releases", "lives", "died in a release", "silent"],
)
def test_another_machine_that_drives_has_a_line(
    calls: ApiCalls, tmp_path: Path, release: str, silent_s: float, condition: Condition, text: str, do: str
) -> None:
    at = kubernetes_scenes.endpoint_of(tmp_path)
    _held(calls, at, "vm/0a0a0a0a", release, silent_s)
    line = _found(calls, at, tmp_path)
    assert (line.condition, do in line.do) == (condition, True)
    assert line.text.startswith(text)
    assert ("silent for 10 min" in line.text) is (silent_s > 60)


def test_what_is_nobodys_or_this_projects_is_well(calls: ApiCalls, tmp_path: Path) -> None:
    at = kubernetes_scenes.endpoint_of(tmp_path)
    assert _found(calls, at, tmp_path).condition is OK
    _held(calls, at, driver_name(tmp_path), "r-here")
    assert (_found(calls, at, tmp_path).text, _found(calls, at, tmp_path).condition) == (
        "no other machine drives this endpoint",
        OK,
    )


def test_a_lease_that_is_not_ours_or_may_not_be_seen_is_said(calls: ApiCalls, cluster: Cluster, tmp_path: Path) -> None:
    at = kubernetes_scenes.endpoint_of(tmp_path)
    calls.ask("POST", LEASES.path("flights"), {"metadata": {"name": "late"}, "spec": {}})
    line = _found(calls, at, tmp_path)
    assert (line.condition, "that Quarterdeck has not made" in line.text) == (FAIL, True)
    cluster.access.denied.append(AccessRule(("get",), ("leases",)))
    assert _found(calls, at, tmp_path).condition is WARN
