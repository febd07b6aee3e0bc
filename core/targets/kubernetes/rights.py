"""What a release must be allowed to do in its namespace, and the Role that allows it. Pure; asks nobody."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.paths import (
    AUTOSCALERS,
    BUDGETS,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    POD_METRICS,
    PODS,
    ROUTES,
    SECRETS,
    SERVICES,
    ApiKind,
)

ROLE = "quarterdeck"
RBAC = "rbac.authorization.k8s.io"
SEES = ("get", "list", "watch")
KEEPS = (*SEES, "create", "patch", "delete")
"""Server-side apply is a patch, of what is not there a create too."""


@dataclass(frozen=True, slots=True)
class AccessNeed:
    """Verbs on one kind of object, or on what lies under it (`sub`), in a namespace."""

    kind: ApiKind
    verbs: Sequence[str]
    sub: str = ""

    @property
    def group(self) -> str:
        """As rules name it; empty for the core."""
        return self.kind.root.split("/")[1] if self.kind.root.startswith("apis/") else ""

    @property
    def resource(self) -> str:
        """As rules name it: `pods/log`."""
        return f"{self.kind.plural}/{self.sub}" if self.sub else self.kind.plural


def needs(at: ClusterEndpoint) -> Iterator[AccessNeed]:
    """All that releasing to this endpoint, looking at it and taking it down asks for."""
    yield AccessNeed(DEPLOYMENTS, KEEPS)
    yield AccessNeed(SERVICES, KEEPS)
    yield AccessNeed(DEPLOYMENTS, ("patch",), "scale")
    yield AccessNeed(LEASES, KEEPS)
    yield AccessNeed(PODS, SEES)
    yield AccessNeed(PODS, ("get",), "log")
    yield AccessNeed(PODS, ("get", "create"), "proxy")
    yield AccessNeed(SERVICES, ("get", "create"), "proxy")
    yield AccessNeed(EVENTS, SEES)
    yield AccessNeed(POD_METRICS, ("list",))
    if at.endpoint.autoscaling is not None:
        yield AccessNeed(AUTOSCALERS, KEEPS)
    if at.place.disruption_budget:
        yield AccessNeed(BUDGETS, ("get", "list", "create", "patch", "delete"))
    if at.endpoint.key_env is not None:
        yield AccessNeed(SECRETS, ("get", "create", "patch", "delete"))
    if at.place.traffic == "gateway":
        yield AccessNeed(ROUTES, KEEPS)


def review(namespace: str, verb: str, group: str, resource: str, sub: str = "") -> Json:
    """The question whether whoever asks may do something; it is answered and not kept."""
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": resource, "subresource": sub}
    head = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    return {**head, "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}}}


def role(at: ClusterEndpoint) -> Json:
    """Everything that is needed and nothing else: applied over an earlier one it takes nothing away."""
    by_verbs: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for need in needs(at):
        by_verbs.setdefault((need.group, tuple(need.verbs)), []).append(need.resource)
    rules = [
        {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
        for (group, verbs), resources in by_verbs.items()
    ]
    head = {"apiVersion": f"{RBAC}/v1", "kind": "Role"}
    return {**head, "metadata": {"name": ROLE, "namespace": at.place.namespace}, "rules": rules}


def to_apply(at: ClusterEndpoint, user: str) -> str:
    """The calls by which an administrator allows it to a user (empty: not known), as one line for a shell."""
    kubectl = f"kubectl --context {shlex.quote(at.place.context)}"
    made = f"echo {shlex.quote(json.dumps(role(at), separators=(',', ':')))} | {kubectl} apply -f -"
    _, service, account = user.partition("system:serviceaccount:")
    whom = f"--serviceaccount={account}" if service else f"--user={shlex.quote(user) if user else 'USER'}"
    bound = f"create rolebinding {ROLE} --role={ROLE} {whom} -n {at.place.namespace}"
    return f"{made} && {kubectl} {bound}"
