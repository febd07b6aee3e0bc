"""What stands at an endpoint in a cluster, for people; and all of it taken away. Called in threads; watches nothing."""

import time
from collections.abc import Iterable, Mapping

from core.domain.errors import Failed, Refused
from core.domain.model import Observation
from core.targets.kubernetes.api_errors import ApiMissing, Json
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.differences import differences
from core.targets.kubernetes.keys import key_deleted
from core.targets.kubernetes.labels import ClusterEndpoint, ours, selector
from core.targets.kubernetes.lease_holder import holder_of
from core.targets.kubernetes.manifests_pod import grace_s
from core.targets.kubernetes.names import slot_name
from core.targets.kubernetes.observed import observed, slots_of
from core.targets.kubernetes.other_way import leads, otherwise
from core.targets.kubernetes.paths import (
    AUTOSCALERS,
    BUDGETS,
    DEPLOYMENTS,
    LEASES,
    PODS,
    ROUTES,
    SERVICES,
    ApiKind,
)
from core.targets.kubernetes.pod_use import PodUsage
from core.targets.kubernetes.reaching import external_url
from core.targets.kubernetes.service_ports import port_of
from core.targets.kubernetes.traffic import holder, traffic_of
from core.targets.kubernetes.watching import ClusterView

CALL_S = 5.0
LOOK_S = 0.5
NOTHING_USED: Mapping[str, PodUsage] = {}
SPARE_S = 30.0
"""Beyond the time that a pod may take to end, until its node has said so."""


def as_it_goes(at: ClusterEndpoint, view: ClusterView, calls: ApiCalls) -> tuple[ClusterEndpoint, ClusterView]:
    """The endpoint by the kind of object that its traffic goes by, whichever the settings name; with that object."""
    if not slots_of(at, view) or leads(at, view.get(holder(at), at.name)):
        return at, view
    other = otherwise(at)
    try:
        found = _listed(other, calls, holder(other))
    except Refused:
        return at, view
    seen = {(holder(other).plural, body["metadata"]["name"]): body for body in found}
    whole = ClusterView({**view.objects, **seen})
    return (other if leads(other, whole.get(holder(other), at.name)) else at), whole


def looked_at(at: ClusterEndpoint, calls: ApiCalls) -> ClusterView:
    """Every object of an endpoint that says what serves, as the API server has them now."""
    kinds = [DEPLOYMENTS, PODS, SERVICES, LEASES, *([ROUTES] if holder(at) is ROUTES else [])]
    kinds += [] if at.endpoint.autoscaling is None else [AUTOSCALERS]
    found: dict[tuple[str, str], Json] = {}
    for kind in kinds:
        found |= {(kind.plural, body["metadata"]["name"]): body for body in _listed(at, calls, kind)}
    return ClusterView(found)


def slots_in(
    at: ClusterEndpoint, view: ClusterView, usage: Mapping[str, PodUsage] = NOTHING_USED
) -> tuple[Observation, ...]:
    """The slots, with the weights that the objects say; no answer was asked for."""
    return tuple(observed(at, view, traffic_of(at, view.get(holder(at), at.name)), usage=usage).values())


def lines_of(at: ClusterEndpoint, view: ClusterView, by: str = "") -> Iterable[str]:
    """The place in words; `by` says what its traffic goes by where that is none of the settings."""
    service = view.get(SERVICES, at.name)
    yield f"cluster  {at.place.where}  traffic by {by or at.place.traffic}"
    if service is not None:
        url, port, kind = external_url(service), port_of(service), service["spec"].get("type", "ClusterIP")
        waits = "no address yet: the cluster's load balancer has given it none so far"
        where = url or (waits if kind == "LoadBalancer" else "inside the cluster alone")
        yield f"service  {at.name}:{port}  {kind}  {where}"
        if port != at.place.service.port:
            yield f"settings the Service has port {port}, not {at.place.service.port}; the next version moves it"
    has = holder_of(view.get(LEASES, at.name))
    if has.identity:
        lives = "" if has.alive else ", not heard from"
        release = f", release {has.release} is under way" if has.release and has.alive else ""
        yield f"lease    {has.label} since {has.since_when}, claim {has.number}{lives}{release}"
    for slot, body in sorted(slots_of(at, view).items()):
        if other := " and ".join(differences(at, body, view.get(AUTOSCALERS, slot_name(at.name, slot)))):
            yield f"settings {slot} has {other}; the next release deploys with those of now"


def taken_down(at: ClusterEndpoint, calls: ApiCalls) -> bool:
    """Everything of an endpoint that is ours goes; returns once its pods have ended. False where nothing was there.

    Raises Failed where pods are left when all of them should have ended.
    """
    changes = ObjectChanges(at, calls)
    # Who reaches the pods goes last of these, so that what they have begun is answered.
    gone = _deleted(changes, AUTOSCALERS, meant=at.endpoint.autoscaling is not None)
    gone |= _deleted(changes, DEPLOYMENTS)
    gone |= _deleted(changes, BUDGETS, meant=at.place.disruption_budget)
    within_s = grace_s(at.endpoint) + SPARE_S
    until_s = time.monotonic() + within_s
    while left := [body["metadata"]["name"] for body in _listed(at, calls, PODS)]:
        if time.monotonic() > until_s:
            raise Failed(f"{at.called}: {len(left)} pods are left after {within_s:g} s, {left[0]} among them")
        time.sleep(LOOK_S)
    gone |= _deleted(changes, ROUTES, meant=holder(at) is ROUTES)
    for kind in (SERVICES, LEASES):
        gone |= _deleted(changes, kind)
    if at.endpoint.key_env is not None:
        gone |= key_deleted(changes)
    return gone


def _deleted(changes: ObjectChanges, kind: ApiKind, *, meant: bool = True) -> bool:
    """All of a kind goes that is ours. Of what the settings no longer mean some may be left, as far as we may look."""
    try:
        found = [body["metadata"]["name"] for body in _listed(changes.at, changes.calls, kind)]
        deleted = [changes.delete(kind, name) for name in found]
    except Refused:
        if meant:
            raise
        return False
    return any(deleted)


def _listed(at: ClusterEndpoint, calls: ApiCalls, kind: ApiKind) -> list[Json]:
    """All of a kind that is ours; nothing where the cluster has no such kind."""
    query = {"labelSelector": ",".join(f"{label}={value}" for label, value in selector(at).items())}
    try:
        page = calls.ask("GET", kind.path(at.place.namespace), query=query, timeout_s=CALL_S)
    except ApiMissing:
        return []
    return [body for body in page.get("items") or () if ours(body["metadata"].get("labels"), at)]
