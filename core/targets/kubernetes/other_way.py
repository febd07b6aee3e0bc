"""Traffic that goes by another kind of object than the settings name: by a Service, or by the HTTPRoute of a gateway.

Whoever moved the one of the settings would move nothing, and take a version that serves for none.
"""

from dataclasses import replace

from core.domain.errors import Refused
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.labels import ClusterEndpoint, ours
from core.targets.kubernetes.settings import Traffic
from core.targets.kubernetes.traffic import holder, traffic_of


def otherwise(at: ClusterEndpoint) -> ClusterEndpoint:
    """The endpoint with its traffic by the other kind of object."""
    way: Traffic = "replicas" if at.place.traffic == "gateway" else "gateway"
    return replace(at, place=at.place.model_copy(update={"traffic": way}))


def leads(at: ClusterEndpoint, body: Json | None) -> bool:
    """Whether an object of ours sends requests anywhere."""
    if body is None or not ours(body["metadata"].get("labels"), at):
        return False
    found = traffic_of(at, body)
    return found.split or bool(found.weights)


def way_of(at: ClusterEndpoint) -> str:
    """By what traffic goes there, in words."""
    return "the HTTPRoute of a gateway" if at.place.traffic == "gateway" else "a Service"


def why_otherwise(at: ClusterEndpoint) -> str:
    """That traffic goes by the other kind of object, and what to do."""
    once = "replicas or selector" if at.place.traffic == "gateway" else "gateway"
    return (
        f"kubernetes.traffic is {at.place.traffic}, and the traffic of {at.called} goes by {way_of(otherwise(at))}, as "
        f"before that was changed; set it back to {once}, or call 'quarterdeck down --env ENVIRONMENT' first"
    )


def check_way(at: ClusterEndpoint, changes: ObjectChanges) -> None:
    """Raises Refused where the other kind of object sends requests somewhere; asked where that of the settings doesn't.

    Nothing is known to who may not look at that kind.
    """
    other = otherwise(at)
    try:
        body = changes.read(holder(other), at.name)
    except Refused:
        return
    if leads(other, body):
        raise Refused(why_otherwise(at))
