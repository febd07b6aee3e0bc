"""A version in a slot: every object that it needs, applied one after the other; and all of them taken away again."""

from core.domain.errors import QuarterdeckError, Refused
from core.domain.model import Slot, Version
from core.targets.kinds import Note
from core.targets.kubernetes import manifests
from core.targets.kubernetes.api_errors import ApiConflict, ApiMissing, Json
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.held_fields import holders
from core.targets.kubernetes.keys import place_key
from core.targets.kubernetes.labels import ClusterEndpoint, selector, version_of
from core.targets.kubernetes.manifests_pod import deployment
from core.targets.kubernetes.names import slot_name
from core.targets.kubernetes.observed import image_for
from core.targets.kubernetes.paths import (
    AUTOSCALERS,
    BUDGETS,
    DEPLOYMENTS,
    SERVICES,
    namespace_path,
)
from core.targets.kubernetes.service_ports import moved_port
from core.targets.kubernetes.traffic import first, holder, holds, traffic_of
from core.targets.kubernetes.watching import ClusterView


def place(changes: ObjectChanges, key: str) -> None:
    """What an endpoint needs whatever its versions: the key, and what callers reach."""
    at = changes.at
    place_key(changes, key)
    changes.create(holder(at), first(at))
    if holder(at) is SERVICES:
        changes.change(SERVICES, at.name, lambda body: moved_port(body, at.place.service.port))


def make_namespace(changes: ObjectChanges) -> None:
    """The namespace, where there is none."""
    name = changes.at.place.namespace
    try:
        changes.calls.ask("GET", namespace_path(name))
    except ApiMissing:
        try:
            changes.calls.ask("POST", namespace_path(), manifests.namespace(changes.at))
        except ApiConflict:
            return  # Somebody else was quicker.


def deploy(
    changes: ObjectChanges, slot: Slot, version: Version, replicas: int, *, key: str, view: ClusterView, note: Note
) -> None:
    """So many replicas of a version in a slot, with the settings of now; a version that some slot has keeps its image.

    What had all traffic with that version is only scaled: the way back must not bring the settings of what failed.
    """
    at = changes.at
    if not keeps(changes, slot, version):
        image = image_for(at, view, version) or manifests.image_of(at, version)
        place(changes, key)
        if at.place.traffic == "gateway":
            changes.apply(SERVICES, manifests.slot_service(at, slot))
        changes.apply(DEPLOYMENTS, deployment(at, slot, version, image, None))
        if at.place.disruption_budget:
            changes.apply(BUDGETS, manifests.disruption_budget(at, slot))
        scale(changes, slot, replicas)
        if at.endpoint.autoscaling is not None:
            _autoscaled(changes, slot, manifests.autoscaler(at, slot, *manifests.bounds(at)), note)
    else:
        scale(changes, slot, replicas)
        missing_autoscaler(changes, slot, note)


def missing_autoscaler(changes: ObjectChanges, slot: Slot, note: Note) -> None:
    """Make an autoscaler that somebody deleted anew; a slot serves without one too, so what is refused is only said."""
    at = changes.at
    try:
        held = changes.owned(DEPLOYMENTS, slot_name(at.name, slot))
        wanted = at.endpoint.autoscaling is not None and held is not None and held["spec"].get("replicas", 1) > 0
        if not wanted or _autoscaler(changes, slot) is not None:
            return
        _autoscaled(changes, slot, manifests.autoscaler(at, slot, *manifests.bounds(at)), note)
        note(f"autoscaler of {slot} was not there any more, and is made anew")
    except QuarterdeckError as error:
        note(f"autoscaler of {slot} is not there, and could not be made: {error}")


def keeps(changes: ObjectChanges, slot: Slot, version: Version) -> bool:
    """Whether a slot had all traffic with this version, so that it stays as it was deployed."""
    at = changes.at
    held = changes.owned(DEPLOYMENTS, slot_name(at.name, slot))
    if held is None or version_of(held["metadata"].get("annotations")) != version:
        return False
    return traffic_of(at, changes.owned(holder(at), at.name)).served.get(slot) == holds(held)


def scale(changes: ObjectChanges, slot: Slot, replicas: int) -> None:
    """So many replicas, where there are others."""
    name = slot_name(changes.at.name, slot)
    held = changes.owned(DEPLOYMENTS, name)
    if held is None:
        raise Refused(f"{slot}: no version is in this slot; deploy one first")
    if held["spec"].get("replicas", 1) != replicas:
        changes.scale(DEPLOYMENTS, name, replicas)


def hold_autoscaler(changes: ObjectChanges, slot: Slot, replicas: int) -> None:
    """Let no autoscaler change so many replicas, for as long as they are a share of the traffic."""
    if (found := _autoscaler(changes, slot)) is not None and replicas > 0:
        changes.apply(AUTOSCALERS, manifests.held_autoscaler(changes.at, slot, found, replicas))


def free_autoscaler(changes: ObjectChanges, slot: Slot, note: Note) -> None:
    """Give the replicas back to the autoscaler, within the bounds that it had."""
    if (found := _autoscaler(changes, slot)) is not None:
        _autoscaled(changes, slot, manifests.freed_autoscaler(changes.at, slot, found), note)


def _autoscaled(changes: ObjectChanges, slot: Slot, body: Json, note: Note) -> None:
    """An autoscaler as far as nobody else holds it: what serves waits for no bound of it."""
    if (conflict := changes.apply_rest(AUTOSCALERS, body)) is not None:
        note(
            f"autoscaler of {slot}: {holders(conflict)}, which stays as it is there; delete {AUTOSCALERS.plural}/"
            f"{body['metadata']['name']} before the next release, which makes it as the settings say"
        )


def _autoscaler(changes: ObjectChanges, slot: Slot) -> Json | None:
    if changes.at.endpoint.autoscaling is None:
        return None
    return changes.owned(AUTOSCALERS, slot_name(changes.at.name, slot))


def undeploy(changes: ObjectChanges, slot: Slot) -> bool:
    """Let all that a slot has go; its pods drain. False where there was nothing."""
    name = slot_name(changes.at.name, slot)
    at = changes.at
    kinds = [*([] if at.endpoint.autoscaling is None else [AUTOSCALERS]), DEPLOYMENTS]
    kinds += [BUDGETS] if at.place.disruption_budget else []
    kinds += [SERVICES] if at.place.traffic == "gateway" else []
    gone = [changes.delete(kind, name) for kind in kinds]
    return any(gone)


def listed(at: ClusterEndpoint, changes: ObjectChanges) -> ClusterView:
    """The Deployments of an endpoint, asked for where nobody watches."""
    asked = ",".join(f"{label}={value}" for label, value in selector(at).items())
    page = changes.calls.ask("GET", DEPLOYMENTS.path(at.place.namespace), query={"labelSelector": asked})
    found = page.get("items") or []
    return ClusterView({(DEPLOYMENTS.plural, body["metadata"]["name"]): body for body in found})
