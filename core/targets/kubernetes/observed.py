"""What is true of each slot, read from a cluster's objects. Pure."""

from collections.abc import Mapping
from datetime import datetime

from core.domain.model import Observation, Replica, ReplicaState, Slot, Version
from core.targets.kubernetes.api_errors import Json, clipped
from core.targets.kubernetes.labels import SLOT, ClusterEndpoint, ours, version_of
from core.targets.kubernetes.paths import DEPLOYMENTS, PODS
from core.targets.kubernetes.shares import shares_of
from core.targets.kubernetes.traffic import RoutedTraffic
from core.targets.kubernetes.watching import ClusterView

_BACKOFF = frozenset({"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
_QUIET = frozenset({"ContainerCreating", "PodInitializing"})


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


def is_ready(pod: Json) -> bool:
    """Whether a pod gets requests: it is ready, and is not going."""
    conditions = pod.get("status", {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def ready_counts(at: ClusterEndpoint, view: ClusterView) -> dict[Slot, int]:
    """How many pods of each slot get requests, whatever their version."""
    return {slot: sum(map(is_ready, pods)) for slot, pods in pods_of(at, view).items()}


def observed(at: ClusterEndpoint, view: ClusterView, traffic: RoutedTraffic) -> dict[Slot, Observation]:
    """Every slot as the objects say it; no weight is proved by them."""
    deployments, pods = slots_of(at, view), pods_of(at, view)
    weights = shares_of(ready_counts(at, view)) if traffic.split else traffic.weights
    return {
        slot: _slot(slot, deployments.get(slot), pods.get(slot, []), weights.get(slot, 0.0), traffic)
        for slot in sorted({*deployments, *pods})
    }


def _slot(slot: Slot, deployment: Json | None, pods: list[Json], weight: float, traffic: RoutedTraffic) -> Observation:
    version = version_of(_annotations(deployment)) if deployment is not None else None
    leaving = next((found for pod in pods if (found := version_of(_annotations(pod)))), None)
    wanted = _wanted(deployment)
    asked = traffic.replicas.get(slot, wanted)
    mine = [pod for pod in pods if version is None or version_of(_annotations(pod)) == version]
    return Observation(
        slot=slot,
        version=version or leaving,
        # What a share needs for a while is not what anybody asked for.
        wanted=min(wanted, asked) if traffic.split else asked,
        ready=sum(map(is_ready, mine)) if deployment is not None else 0,
        weight=weight,
        replicas=tuple(_replica(pod) for pod in pods),
        why=_why(deployment) if deployment is not None else "",
        mirror=traffic.mirror.get(slot, 0.0),
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
            return clipped(str(one.get("message") or one.get("reason") or ""))
    return ""


def _replica(pod: Json) -> Replica:
    status = pod.get("status", {})
    containers = status.get("containerStatuses") or ()
    restarts = sum(int(one.get("restartCount", 0)) for one in containers)
    waiting: Json = next((found for one in containers if (found := (one.get("state") or {}).get("waiting"))), {})
    name = pod["metadata"]["name"]
    if "deletionTimestamp" in pod["metadata"]:
        return Replica(name, ReplicaState.DRAINING, restarts=restarts)
    if is_ready(pod):
        return Replica(name, ReplicaState.READY, restarts=restarts)
    reason = str(waiting.get("reason") or "")
    why = _unscheduled(status) or _said(reason, str(waiting.get("message") or "")) or _died(containers)
    state = ReplicaState.BACKOFF if reason in _BACKOFF else ReplicaState.STARTING
    return Replica(name, state, restarts=restarts, why=why)


def _unscheduled(status: Json) -> str:
    for one in status.get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return f"no node takes it: {clipped(str(one.get('message') or one.get('reason') or ''))}"
    return ""


def _said(reason: str, message: str) -> str:
    if not reason or reason in _QUIET:
        return ""
    return f"{reason}: {clipped(message)}" if message else reason


def _died(containers: object) -> str:
    """How the container ended last, where it did."""
    for one in containers if isinstance(containers, list) else ():
        if ended := (one.get("lastState") or {}).get("terminated"):
            return f"it ended with {ended.get('reason') or 'an error'}, exit code {ended.get('exitCode')}"
    return ""


def image_for(at: ClusterEndpoint, view: ClusterView, version: Version) -> str:
    """The image that a version runs from in any slot, so that it is never put into another one; empty: in none."""
    for body in slots_of(at, view).values():
        if version_of(_annotations(body)) == version:
            return str(body["spec"]["template"]["spec"]["containers"][0]["image"])
    return ""


def created_s(body: Json) -> float:
    """When an object was made, in seconds since the epoch; 0 where it does not say."""
    try:
        return datetime.fromisoformat(str(body["metadata"]["creationTimestamp"])).timestamp()
    except (KeyError, ValueError):
        return 0.0
