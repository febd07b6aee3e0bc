"""What a Deployment says of itself: counts, whether enough is available, and whether it gets on."""

import math

from tests.kubernetes.clock import SkewedClock, seconds_of
from tests.kubernetes.controllers.replicasets import condition
from tests.kubernetes.kinds import Json

LONGEST_S = 2**31 - 1
"""A deadline that is none."""


def share(value: object, of: int, *, up: bool) -> int:
    """A number, or a percentage of so many."""
    text = str(value)
    if not text.endswith("%"):
        return int(text)
    part = of * int(text[:-1]) / 100
    return math.ceil(part) if up else math.floor(part)


def room(spec: Json) -> tuple[int, int]:
    """How many pods there may be too many, and too few."""
    rolling = spec["strategy"].get("rollingUpdate")
    if rolling is None:
        return 0, spec["replicas"]
    surge = share(rolling["maxSurge"], spec["replicas"], up=True)
    fewer = share(rolling["maxUnavailable"], spec["replicas"], up=False)
    return surge, fewer if surge or fewer else 1


def deployment_status(body: Json, new: Json | None, sets: list[Json], clock: SkewedClock) -> tuple[Json, float | None]:
    """The status, and in how many seconds it may be another one by itself."""
    wanted = body["spec"]["replicas"]

    def total(field: str) -> int:
        return sum(one["status"].get(field, 0) for one in sets)

    available = total("availableReplicas")
    counts = {
        "replicas": total("replicas"),
        "updatedReplicas": new["status"].get("replicas", 0) if new else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(one["spec"]["replicas"] for one in sets) - available),
    }
    status: Json = {"observedGeneration": body["metadata"]["generation"]}
    status |= {key: value for key, value in counts.items() if value}
    status["terminatingReplicas"] = total("terminatingReplicas")
    progress, again_s = _progress(body, new, status, clock)
    told = {
        one["type"]: one
        for one in (_available(body, available, wanted, clock), _failure(new, sets, body), progress)
        if one
    }
    before = [one["type"] for one in body["status"].get("conditions", ()) if one["type"] in told]
    order = sorted(
        told, key=lambda kind: (told[kind].get("lastUpdateTime", ""), before.index(kind) if kind in before else 9)
    )
    status["conditions"] = [told[kind] for kind in order]
    return status, again_s


def _told(body: Json, kind: str, status: str, reason: str, message: str, clock: SkewedClock) -> Json:
    """A condition; its times are kept where it says the same."""
    held = condition(body, kind)
    stamp = clock.stamp()
    if held and (held["status"], held["reason"], held["message"]) == (status, reason, message):
        return held
    since = held["lastTransitionTime"] if held and held["status"] == status else stamp
    times = {"lastUpdateTime": stamp, "lastTransitionTime": since}
    return {"type": kind, "status": status, **times, "reason": reason, "message": message}


def _available(body: Json, available: int, wanted: int, clock: SkewedClock) -> Json:
    if available >= wanted - (room(body["spec"])[1] if body["spec"]["strategy"]["type"] != "Recreate" else wanted):
        said = "Deployment has minimum availability."
        return _told(body, "Available", "True", "MinimumReplicasAvailable", said, clock)
    said = "Deployment does not have minimum availability."
    return _told(body, "Available", "False", "MinimumReplicasUnavailable", said, clock)


def _failure(new: Json | None, sets: list[Json], body: Json) -> Json | None:
    for one in [new, *sets] if new else sets:
        found = condition(one, "ReplicaFailure")
        if found:
            held = condition(body, "ReplicaFailure")
            since = held["lastTransitionTime"] if held else found["lastTransitionTime"]
            return {
                "type": "ReplicaFailure",
                "status": "True",
                "lastUpdateTime": since,
                "lastTransitionTime": since,
                "reason": found["reason"],
                "message": found["message"],
            }
    return None


def _progress(body: Json, new: Json | None, status: Json, clock: SkewedClock) -> tuple[Json | None, float | None]:
    """Done, on its way, or stuck for longer than its deadline."""
    held = condition(body, "Progressing")
    deadline_s = body["spec"].get("progressDeadlineSeconds", LONGEST_S)
    if new is None or deadline_s == LONGEST_S:
        return held, None
    name = new["metadata"]["name"]
    wanted = body["spec"]["replicas"]
    counts = [status.get(field, 0) for field in ("updatedReplicas", "replicas", "availableReplicas")]
    if counts == [wanted] * 3:
        said = f'ReplicaSet "{name}" has successfully progressed.'
        return _told(body, "Progressing", "True", "NewReplicaSetAvailable", said, clock), None
    if (
        held is not None
        and held["reason"] == "NewReplicaSetAvailable"
        and held["message"].startswith(f'ReplicaSet "{name}"')
    ):
        return held, None  # a rollout that is over stays so while it is scaled
    before = body["status"]
    more = any(
        status.get(field, 0) > before.get(field, 0)
        for field in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    older = status.get("replicas", 0) - counts[0] < before.get("replicas", 0) - before.get("updatedReplicas", 0)
    if more or older or held is None:
        said = f'ReplicaSet "{name}" is progressing.'
        told = _told(body, "Progressing", "True", "ReplicaSetUpdated", said, clock)
        return {**told, "lastUpdateTime": clock.stamp()}, deadline_s + 1.0
    if held["status"] == "False":
        return held, None
    left_s = seconds_of(held["lastUpdateTime"]) + deadline_s - clock.now_s()
    if left_s > 0:
        return held, left_s + 0.05
    said = f'ReplicaSet "{name}" has timed out progressing.'
    return _told(body, "Progressing", "False", "ProgressDeadlineExceeded", said, clock), None
