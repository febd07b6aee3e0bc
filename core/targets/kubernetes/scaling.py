"""Why a slot in a cluster is not of another size: from the API's objects, as plain dicts, to a look. Pure.

An autoscaler's conditions, the Deployment, its pods, their events and the quotas are read for what is in the way;
`core.scaling` says it in words.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from core.domain.model import Reading, Scaled, Slot
from core.domain.obstacles import Cause, Obstacle
from core.targets.kubernetes.scaling_messages import condition_said, image_trouble, lacking, quota_trouble, unmeasured

Json: TypeAlias = Mapping[str, Any]
DOWN_WINDOW_S = 300.0
"""The stabilisation of the way down where nobody sets another; the autoscaler does not say how much of it is left."""
TOLERANCE = 0.1
HELD = "held while traffic moves"


@dataclass(frozen=True, slots=True)
class SlotObjects:
    """What a cluster has of one slot; None and empty where there is no such object.

    `name` is its Deployment's. `held_by` says who holds the autoscaler at one count, if somebody does; `most` is the
    maximum that it has again afterwards.
    """

    slot: Slot
    name: str
    autoscaler: Json | None = None
    deployment: Json | None = None
    pods: Sequence[Json] = ()
    events: Sequence[Json] = ()
    quotas: Sequence[Json] = ()
    held_by: str = ""
    most: int = 0

    @property
    def held(self) -> bool:
        """Whether the autoscaler may not go anywhere while traffic moves."""
        spec = _part(self.autoscaler, "spec")
        return bool(self.held_by) and spec.get("minReplicas", 1) == spec.get("maxReplicas")


def look_of(objects: SlotObjects, now: float, last: Scaled | None = None) -> Scaled:
    """A look at a slot as its cluster has it; `last` is the one before, by which a window's rest is known."""
    spec, status = _part(objects.autoscaler, "spec"), _part(objects.autoscaler, "status")
    wanted, active = _wanted(objects), _is(objects.autoscaler, "ScalingActive", "True")
    before = int(status.get("currentReplicas", wanted))
    # Where its metrics fail, 0 desired replicas are not what is desired.
    after = int(status.get("desiredReplicas", wanted)) if active else wanted
    if objects.held:
        # Its own last word is of before it was held.
        before = after = int(spec["maxReplicas"])
    readings = tuple(_readings(spec, status))
    look = Scaled(
        slot=objects.slot,
        at=now,
        before=before,
        after=after,
        reason=_reason(objects.autoscaler, readings, held=objects.held),
        readings=readings,
        min=int(spec.get("minReplicas", 1)) if spec else wanted,
        max=int(spec.get("maxReplicas", wanted)),
        proposed=_proposed(readings, before) if active else None,
    )
    of_size = () if objects.deployment is None else (*_of_pods(objects.pods), *_of_quota(objects))
    return replace(look, obstacles=(*_of_autoscaler(objects, look, last), *of_size))


def _part(body: Json | None, name: str) -> Json:
    """A part of an object that may not be there, or not yet."""
    found: Json = (body or {}).get(name) or {}
    return found


def _condition(body: Json | None, kind: str) -> Json:
    """A condition by its type; they change their order."""
    return next((one for one in _part(body, "status").get("conditions") or () if one["type"] == kind), {})


def _is(body: Json | None, kind: str, status: str) -> bool:
    return _condition(body, kind).get("status") == status


def _wanted(objects: SlotObjects) -> int:
    """How many pods the Deployment is to have."""
    return int(_part(objects.deployment, "spec").get("replicas", 1)) if objects.deployment is not None else 0


def _readings(spec: Json, status: Json) -> Iterator[Reading]:
    """Each metric by share of the request beside its target; None where it was not measured."""
    told = [one.get("resource") or {} for one in status.get("currentMetrics") or ()]
    current = {one.get("name"): one.get("current", {}).get("averageUtilization") for one in told}
    for metric in spec.get("metrics") or ():
        resource = metric.get("resource") or {}
        target = resource.get("target", {}).get("averageUtilization")
        if target:
            value = current.get(resource["name"])
            yield Reading(resource["name"], None if value is None else float(value), float(target))


def _proposed(readings: Sequence[Reading], count: int) -> int | None:
    """What the readings alone ask for, as the controller reckons where every pod is ready."""
    ratios = [one.value / one.target for one in readings if one.value is not None]
    if not ratios or count == 0:
        return None
    return max(count if abs(ratio - 1) <= TOLERANCE else math.ceil(ratio * count) for ratio in ratios)


def _reason(scaler: Json | None, readings: Sequence[Reading], *, held: bool) -> str:
    """What was measured, and what the autoscaler says of itself: what fails, else what kept or limits it."""
    if scaler is None:
        return "no autoscaler"
    able, active, limited = (_condition(scaler, kind) for kind in ("AbleToScale", "ScalingActive", "ScalingLimited"))
    failed = [one for one in (able, active) if one.get("status") == "False"]
    # That it scaled, and to how many, is said by the counts.
    kept = [] if able.get("reason") == "SucceededRescale" else [able]
    told = failed or [*kept, *([limited] if limited.get("status") == "True" else [])]
    said = "; ".join(text for one in told if (text := condition_said(one, metrics=one is active)))
    said = HELD if held and not failed else said
    measured = ", ".join(
        f"{one.name} {one.value:.0f} % of {one.target:g} %" for one in readings if one.value is not None
    )
    if failed or not measured:
        return said or "it has not looked yet"
    return f"{measured}: {said}" if said else measured


def _of_autoscaler(objects: SlotObjects, look: Scaled, last: Scaled | None) -> Iterator[Obstacle]:
    """What the autoscaler's own settings and conditions show."""
    scaler = objects.autoscaler
    aim = _part(scaler, "spec").get("scaleTargetRef") or {}
    if scaler is None:
        yield Obstacle(Cause.UNSCALED)
    elif aim.get("name") != objects.name:
        yield Obstacle(Cause.ELSEWHERE, f"{aim.get('kind')} {aim.get('name')}")
    elif objects.deployment is None or _condition(scaler, "AbleToScale").get("reason") == "FailedGetScale":
        yield Obstacle(Cause.GONE, f"Deployment {objects.name}")
    else:
        if objects.held:
            yield Obstacle(Cause.HELD, objects.held_by)
        yield from _of_metrics(objects)
        # What it says of the count that it is held at is no word on the bounds that it has again afterwards.
        if not objects.held or look.max >= objects.most:
            yield from _of_limits(scaler, look, last)


def _of_metrics(objects: SlotObjects) -> Iterator[Obstacle]:
    """Why nothing was measured. A request that is not there is seen in the pods before the autoscaler finds it."""
    active = _condition(objects.autoscaler, "ScalingActive")
    said = unmeasured(active.get("reason", ""), active.get("message", "")) if active.get("status") == "False" else None
    if said is not None and said.cause in (Cause.METRICS_ABSENT, Cause.METRICS_DEAD, Cause.ZERO):
        yield said
        return
    template = _part(_part(objects.deployment, "spec"), "template")
    metrics = [_part(one, "resource") for one in _part(objects.autoscaler, "spec").get("metrics") or ()]
    by_share = [one["name"] for one in metrics if _part(one, "target").get("averageUtilization")]
    for container in _part(template, "spec").get("containers") or ():
        requests = _part(_part(container, "resources"), "requests")
        for name in by_share:
            if name not in requests:
                yield Obstacle(Cause.NO_REQUEST, f"container {container['name']} has no {name} request")
                return
    if said is not None:
        yield said


def _of_limits(scaler: Json, look: Scaled, last: Scaled | None) -> Iterator[Obstacle]:
    """What keeps the autoscaler from what its metrics ask for."""
    limit = _condition(scaler, "ScalingLimited").get("reason") if _is(scaler, "ScalingLimited", "True") else ""
    proposed = look.proposed
    if limit == "TooManyReplicas" and proposed is not None and proposed > look.max:
        yield Obstacle(Cause.MAXIMUM, "", proposed, look.max)
    if limit in ("ScaleUpLimit", "ScaleDownLimit"):
        yield Obstacle(Cause.POLICY, "", proposed, look.after)
    # It says so right after scaling up too, where nothing lower was asked for.
    stays = _condition(scaler, "AbleToScale").get("reason") == "ScaleDownStabilized"
    if stays and proposed is not None and max(proposed, look.min) < look.after:
        down = _part(_part(_part(scaler, "spec"), "behavior"), "scaleDown")
        window_s = float(down.get("stabilizationWindowSeconds", DOWN_WINDOW_S))
        yield Obstacle(Cause.WINDOW, "", _left_s(window_s, look, last), window_s)


def _left_s(window_s: float, look: Scaled, last: Scaled | None) -> float | None:
    """How much of the window is left, by when fewer were first asked for; None where nobody saw that."""
    if last is None:
        return None
    held = next((one for one in last.obstacles if one.cause is Cause.WINDOW), None)
    if held is None:
        # As many were still asked for one look ago, however long that had been so.
        return max(0.0, window_s - min(look.at - last.at, look.next_look_s))
    return None if held.have is None else max(0.0, held.have - (look.at - last.at))


def _of_pods(pods: Sequence[Json]) -> Iterator[Obstacle]:
    """Pods that found no node, or whose image can't be pulled, counted by what is wrong."""
    waiting: dict[tuple[Cause, str], int] = {}
    for pod in pods:
        if (trouble := _trouble(pod)) is not None and not pod["metadata"].get("deletionTimestamp"):
            waiting[trouble] = waiting.get(trouble, 0) + 1
    for (cause, what), count in waiting.items():
        yield Obstacle(cause, what, count)


def _trouble(pod: Json) -> tuple[Cause, str] | None:
    placed = _condition(pod, "PodScheduled")
    if placed.get("status") == "False" and placed.get("reason") == "Unschedulable":
        return Cause.UNSCHEDULABLE, lacking(placed.get("message", ""))
    status = _part(pod, "status")
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waits = _part(_part(one, "state"), "waiting")
        if trouble := image_trouble(one.get("image", ""), waits.get("reason", ""), waits.get("message", "")):
            return Cause.IMAGE, trouble
    return None


def _of_quota(objects: SlotObjects) -> Iterator[Obstacle]:
    """Pods that a quota forbids: the Deployment says so, or else the last event of its ReplicaSets."""
    there = [pod for pod in objects.pods if not pod["metadata"].get("deletionTimestamp")]
    short = _wanted(objects) - len(there)
    failed = _condition(objects.deployment, "ReplicaFailure")
    told = failed.get("message", "") if failed.get("status") == "True" else _last_failure(objects)
    if short > 0 and (what := quota_trouble(told, _hard(objects.quotas))):
        yield Obstacle(Cause.QUOTA, what, short)


def _last_failure(objects: SlotObjects) -> str:
    mine = [
        event
        for event in objects.events
        if event.get("reason") == "FailedCreate"
        and _part(event, "involvedObject").get("name", "").startswith(f"{objects.name}-")
    ]
    return str(max(mine, key=_moment)["message"]) if mine else ""


def _moment(event: Json) -> str:
    """When an event was seen last: some have only the one, some only the other."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def _hard(quotas: Sequence[Json]) -> Mapping[str, Mapping[str, str]]:
    """What each quota allows now."""
    return {one["metadata"]["name"]: _part(_part(one, "spec"), "hard") for one in quotas}
