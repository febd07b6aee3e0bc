"""What stands before the pods of an endpoint, and what looks after them, as plain objects. Pure; writes nothing."""

import base64
from collections.abc import Collection, Mapping

from core.config.scaling import BehaviorSettings, ScalingDirection
from core.domain.errors import BadInput
from core.domain.model import Slot, Version
from core.targets.kubernetes.labels import MANAGED, MANAGER, ClusterEndpoint, metadata, selector
from core.targets.kubernetes.manifests_pod import KEY, Json, deployment
from core.targets.kubernetes.names import key_name, slot_name
from core.targets.kubernetes.service_ports import INSIDE_PORT, service_port
from core.targets.kubernetes.settings import PINNED
from core.targets.kubernetes.shares import bounds_of
from core.targets.loopback import SLOT_HEADER

BOUNDS = "quarterdeck.dev/bounds"
NOWHERE = "none"
"""The slot that no pod is of."""
WHOLE = 100
"""So many parts of a percent are told apart where a share is not a whole number of them."""


def namespace(at: ClusterEndpoint) -> Json:
    """The namespace. It has no mark of the endpoint's: what is in it may be anybody's, so we never delete it."""
    labels = {MANAGED: MANAGER}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": at.place.namespace, "labels": labels}}


def service(at: ClusterEndpoint, slots: Collection[Slot]) -> Json:
    """What callers reach: the pods of these slots. Of one, it alone gets all; of more, each pod its share."""
    one = next(iter(slots)) if len(slots) == 1 else None
    chosen = selector(at, one) if slots else selector(at, NOWHERE)
    spec = {"type": at.place.service.type, "selector": chosen, "ports": [service_port(at.place.service.port)]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(at, at.name), "spec": spec}


def slot_service(at: ClusterEndpoint, slot: Slot) -> Json:
    """What a gateway sends the share of one slot to."""
    spec = {"type": "ClusterIP", "selector": selector(at, slot), "ports": [service_port(INSIDE_PORT)]}
    name = slot_name(at.name, slot)
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(at, name, slot), "spec": spec}


def autoscaler(at: ClusterEndpoint, slot: Slot, low: int, high: int) -> Json:
    """The autoscaler of one slot, between two counts; the same one twice holds it still. Raises BadInput."""
    scaling = at.endpoint.autoscaling
    if scaling is None:
        raise BadInput("endpoint.autoscaling: is not set, so there is no autoscaler")
    wanted = {"cpu": scaling.cpu, "memory": scaling.memory}
    metrics = [_metric(name, percent) for name, percent in wanted.items() if percent is not None]
    name = slot_name(at.name, slot)
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": low,
        "maxReplicas": high,
        "metrics": metrics,
        **_behavior(scaling.behavior),
    }
    head = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    return {**head, "metadata": metadata(at, name, slot), "spec": spec}


def held_autoscaler(at: ClusterEndpoint, slot: Slot, found: Json, count: int) -> Json:
    """An autoscaler that there is, held still at a count. Its bounds are noted on it, for who frees it."""
    low, high = kept_bounds(found)
    return _bounded(at, slot, found, count, count, {BOUNDS: f"{low} {high}"})


def freed_autoscaler(at: ClusterEndpoint, slot: Slot, found: Json) -> Json:
    """An autoscaler that there is, between the bounds that it had before it was held."""
    return _bounded(at, slot, found, *kept_bounds(found), {})


def is_held(autoscaler: Json) -> bool:
    """Whether it was held still and not freed since."""
    return BOUNDS in (autoscaler["metadata"].get("annotations") or {})


def kept_bounds(found: Json) -> tuple[int, int]:
    """The bounds of an autoscaler, those of before where it is held."""
    noted = str((found["metadata"].get("annotations") or {}).get(BOUNDS, "")).split()
    if len(noted) == 2 and all(one.isdecimal() for one in noted):
        return int(noted[0]), int(noted[1])
    return int(found["spec"].get("minReplicas", 1)), int(found["spec"]["maxReplicas"])


def _bounded(at: ClusterEndpoint, slot: Slot, found: Json, low: int, high: int, noted: Mapping[str, str]) -> Json:
    """What it measures stays: it may have been deployed with other settings than those of now."""
    head = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    body = metadata(at, slot_name(at.name, slot), slot)
    spec = {**found["spec"], "minReplicas": low, "maxReplicas": high}
    return {**head, "metadata": {**body, "annotations": dict(noted)}, "spec": spec}


def disruption_budget(at: ClusterEndpoint, slot: Slot) -> Json:
    """At most one pod of a slot goes at a time when nodes are drained; one that does not answer holds nothing up."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector(at, slot)},
    }
    head = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    return {**head, "metadata": metadata(at, slot_name(at.name, slot), slot), "spec": spec}


def route(
    at: ClusterEndpoint,
    weights: Mapping[Slot, float],
    mirror: Mapping[Slot, float] | None = None,
    secret: str = "",
) -> Json:
    """How the gateway splits requests over slots, in percent, and which slot gets a copy of how many.

    With a `secret` whoever knows it may name a slot (`pin`) and gets it, whatever its weight; nobody can without.
    Raises BadInput where no gateway is set.
    """
    gateway = at.place.gateway
    if gateway is None:
        raise BadInput("kubernetes.gateway: is not set; name the Gateway that splits the traffic")
    shared: Json = {"backendRefs": [{**_backend(at, slot), "weight": part} for slot, part in _whole(weights).items()]}
    if mirror:
        shared["filters"] = [_copy(at, slot, percent) for slot, percent in mirror.items()]
    hosts = {} if gateway.host is None else {"hostnames": [gateway.host]}
    parent = {"name": gateway.name, "namespace": gateway.namespace}
    pinned = [_pinned(at, slot, secret) for slot in dict.fromkeys([*weights, *(mirror or {})]) if secret]
    spec = {"parentRefs": [parent], **hosts, "rules": [*pinned, shared]}
    head = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    return {**head, "metadata": metadata(at, at.name), "spec": spec}


def pin(slot: Slot, secret: str) -> dict[str, str]:
    """The header that reaches a slot behind a gateway, whatever its weight is."""
    return {SLOT_HEADER: f"{slot}.{secret}"}


def key_secret(at: ClusterEndpoint, key: str) -> Json:
    """The key of the endpoint's callers. It goes to the cluster alone, never into a file."""
    data = {KEY: base64.b64encode(key.encode()).decode()}
    head = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque"}
    return {**head, "metadata": metadata(at, key_name(at.name)), "data": data}


def bounds(at: ClusterEndpoint) -> tuple[int, int]:
    """Between how many replicas an endpoint's slot goes: never under what a release brings up."""
    return bounds_of(at.endpoint)


def image_of(at: ClusterEndpoint, version: Version) -> str:
    """The image that holds a version, by its digest: the one that is set, else the one that was pushed from here.

    Raises BadInput where there is none, and where the one that is set is known to hold something else.
    """
    record, image = at.record(version), at.place.image
    pushed = () if record is None else record.pushed
    if image is None and not pushed:
        build = f"image build {version.number}, then quarterdeck " if record is None else ""
        ways = f"quarterdeck {build}image push {version.number}; or write it as {PINNED}"
        raise BadInput(f"kubernetes.image: is not set, and none of {version.label} was pushed from here: {ways}")
    if image is not None and record is not None and not image.endswith(f"@{record.digest}"):
        why = f"is not the image of {version.label}, which is {record.digest}"
        raise BadInput(f"kubernetes.image: {why}; take it out, and the one that was pushed from here is taken")
    return image or pushed[-1]


def all_of(at: ClusterEndpoint, slot: Slot, version: Version, image: str) -> list[Json]:
    """Everything that one version in one slot needs to serve all callers, in the order in which it is applied."""
    low, high = bounds(at)
    scaled = at.endpoint.autoscaling is not None
    objects = [namespace(at)] if at.place.create_namespace else []
    if at.place.traffic == "gateway":
        objects.append(slot_service(at, slot))
    else:
        objects.append(service(at, [slot]))
    objects.append(deployment(at, slot, version, image, None if scaled else low))
    if scaled:
        objects.append(autoscaler(at, slot, low, high))
    if at.place.disruption_budget:
        objects.append(disruption_budget(at, slot))
    if at.place.traffic == "gateway":
        objects.append(route(at, {slot: 100.0}))
    return objects


def _metric(name: str, percent: float) -> Json:
    target = {"type": "Utilization", "averageUtilization": max(1, round(percent))}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def _behavior(said: BehaviorSettings | None) -> Json:
    """How fast it may go; what is left out is filled in by the cluster."""
    ways = {} if said is None else {"scaleUp": said.up, "scaleDown": said.down}
    found = {name: _direction(way) for name, way in ways.items() if way is not None}
    return {"behavior": found} if found else {}


def _direction(way: ScalingDirection) -> Json:
    window = {} if way.window_s is None else {"stabilizationWindowSeconds": round(way.window_s)}
    policies = [
        {
            "type": "Pods" if one.percent is None else "Percent",
            "value": one.pods or one.percent,
            "periodSeconds": round(one.period_s),
        }
        for one in way.policies
    ]
    return {**window, **({"policies": policies} if policies else {}), "selectPolicy": way.select.capitalize()}


def _backend(at: ClusterEndpoint, slot: Slot) -> Json:
    return {"name": slot_name(at.name, slot), "port": INSIDE_PORT}


def _pinned(at: ClusterEndpoint, slot: Slot, secret: str) -> Json:
    headers = [{"type": "Exact", "name": name, "value": value} for name, value in pin(slot, secret).items()]
    return {"matches": [{"headers": headers}], "backendRefs": [_backend(at, slot)]}


def _copy(at: ClusterEndpoint, slot: Slot, percent: float) -> Json:
    share: Json = {"percent": round(percent)}
    if percent != round(percent):
        share = {"fraction": {"numerator": round(percent * WHOLE), "denominator": 100 * WHOLE}}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": _backend(at, slot), **share}}


def _whole(weights: Mapping[Slot, float]) -> dict[Slot, int]:
    """Percents as the whole numbers that a gateway takes: as they are, or in hundredths where one of them is broken."""
    times = 1 if all(weight == round(weight) for weight in weights.values()) else WHOLE
    return {slot: round(weight * times) for slot, weight in weights.items()}
