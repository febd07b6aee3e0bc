"""What of an endpoint in a cluster is paid for, in words."""

from pathlib import Path

import pytest

from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.costs import costs_of
from core.targets.kubernetes.labels import marks
from core.targets.kubernetes.watching import ClusterView
from tests.targets.kubernetes_scenes import endpoint_of

BALANCER = {"type": "LoadBalancer", "port": 80}


def _pod(number: int, node: str = "", claim: str = "", mine: bool = True) -> tuple[str, Json]:
    """One of the endpoint's pods, or somebody else's."""
    volumes = [{"name": "kept", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    return f"late-{number}", {"node": node, "volumes": volumes, "mine": mine}


@pytest.mark.parametrize(
    ("pods", "address", "said"),
    [
        ([], None, ("a load balancer, which has no address yet",)),
        ([], "10.0.0.7", ("a load balancer (http://10.0.0.7)",)),
        ([_pod(1)], "", ("1 pod of 500m CPU and 256Mi",)),
        ([_pod(1, "a"), _pod(2, "a")], "", ("2 pods of 500m CPU and 256Mi each on 1 node (a)",)),
        (
            [_pod(number, node) for number, node in enumerate("abcde")],
            "",
            ("5 pods of 500m CPU and 256Mi each on 5 nodes (a, b, c and 2 more)",),
        ),
        ([_pod(1, "a", "disk")], "", ("1 pod of 500m CPU and 256Mi on 1 node (a)", "1 volume (disk)")),
        ([_pod(1, "a", "disk", mine=False)], "", ()),
    ],
)
def test_what_is_paid_for(
    tmp_path: Path, pods: list[tuple[str, Json]], address: str | None, said: tuple[str, ...]
) -> None:
    at = endpoint_of(tmp_path, {"service": BALANCER if address != "" else {"type": "ClusterIP"}})
    found: dict[tuple[str, str], Json] = {}
    for name, about in pods:
        spec = {"volumes": about["volumes"], **({"nodeName": about["node"]} if about["node"] else {})}
        mine = marks(at, "blue") if about["mine"] else {"app": "theirs"}
        found["pods", name] = {"metadata": {"name": name, "labels": mine}, "spec": spec}
    given = [{"ip": address}] if address else []
    ports = [{"name": "http", "port": 80}]
    service = {"metadata": {"name": "late"}, "spec": {"type": at.place.service.type, "ports": ports}}
    found["services", "late"] = {**service, "status": {"loadBalancer": {"ingress": given}}}
    assert costs_of(at, ClusterView(found)) == said
