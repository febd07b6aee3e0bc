"""Why a release can't go to a cluster, asked before anything is trained: shares, namespace, rights to begin, gates,
a gateway that is not there, objects of others by our names."""

from collections.abc import Iterator

from core.domain.errors import BadInput, Refused, Unreachable
from core.domain.plan import FULL, Hold, Plan, Shift
from core.targets.kubernetes import rights
from core.targets.kubernetes.api_errors import ApiMissing, make_namespace
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.changes import ForeignObject, ObjectChanges
from core.targets.kubernetes.doctor_cluster import REVIEW_S, may
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.names import slot_name
from core.targets.kubernetes.paths import DEPLOYMENTS, LEASES, POD_METRICS, SERVICES, namespace_path
from core.targets.kubernetes.reaching import gateway_lacks
from core.targets.kubernetes.shares import planned_counts
from core.targets.kubernetes.traffic import holder

BEGINS = (LEASES, SERVICES, DEPLOYMENTS)
"""What a release makes first: who may not make these gets no further. The doctor asks for all rights."""
USE = ("cpu_percent", "memory_percent")


def missed_shares(at: ClusterEndpoint, plan: Plan) -> Iterator[str]:
    """Each step of a plan that so many pods can't give, with what to do; asks nobody."""
    if at.place.traffic != "replicas":
        return
    for step in plan.steps:
        if isinstance(step, Shift) and 0 < step.percent < FULL:
            try:
                planned_counts(step.percent, at.endpoint, at.place.tolerance)
            except BadInput as error:
                yield str(error)


def unmeasured_gates(at: ClusterEndpoint, plan: Plan, calls: ApiCalls) -> Iterator[str]:
    """A gate on what pods use, where the cluster has no API that says it."""
    gates = [gate for step in plan.steps if isinstance(step, Hold) for gate in step.gates if not gate.dry_run]
    asked = sorted({gate.metric for gate in gates if gate.metric in USE and not gate.source})
    if not asked:
        return
    try:
        calls.ask("GET", POD_METRICS.path(at.place.namespace), query={"limit": "1"}, timeout_s=REVIEW_S)
    except ApiMissing:
        yield (
            f"release.gates: {asked[0]}: kubernetes {at.place.context} has no metrics API (metrics.k8s.io) that "
            "measures it; install metrics-server, or take the gate out"
        )
    except (Refused, Unreachable):
        pass  # It is there: whoever may not see its figures now, or gets none yet, may get them in the hold.


def refusals(at: ClusterEndpoint, calls: ApiCalls) -> Iterator[str]:
    """What the cluster would say no with; raises Unreachable and BadInput as calls do."""
    name, context = at.place.namespace, at.place.context
    try:
        calls.ask("GET", namespace_path(name), timeout_s=REVIEW_S)
    except ApiMissing:
        if not at.place.create_namespace:
            yield f"kubernetes {context}: there is no namespace {name}; {make_namespace(context, name)}"
        return
    except Refused:
        pass  # Who may not look at namespaces may still release in this one.
    for kind in BEGINS:
        need = rights.AccessNeed(kind, ("create",))
        if not may(calls, rights.review(name, "create", need.group, kind.plural)):
            yield (
                f"kubernetes {context}: whoever logs in here may not create {need.resource} in {name}; "
                "'quarterdeck doctor' says which rights are missing, and what gives them"
            )
    yield from _foreign(at, calls)
    try:
        if lacks := gateway_lacks(at, calls):
            yield f"kubernetes {context}: {lacks}"
    except Refused:
        pass  # Who may not look at it may go through it all the same.


def _foreign(at: ClusterEndpoint, calls: ApiCalls) -> Iterator[str]:
    """Objects that a release would change, were they ours."""
    changes = ObjectChanges(at, calls)
    for kind, name in ((holder(at), at.name), *((DEPLOYMENTS, slot_name(at.name, slot)) for slot in at.place.slots)):
        try:
            changes.owned(kind, name)
        except ForeignObject as error:
            yield f"kubernetes {at.place.context}: {error}"
        except Refused:
            continue  # A release says itself what it may not see.
