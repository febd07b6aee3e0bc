"""What the autoscalers of an endpoint's slots came to last, as a watch has their objects. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from core.domain.model import Scaled, Slot
from core.domain.obstacles import Cause
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
    """A look at each slot that has an autoscaler; `now` in seconds since the epoch, `last` the looks before these."""
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
    return found


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
