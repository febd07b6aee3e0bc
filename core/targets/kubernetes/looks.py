"""What the autoscalers of an endpoint's slots came to last, as a watch has their objects. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from core.domain.model import Scaled, Slot
from core.domain.obstacles import Cause, Obstacle
from core.targets.kubernetes import manifests
from core.targets.kubernetes.api_errors import clipped
from core.targets.kubernetes.labels import SLOT, ClusterEndpoint, ours
from core.targets.kubernetes.names import slot_name
from core.targets.kubernetes.observed import pods_of, slots_of
from core.targets.kubernetes.paths import AUTOSCALERS
from core.targets.kubernetes.scaling import Json, SlotObjects, look_of
from core.targets.kubernetes.watching import ClusterView

NOBODY: Mapping[Slot, Scaled] = {}


def looks(
    at: ClusterEndpoint, view: ClusterView, now: float, last: Mapping[Slot, Scaled] = NOBODY
) -> dict[Slot, Scaled]:
    """A look at each slot that has an autoscaler, or should; `now` since the epoch, in seconds; `last` those before."""
    deployments, pods = slots_of(at, view), pods_of(at, view)
    found: dict[Slot, Scaled] = {}
    for body in view.all(AUTOSCALERS):
        labels = body["metadata"].get("labels") or {}
        if not ours(labels, at) or SLOT not in labels:
            continue
        slot = labels[SLOT]
        objects = SlotObjects(
            slot=slot,
            name=slot_name(at.name, slot),
            autoscaler=body,
            deployment=deployments.get(slot),
            pods=pods.get(slot, []),
            held_by=_holder(at, body),
            most=manifests.bounds(at)[1],
        )
        look = look_of(objects, now, last.get(slot))
        found[slot] = replace(look, reason=clipped(look.reason))
    lacking = {slot: body for slot, body in deployments.items() if slot not in found and _scales(at, body)}
    return found | {slot: _missing(at, slot, body, now) for slot, body in lacking.items()}


def _scales(at: ClusterEndpoint, deployment: Json) -> bool:
    """Whether a slot should have an autoscaler by the settings: one that comes up has none yet, one of 0 needs none."""
    serves = int((deployment.get("status") or {}).get("readyReplicas") or 0) > 0
    return at.endpoint.autoscaling is not None and serves and int(deployment["spec"].get("replicas", 1)) > 0


def _missing(at: ClusterEndpoint, slot: Slot, deployment: Json, now: float) -> Scaled:
    """The look at a slot whose autoscaler somebody deleted, within the bounds that the next one has."""
    low, high = manifests.bounds(at)
    look = look_of(SlotObjects(slot, slot_name(at.name, slot), deployment=deployment), now)
    return replace(look, min=low, max=high, obstacles=(Obstacle(Cause.MISSING),))


def alike(one: Scaled | None, two: Scaled) -> bool:
    """Whether a look says nothing new: only its moment is another, or less of a window is left."""
    return one is not None and _timeless(one) == _timeless(two)


def _timeless(look: Scaled) -> Scaled:
    whole = (replace(one, have=None) if one.cause is Cause.WINDOW else one for one in look.obstacles)
    return replace(look, at=0.0, obstacles=tuple(whole))


def _holder(at: ClusterEndpoint, body: Json) -> str:
    """Who holds an autoscaler at one count that the settings leave more room."""
    low, high = manifests.bounds(at)
    return "a release" if low != high and manifests.is_held(dict(body)) else ""
