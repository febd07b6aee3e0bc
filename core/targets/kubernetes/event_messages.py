"""A warning that a cluster noted about an endpoint's objects, in words; what is seen elsewhere says nothing. Pure."""

import re

from core.domain.model import Level, Noted, Slot
from core.domain.obstacles import Cause
from core.targets.kubernetes.api_errors import Json, clipped
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.names import slot_name
from core.targets.kubernetes.scaling_messages import (
    image_trouble,
    lacking,
    measured_by_nobody,
    quota_trouble,
    unmeasured,
)

SOURCE = "cluster"
"""What a line of the log is of that says what a cluster noted."""
_SUFFIXES = {"HorizontalPodAutoscaler": 0, "Deployment": 0, "ReplicaSet": 1, "Pod": 2}
"""By how many parts names of such objects are longer than their slot's."""
_ALIKE = "(combined from similar events): "
_PULL = re.compile(r'pull image "([^"]+)"')


def noted(at: ClusterEndpoint, event: Json) -> Noted | None:
    """What an event says; None where it is about something else, or where the objects themselves say it better."""
    slot = _slot(at, event.get("involvedObject") or {})
    if slot is None or event.get("type") != "Warning":
        return None
    text = _said(str(event.get("reason") or ""), str(event.get("message") or "").removeprefix(_ALIKE))
    return Noted(f"{slot}: {text}", Level.WARNING, slot, SOURCE) if text else None


def _slot(at: ClusterEndpoint, about: Json) -> Slot | None:
    parts, name = _SUFFIXES.get(str(about.get("kind"))), str(about.get("name"))
    if parts is None:
        return None
    found = (
        slot for slot in at.place.slots if re.fullmatch(f"{slot_name(at.name, slot)}(-[a-z0-9]+){{{parts}}}", name)
    )
    return next(found, None)


def _said(reason: str, message: str) -> str:
    match reason:
        case "FailedCreate":
            quota = quota_trouble(message, {})
            why = message.removeprefix("Error creating: ")
            return f"pods may not be made: {quota}" if quota else f"pods can't be made: {clipped(why)}"
        case "FailedScheduling":
            return f"a pod finds no node: {lacking(message)}"
        case "Failed" if (pull := _PULL.search(message)) is not None:
            return f"an image can't be pulled: {image_trouble(pull[1], 'ErrImagePull', message)}"
        case "Failed" if "ImagePull" in message:
            return ""
        case "FailedGetResourceMetric":
            met = unmeasured(reason, message)
            # Pods that have just started are measured a moment later.
            return "" if met.cause is Cause.NO_FIGURE else f"its autoscaler can't reckon: {measured_by_nobody(met)}"
        case "FailedComputeMetricsReplicas":
            return ""
        case "BackOff":
            return "" if "pulling image" in message else "a container ends again and again, and rests before each start"
        case "Unhealthy":
            # The others fail at each start until it is done, and at each end.
            return clipped(message) if message.startswith("Liveness") else ""
        case _:
            return clipped(f"{reason}: {message}")
