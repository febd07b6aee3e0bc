"""Pods as replicas: what each does, what is wrong with it, where it is and since when. Pure but for what is kept."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from core.domain.model import Replica, ReplicaState, Version
from core.domain.obstacles import SAID, Cause
from core.targets.kubernetes.api_errors import Json, clipped
from core.targets.kubernetes.labels import version_of
from core.targets.kubernetes.pod_use import PodUsage
from core.targets.kubernetes.scaling_messages import image_trouble, lacking

_BACKOFF = frozenset({"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
_QUIET = frozenset({"ContainerCreating", "PodInitializing"})


class ReadPod(NamedTuple):
    """What was made of a pod."""

    pod: Json
    use: PodUsage | None
    replica: Replica
    version: Version | None


class PodReplicas:
    """The replica of each pod, read again only where the pod is another object: of a thousand, few are."""

    def __init__(self) -> None:
        self._known: dict[str, ReadPod] = {}

    def of(self, pods: Iterable[Json], usage: Mapping[str, PodUsage]) -> list[ReadPod]:
        """Of these pods, in their order."""
        return [self._of(pod, usage.get(pod["metadata"]["name"])) for pod in pods]

    def living(self, names: Iterable[str]) -> None:
        """Only these pods are left."""
        kept = set(names)
        if len(kept) < len(self._known):
            self._known = {name: known for name, known in self._known.items() if name in kept}

    def _of(self, pod: Json, use: PodUsage | None) -> ReadPod:
        name = pod["metadata"]["name"]
        known = self._known.get(name)
        if known is not None and known.pod is pod:
            if known.use == use:
                return known
            cpu_m, memory_mb = (None, None) if use is None else (use.cpu_m, use.memory_mb)
            replica = replace(known.replica, cpu_m=cpu_m, memory_mb=memory_mb)
            found = ReadPod(pod, use, replica, known.version)
        else:
            found = ReadPod(pod, use, replica_of(pod, use), version_of(pod["metadata"].get("annotations")))
        self._known[name] = found
        return found


def is_ready(pod: Json) -> bool:
    """Whether a pod gets requests: it is ready, and is not going."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def replica_of(pod: Json, use: PodUsage | None = None) -> Replica:
    """One pod."""
    status = pod.get("status", {})
    containers = status.get("containerStatuses") or ()
    state, why = ReplicaState.READY, ""
    if "deletionTimestamp" in pod["metadata"]:
        state = ReplicaState.DRAINING
    elif not is_ready(pod):
        state, why = _unready(status, containers)
    return Replica(
        name=pod["metadata"]["name"],
        state=state,
        cpu_m=use.cpu_m if use is not None else None,
        memory_mb=use.memory_mb if use is not None else None,
        restarts=sum(int(one.get("restartCount", 0)) for one in containers),
        why=why,
        node=str((pod.get("spec") or {}).get("nodeName") or ""),
        since=created_s(pod) or None,
    )


def created_s(body: Json) -> float:
    """When an object was made, in seconds since the epoch; 0 where it does not say."""
    try:
        return datetime.fromisoformat(str(body["metadata"]["creationTimestamp"])).timestamp()
    except (KeyError, ValueError):
        return 0.0


def _unready(status: Json, containers: Iterable[Json]) -> tuple[ReplicaState, str]:
    for one in status.get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            lacks = lacking(str(one.get("message") or one.get("reason") or ""))
            return ReplicaState.PENDING, SAID[Cause.UNSCHEDULABLE] + lacks
    for one in containers:
        waits: Json = (one.get("state") or {}).get("waiting") or {}
        reason, message = str(waits.get("reason") or ""), str(waits.get("message") or "")
        # The reason goes to and fro between a pull that failed and the rest before the next: one trouble all the same.
        if trouble := image_trouble(str(one.get("image") or ""), reason, message):
            return ReplicaState.BACKOFF, SAID[Cause.IMAGE] + trouble
        if reason and reason not in _QUIET:
            state = ReplicaState.BACKOFF if reason in _BACKOFF else ReplicaState.STARTING
            # How it ended says more than for how long it rests now.
            said = _died(containers) or clipped(message)
            return state, f"{reason}: {said}" if said else reason
    return ReplicaState.STARTING, _died(containers)


def _died(containers: Iterable[Json]) -> str:
    """How the container ended last, where it did."""
    for one in containers:
        if ended := (one.get("lastState") or {}).get("terminated"):
            return f"it ended with {ended.get('reason') or 'an error'}, exit code {ended.get('exitCode')}"
    return ""
