"""What of an endpoint in a cluster is paid for, for people. Pure."""

from collections.abc import Iterator

from core.system.text import counted
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.labels import ClusterEndpoint, ours
from core.targets.kubernetes.paths import PODS, SERVICES
from core.targets.kubernetes.reaching import external_url
from core.targets.kubernetes.watching import ClusterView

NAMED = 3
"""So many names are said, and of more how many there are."""


def costs_of(at: ClusterEndpoint, view: ClusterView) -> tuple[str, ...]:
    """Pods with what they reserve, the nodes that they hold, volumes that they mount, the load balancer."""
    pods = [body for body in view.all(PODS) if ours(body["metadata"].get("labels"), at)]
    return tuple(_of_pods(at, pods)) + tuple(_of_balancer(view.get(SERVICES, at.name)))


def _of_pods(at: ClusterEndpoint, pods: list[Json]) -> Iterator[str]:
    if not pods:
        return
    each = f"of {at.endpoint.cpu or '?'} CPU and {at.endpoint.memory or '?'}{' each' if len(pods) > 1 else ''}"
    nodes = {str(node) for pod in pods if (node := (pod.get("spec") or {}).get("nodeName"))}
    held = f" on {counted(len(nodes), 'node')} ({_some(nodes)})" if nodes else ""
    yield f"{counted(len(pods), 'pod')} {each}{held}"
    if claims := set(_claims(pods)):
        yield f"{counted(len(claims), 'volume')} ({_some(claims)})"


def _claims(pods: list[Json]) -> Iterator[str]:
    """Volumes that outlive pods. We make none; who changes what is applied may have given us some."""
    for pod in pods:
        for volume in (pod.get("spec") or {}).get("volumes") or ():
            if claim := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
                yield str(claim)


def _of_balancer(service: Json | None) -> Iterator[str]:
    if service is not None and (service.get("spec") or {}).get("type") == "LoadBalancer":
        url = external_url(service)
        yield f"a load balancer{f' ({url})' if url else ', which has no address yet'}"


def _some(names: set[str]) -> str:
    said = sorted(names)
    return ", ".join(said[:NAMED]) + (f" and {len(said) - NAMED} more" if len(said) > NAMED else "")
