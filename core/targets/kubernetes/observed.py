"""What is true of each slot, read from a cluster's objects. Pure."""

from collections.abc import Mapping

from core.domain.model import Observation, ReplicaState, Slot, Version
from core.targets.kubernetes.api_errors import Json, clipped
from core.targets.kubernetes.labels import SLOT, ClusterEndpoint, ours, version_of
from core.targets.kubernetes.manifests import is_held
from core.targets.kubernetes.paths import AUTOSCALERS, DEPLOYMENTS, PODS
from core.targets.kubernetes.pod_use import PodUsage
from core.targets.kubernetes.pods import PodReplicas, ReadPod, is_ready
from core.targets.kubernetes.scaling_messages import quota_trouble
from core.targets.kubernetes.shares import shares_of
from core.targets.kubernetes.traffic import RoutedTraffic
from core.targets.kubernetes.watching import ClusterView


def slots_of(at: ClusterEndpoint, view: ClusterView) -> dict[Slot, Json]:
    """The Deployment of each slot that there is."""
    return {
        body["metadata"]["labels"][SLOT]: body
        for body in view.all(DEPLOYMENTS)
        if ours(labels := body["metadata"].get("labels"), at) and SLOT in labels
    }


def pods_of(at: ClusterEndpoint, view: ClusterView) -> dict[Slot, list[Json]]:
    """The pods of each slot, the oldest first, those that are going too."""
    found: dict[Slot, list[Json]] = {}
    for body in view.all(PODS):
        labels = body["metadata"].get("labels")
        if ours(labels, at) and SLOT in labels and body.get("status", {}).get("phase") not in {"Succeeded", "Failed"}:
            found.setdefault(labels[SLOT], []).append(body)
    return found


def held_slots(at: ClusterEndpoint, view: ClusterView) -> list[Slot]:
    """The slots whose autoscaler is held still."""
    return [
        labels[SLOT]
        for body in view.all(AUTOSCALERS)
        if ours(labels := body["metadata"].get("labels"), at) and SLOT in labels and is_held(body)
    ]


def asked_counts(deployments: Mapping[Slot, Json]) -> dict[Slot, int]:
    """How many pods each Deployment is to have."""
    return {slot: int(body["spec"].get("replicas", 1)) for slot, body in deployments.items()}


def ready_counts(at: ClusterEndpoint, view: ClusterView) -> dict[Slot, int]:
    """How many pods of each slot get requests, whatever their version."""
    return {slot: sum(map(is_ready, pods)) for slot, pods in pods_of(at, view).items()}


def observed(
    at: ClusterEndpoint,
    view: ClusterView,
    traffic: RoutedTraffic,
    read: PodReplicas | None = None,
    usage: Mapping[str, PodUsage] | None = None,
) -> dict[Slot, Observation]:
    """Every slot as the objects say it; no weight is proved by them.

    `read` remembers what it made of pods that have not changed, `usage` is what pods use, by name.
    """
    deployments, read = slots_of(at, view), read or PodReplicas()
    pods = {slot: read.of(found, usage or {}) for slot, found in pods_of(at, view).items()}
    read.living(one.replica.name for found in pods.values() for one in found)
    weights = shares_of(ready_counts(at, view)) if traffic.split else traffic.weights
    return {
        slot: _slot(slot, deployments.get(slot), pods.get(slot, []), weights.get(slot, 0.0), traffic)
        for slot in sorted({*deployments, *pods})
    }


def _slot(
    slot: Slot, deployment: Json | None, pods: list[ReadPod], weight: float, traffic: RoutedTraffic
) -> Observation:
    version = version_of(_annotations(deployment)) if deployment is not None else None
    leaving = next((pod.version for pod in pods if pod.version is not None), None)
    wanted = _wanted(deployment)
    asked = traffic.replicas.get(slot, wanted)
    mine = [pod.replica for pod in pods if version is None or pod.version == version]
    return Observation(
        slot=slot,
        version=version or leaving,
        # What a share needs for a while is not what anybody asked for.
        wanted=min(wanted, asked) if traffic.split else asked,
        ready=sum(one.state is ReplicaState.READY for one in mine) if deployment is not None else 0,
        weight=weight,
        replicas=tuple(pod.replica for pod in pods),
        why=_why(deployment) if deployment is not None else "",
        mirror=traffic.mirror.get(slot, 0.0),
        held=wanted if traffic.split and wanted > asked else 0,
    )


def _annotations(body: Json) -> Mapping[str, str]:
    found: Mapping[str, str] = body["metadata"].get("annotations") or {}
    return found


def _wanted(deployment: Json | None) -> int:
    return 0 if deployment is None else int((deployment.get("spec") or {}).get("replicas", 1))


def _why(deployment: Json) -> str:
    """What keeps the Deployment from making pods at all: a quota, a policy, a service account."""
    for one in deployment.get("status", {}).get("conditions") or ():
        if one.get("type") == "ReplicaFailure" and one.get("status") == "True":
            said = str(one.get("message") or one.get("reason") or "")
            return quota_trouble(said, {}) or clipped(said)
    return ""


def image_for(at: ClusterEndpoint, view: ClusterView, version: Version) -> str:
    """The image that a version runs from in any slot, so that it is never put into another one; empty: in none."""
    for body in slots_of(at, view).values():
        if version_of(_annotations(body)) == version:
            return str(body["spec"]["template"]["spec"]["containers"][0]["image"])
    return ""
