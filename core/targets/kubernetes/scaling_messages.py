"""What Kubernetes says in prose, read for its figures: the scheduler, the kubelet, the quota, the autoscaler. Pure."""

import re
from collections.abc import Mapping

from core.domain.obstacles import Cause, Obstacle
from core.system.text import clean_line

LENGTH = 160
_NODES = re.compile(r"^\d+/(\d+) nodes are available: (.*?)\.(?: |$)")
_LACKS = re.compile(r"^(\d+) Insufficient (\S+)$")
_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.+), used: (.+), limited: (.+)$")
_REQUEST = re.compile(r"missing request for (\S+) in container (\S+)")
SAID = {
    "ReadyForNewScale": "the size is right",
    "ScaleDownStabilized": "more was asked for a while ago",
    "ScaleUpLimit": "no faster than its policy",
    "ScaleDownLimit": "no faster than its policy",
    "TooManyReplicas": "at the maximum",
    "TooFewReplicas": "at the minimum",
}
"""What an autoscaler says at length, by its own short reasons."""
_PULLS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})


def lacking(message: str) -> str:
    """What the scheduler found no node for: `cpu is lacking on 3 of 3 nodes`."""
    found = _NODES.match(message)
    if found is None:
        return clean_line(message, LENGTH) or "the scheduler does not say why"
    nodes, parts = found[1], found[2].split(", ")
    said = []
    for part in parts:
        lacks = _LACKS.match(part)
        said.append(f"{lacks[2]} is lacking on {lacks[1]} of {nodes} nodes" if lacks else part)
    return clean_line(", ".join(said), LENGTH)


def image_trouble(image: str, reason: str, message: str) -> str:
    """Which image can't be pulled and why; empty where a container waits for something else."""
    if reason not in _PULLS:
        return ""
    # Each layer puts its own words before those of the registry, which alone say why.
    why = message.rpartition(": ")[2].strip('" ')
    return clean_line(f"{image}: {why if why and image not in why else reason}", LENGTH)


def quota_trouble(message: str, hard: Mapping[str, Mapping[str, str]]) -> str:
    """Which quota has no room, and for what; empty where a pod was refused for another reason.

    `hard` is what each quota allows now: one that was raised since is tried again only after a while.
    """
    if "quota" not in message:
        return ""
    found = _QUOTA.search(message)
    if found is None:
        return clean_line(message[message.index("quota") :], LENGTH)
    name, asked, used, most = found[1], _listed(found[2]), _listed(found[3]), _listed(found[4])
    said = [
        f"{what} {used.get(what)} of {most.get(what)} used, {amount} more asked for" for what, amount in asked.items()
    ]
    now = hard.get(name, {})
    raised = [f"{what} is {now[what]} now" for what in asked if what in now and now[what] != most.get(what)]
    return clean_line(f"quota {name}: {'; '.join((*said, *raised))}", LENGTH)


def _listed(text: str) -> Mapping[str, str]:
    """`pods=1,requests.cpu=200m` as a mapping."""
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def unmeasured(reason: str, message: str) -> Obstacle:
    """Why an autoscaler has no figure."""
    if reason == "ScalingDisabled":
        return Obstacle(Cause.ZERO)
    if "could not find the requested resource" in message:
        return Obstacle(Cause.METRICS_ABSENT)
    if "unable to handle the request" in message or "unable to fetch metrics" in message:
        return Obstacle(Cause.METRICS_DEAD)
    if (lacks := _REQUEST.search(message)) is not None:
        return Obstacle(Cause.NO_REQUEST, f"container {lacks[2]} has no {lacks[1]} request")
    metric = re.search(r"failed to get (\S+) (?:utilization|resource)", message)
    return Obstacle(Cause.NO_FIGURE, metric[1] if metric else "metric")


def measured_by_nobody(obstacle: Obstacle) -> str:
    """Why an autoscaler has no figure, in few words."""
    match obstacle.cause:
        case Cause.ZERO:
            return "it was scaled to 0"
        case Cause.METRICS_ABSENT:
            return "the cluster has no metrics API"
        case Cause.METRICS_DEAD:
            return "the cluster's metrics API does not answer"
        case Cause.NO_REQUEST:
            return obstacle.what
        case _:
            return f"no {obstacle.what} of any ready pod was measured yet"


def condition_said(condition: Mapping[str, str], *, metrics: bool) -> str:
    """What one of an autoscaler's conditions says; where it is about its `metrics` and these fail, what fails."""
    reason, message = condition.get("reason", ""), condition.get("message", "")
    failed = metrics and condition.get("status") == "False"
    return measured_by_nobody(unmeasured(reason, message)) if failed else SAID.get(reason, message)
