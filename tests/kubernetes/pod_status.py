"""A pod's status as its kubelet words it."""

import hashlib
from dataclasses import dataclass

from tests.kubernetes.clock import SkewedClock
from tests.kubernetes.kinds import Json

UNREADY = "containers with unready status"


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What holds for the containers of a pod, all alike: `waiting` is a reason, or empty."""

    started_at: str = ""
    ready: bool = False
    started: bool = False
    waiting: str = ""
    message: str = ""
    exit_code: int | None = None
    finished_at: str = ""
    restarts: int = 0
    last: Json | None = None

    @property
    def ended(self) -> bool:
        """Is it over?"""
        return self.exit_code is not None


def pod_status(pod: Json, address: str, state: ContainerState, clock: SkewedClock) -> Json:
    """The whole status; times of conditions stay where they say what they said."""
    generation = pod["metadata"]["generation"]
    names = [one["name"] for one in pod["spec"]["containers"]]
    unready = {"reason": "ContainersNotReady", "message": f"{UNREADY}: [{' '.join(names)}]"}
    up = bool(address) and not state.ended
    said = {
        "PodReadyToStartContainers": (up, {}),
        "Initialized": (True, {}),
        "Ready": (state.ready, unready),
        "ContainersReady": (state.ready, unready),
        "PodScheduled": (True, {}),
    }
    held = {one["type"]: one for one in pod["status"].get("conditions", ())}
    conditions = []
    for kind, (holds, why) in said.items():
        status = "True" if holds else "False"
        before = held.get(kind)
        since = before["lastTransitionTime"] if before and before["status"] == status else clock.stamp()
        head = {"type": kind, "observedGeneration": generation, "status": status, "lastProbeTime": None}
        conditions.append({**head, "lastTransitionTime": since, **({} if holds else why)})
    host = f"10.0.0.{10 + int(pod['spec']['nodeName'].rpartition('-')[2] or 0)}"
    status_body: Json = {"observedGeneration": generation, "phase": _phase(state), "conditions": conditions}
    status_body |= {"hostIP": host, "hostIPs": [{"ip": host}]}
    if address:
        status_body |= {"podIP": address, "podIPs": [{"ip": address}]}
    status_body["startTime"] = pod["status"].get("startTime") or clock.stamp()
    status_body["containerStatuses"] = [_container(one, pod, state) for one in pod["spec"]["containers"]]
    return {**status_body, "qosClass": pod["status"]["qosClass"]}


def _phase(state: ContainerState) -> str:
    if state.ended:
        return "Failed" if state.exit_code else "Succeeded"
    return "Running" if state.started_at or state.restarts else "Pending"


def _container(container: Json, pod: Json, state: ContainerState) -> Json:
    image = container["image"]
    runs = bool(state.started_at)
    mark = hashlib.sha256(f"{pod['metadata']['uid']}{container['name']}{state.restarts}".encode()).hexdigest()
    body: Json = {
        "name": container["name"],
        "state": _state(state, f"containerd://{mark}"),
        "lastState": state.last or {},
        "ready": state.ready,
        "restartCount": state.restarts,
        "image": image,
        "imageID": f"{image.rpartition(':')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}" if runs else "",
    }
    if runs:
        body["containerID"] = f"containerd://{mark}"
    body["started"] = state.started
    if runs and not state.ended and container["resources"]:
        body["allocatedResources"] = container["resources"].get("requests") or {}
        body["resources"] = container["resources"]
    return body


def _state(state: ContainerState, container_id: str) -> Json:
    if state.ended:
        return {"terminated": terminated(state, container_id)}
    if state.waiting:
        waiting = {"reason": state.waiting, **({"message": state.message} if state.message else {})}
        return {"waiting": waiting}
    return {"running": {"startedAt": state.started_at}}


def terminated(state: ContainerState, container_id: str) -> Json:
    """How a container ended."""
    code = state.exit_code or 0
    return {
        "exitCode": code,
        "reason": "Error" if code else "Completed",
        "startedAt": state.started_at,
        "finishedAt": state.finished_at,
        "containerID": container_id,
    }
