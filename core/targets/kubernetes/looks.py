"""What an autoscaler of a cluster looked at last and came to, as the deck shows it. Pure."""

from core.domain.model import Reading, Scaled, Slot
from core.targets.kubernetes.api_errors import Json, clipped
from core.targets.kubernetes.labels import SLOT, ClusterEndpoint, ours
from core.targets.kubernetes.paths import AUTOSCALERS
from core.targets.kubernetes.watching import ClusterView

LOOK_S = 15.0


def looks(at: ClusterEndpoint, view: ClusterView, now: float) -> dict[Slot, Scaled]:
    """The last look of each slot's autoscaler that has looked at all; `now` in seconds since the epoch."""
    found: dict[Slot, Scaled] = {}
    for body in view.all(AUTOSCALERS):
        labels = body["metadata"].get("labels")
        if ours(labels, at) and SLOT in labels and (body.get("status") or {}).get("conditions"):
            found[labels[SLOT]] = _look(labels[SLOT], body, now)
    return found


def _look(slot: Slot, body: Json, now: float) -> Scaled:
    spec, status = body["spec"], body["status"]
    before = int(status.get("currentReplicas") or 0)
    readings = tuple(reading for one in spec.get("metrics") or () if (reading := _reading(one, status)) is not None)
    # Where nothing could be measured the wanted count says 0, which nobody wants.
    measured = any(one.value is not None for one in readings)
    after = int(status.get("desiredReplicas") or 0) if measured else before
    return Scaled(
        slot=slot,
        at=now,
        before=before,
        after=after or before,
        reason=_reason(status),
        readings=readings,
        min=int(spec.get("minReplicas") or 1),
        max=int(spec.get("maxReplicas") or 1),
        next_look_s=LOOK_S,
    )


def _reading(metric: Json, status: Json) -> Reading | None:
    resource = metric.get("resource") or {}
    name, target = resource.get("name"), (resource.get("target") or {}).get("averageUtilization")
    if not name or target is None:
        return None
    for one in status.get("currentMetrics") or ():
        current = one.get("resource") or {}
        value = (current.get("current") or {}).get("averageUtilization")
        if current.get("name") == name and value is not None:
            return Reading(str(name), float(value), float(target))
    return Reading(str(name), None, float(target))


def _reason(status: Json) -> str:
    """What the controller says of what it did, or of why it did nothing."""
    by_type = {one.get("type"): one for one in status.get("conditions") or ()}
    inactive, limited = by_type.get("ScalingActive", {}), by_type.get("ScalingLimited", {})
    if inactive.get("status") == "False":
        return clipped(str(inactive.get("message") or inactive.get("reason") or ""))
    if limited.get("status") == "True":
        return clipped(str(limited.get("message") or ""))
    return clipped(str((by_type.get("AbleToScale") or {}).get("message") or ""))
