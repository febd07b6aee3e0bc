"""Why a release can't go to a cluster, asked before anything is trained: shares, namespace, the rights to begin."""

from collections.abc import Iterator

from core.domain.errors import BadInput, Refused
from core.domain.plan import FULL, Plan, Shift
from core.targets.kubernetes import rights
from core.targets.kubernetes.api_errors import ApiMissing, make_namespace
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.doctor_cluster import REVIEW_S, may
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.paths import DEPLOYMENTS, LEASES, SERVICES, namespace_path
from core.targets.kubernetes.shares import planned_counts

BEGINS = (LEASES, SERVICES, DEPLOYMENTS)
"""What a release makes first: who may not make these gets no further. The doctor asks for all rights."""


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
