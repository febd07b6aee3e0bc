"""How an endpoint's traffic is split, as the objects of a cluster say it, and what to change them to. Pure.

Weights stand in a HTTPRoute, or in what a Service selects: one slot, no slot, or all of them, each pod its share. What
was asked for stands beside that in annotations, so that whoever comes after knows it too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.domain.model import Slot
from core.targets.kubernetes import manifests
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.labels import SLOT, ClusterEndpoint, selector
from core.targets.kubernetes.names import slot_name
from core.targets.kubernetes.paths import ROUTES, SERVICES, ApiKind

PREFIX = "quarterdeck.dev/"
WANTED, REPLICAS, CLAIM, CHANGE, SERVED = (
    f"{PREFIX}{one}" for one in ("weights", "replicas", "claim", "change", "served")
)

WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class RoutedTraffic:
    """What the objects say. `weights` are in force as far as they go, `wanted` is what was asked for.

    `split` means that each ready pod gets its share, so that the weights are a matter of counts; `replicas` are those
    that each slot had before its count became a matter of shares. `change` names the last change of it. `served` says
    what each slot held when it last had all traffic.
    """

    weights: Mapping[Slot, float] = field(default_factory=dict)
    mirror: Mapping[Slot, float] = field(default_factory=dict)
    wanted: Mapping[Slot, float] = field(default_factory=dict)
    replicas: Mapping[Slot, int] = field(default_factory=dict)
    split: bool = False
    change: str = ""
    claim: int = 0
    served: Mapping[Slot, str] = field(default_factory=dict)


NOTHING = RoutedTraffic()


def holder(at: ClusterEndpoint) -> ApiKind:
    """The kind of object that says where traffic goes. It is called as the endpoint is."""
    return ROUTES if at.place.traffic == "gateway" else SERVICES


def traffic_of(at: ClusterEndpoint, body: Json | None) -> RoutedTraffic:
    """What the object says; nothing where there is none."""
    if body is None:
        return NOTHING
    said = body["metadata"].get("annotations") or {}
    known: dict[str, Any] = {
        "wanted": _numbers(said.get(WANTED)),
        "replicas": {slot: int(count) for slot, count in _numbers(said.get(REPLICAS)).items()},
        "change": str(said.get(CHANGE) or ""),
        "claim": int(said[CLAIM]) if str(said.get(CLAIM) or "").isdecimal() else 0,
        "served": _words(said.get(SERVED)),
    }
    if at.place.traffic == "gateway":
        return RoutedTraffic(*_of_route(at, body), **known)
    chosen: Mapping[str, str] = (body.get("spec") or {}).get("selector") or {}
    if SLOT not in chosen:
        return RoutedTraffic(known["wanted"], split=True, **known)
    slot = chosen[SLOT]
    return RoutedTraffic({} if slot == manifests.NOWHERE else {slot: WHOLE}, **known)


def _of_route(at: ClusterEndpoint, body: Json) -> tuple[dict[Slot, float], dict[Slot, float]]:
    """The weights in percent, and the copy, of the rule that all callers come to."""
    rules = (body.get("spec") or {}).get("rules") or [{}]
    rule: Json = next((one for one in rules if not _pinned(one)), {})
    slots = {slot_name(at.name, slot): slot for slot in at.place.slots}
    parts = {
        slots[one["name"]]: int(one.get("weight", 1)) for one in rule.get("backendRefs") or () if one["name"] in slots
    }
    total = sum(parts.values())
    weights = {slot: round(100 * part / total, 4) for slot, part in parts.items() if part} if total else {}
    mirror: dict[Slot, float] = {}
    for one in rule.get("filters") or ():
        copy: Json = one.get("requestMirror") or {}
        slot = slots.get((copy.get("backendRef") or {}).get("name", ""))
        if one.get("type") == "RequestMirror" and slot is not None:
            mirror[slot] = _percent(copy)
    return weights, mirror


def _pinned(rule: Json) -> bool:
    return any(one.get("headers") for one in rule.get("matches") or ())


def _percent(copy: Json) -> float:
    if "fraction" in copy:
        part = copy["fraction"]
        return 100 * float(part["numerator"]) / float(part.get("denominator", 100))
    return float(copy.get("percent", 100))


def _numbers(text: object) -> dict[str, float]:
    """What an annotation of ours holds; nothing where somebody else wrote there."""
    try:
        found = json.loads(str(text or "{}"))
        return {str(name): float(value) for name, value in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _words(text: object) -> dict[str, str]:
    try:
        return {str(name): str(value) for name, value in json.loads(str(text or "{}")).items()}
    except (ValueError, AttributeError):
        return {}


def holds(deployment: Json) -> str:
    """What a slot holds, in a word that no other Deployment and no other version has."""
    said = deployment["metadata"].get("annotations") or {}
    return f"{deployment['metadata'].get('uid', '')}/{said.get(f'{PREFIX}model', '')}/{said.get(f'{PREFIX}number', '')}"


def serving(before: RoutedTraffic, weights: Mapping[Slot, float], deployments: Mapping[Slot, Json]) -> dict[str, str]:
    """The annotation that says what each slot held when it last had all traffic."""
    whole = {slot: holds(deployments[slot]) for slot, weight in weights.items() if weight == WHOLE}
    return {SERVED: json.dumps(dict(sorted({**before.served, **whole}.items())))}


def annotated(weights: Mapping[Slot, float], replicas: Mapping[Slot, int], claim: int, change: str) -> dict[str, str]:
    """The annotations that say what was asked for, and by whom."""
    return {
        WANTED: json.dumps(dict(sorted(weights.items()))),
        REPLICAS: json.dumps(dict(sorted(replicas.items()))),
        CLAIM: str(claim),
        CHANGE: change,
    }


def spec_for(at: ClusterEndpoint, weights: Mapping[Slot, float], mirror: Mapping[Slot, float], *, split: bool) -> Json:
    """The part of the object's spec that sends traffic so, as a merge patch of it."""
    if at.place.traffic == "gateway":
        rules = manifests.route(at, weights, mirror)["spec"]["rules"]
        return {"rules": rules}
    # A key that is left out of a merge patch stays, so the slot's is taken away by name.
    one = next((slot for slot, weight in weights.items() if weight > 0), manifests.NOWHERE)
    return {"selector": {**selector(at), SLOT: None if split else one}}


def first(at: ClusterEndpoint) -> Json:
    """The object before any traffic was asked for: it leads nowhere."""
    return manifests.route(at, {}) if at.place.traffic == "gateway" else manifests.service(at, [])
