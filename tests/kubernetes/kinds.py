"""The kinds of object that the stand-in keeps, under the names that the API knows them by."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
"""An object as its JSON."""

WRITES = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class ApiResource:
    """One kind: where it is found, and what a change of it counts. `counted`: its spec has a generation."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    counted: bool = False
    status: bool = False
    scaled: bool = False
    short: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def group_version(self) -> str:
        """What `apiVersion` says."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name that messages use: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """The kind as a 422 names it: `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def store(self) -> str:
        """The drawer it is kept in: both APIs of events share one."""
        return "events" if self.plural == "events" else self.qualified

    def details(self, name: str | None = None, kind: str | None = None) -> Json:
        """The `details` of a Status about it."""
        said = {"name": name, "group": self.group, "kind": kind or self.plural}
        return {key: value for key, value in said.items() if value}

    def subresources(self) -> Iterable[str]:
        """What can be asked for under an object's name."""
        return (*(("status",) if self.status else ()), *(("scale",) if self.scaled else ()), *self.extra)


def _core(plural: str, kind: str, **rest: Any) -> ApiResource:
    return ApiResource("", "v1", plural, kind, **rest)


GATEWAY_GROUP = "gateway.networking.k8s.io"
METRICS_GROUP = "metrics.k8s.io"

RESOURCES = (
    _core("configmaps", "ConfigMap", short=("cm",)),
    _core("events", "Event", short=("ev",)),
    _core("namespaces", "Namespace", namespaced=False, status=True, short=("ns",)),
    _core("nodes", "Node", namespaced=False, status=True, short=("no",)),
    _core("pods", "Pod", counted=True, status=True, short=("po",), extra=("log", "proxy")),
    _core("resourcequotas", "ResourceQuota", status=True, short=("quota",)),
    _core("secrets", "Secret"),
    _core("serviceaccounts", "ServiceAccount", short=("sa",)),
    _core("services", "Service", status=True, short=("svc",), extra=("proxy",)),
    ApiResource("apps", "v1", "deployments", "Deployment", counted=True, status=True, scaled=True, short=("deploy",)),
    ApiResource("apps", "v1", "replicasets", "ReplicaSet", counted=True, status=True, scaled=True, short=("rs",)),
    ApiResource("events.k8s.io", "v1", "events", "Event", short=("ev",)),
    ApiResource(
        "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", status=True, short=("hpa",)
    ),
    ApiResource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", counted=True, short=("netpol",)),
    ApiResource(
        "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", counted=True, status=True, short=("pdb",)
    ),
    ApiResource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    ApiResource("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    ApiResource("coordination.k8s.io", "v1", "leases", "Lease"),
    ApiResource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", counted=True),
    ApiResource(GATEWAY_GROUP, "v1", "gateways", "Gateway", counted=True, status=True, short=("gtw",)),
    ApiResource(GATEWAY_GROUP, "v1", "httproutes", "HTTPRoute", counted=True, status=True),
)

_BY_NAME = {one.qualified: one for one in RESOURCES}


def resource(name: str) -> ApiResource:
    """The kind with this qualified name: `pods`, `deployments.apps`."""
    return _BY_NAME[name]


def found(group: str, version: str, plural: str) -> ApiResource | None:
    """The kind at a path, if there is one."""
    one = _BY_NAME.get(f"{plural}.{group}" if group else plural)
    return one if one is not None and one.version == version else None
