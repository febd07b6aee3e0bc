"""Where the API has the objects that an endpoint is made of."""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class ApiKind:
    """One kind of object: under which root, by which plural, and what it calls itself."""

    root: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """What an object of it says as `apiVersion`."""
        return self.root.partition("/")[2]

    def path(self, namespace: str, name: str = "", sub: str = "") -> str:
        """All of them in a namespace, one of them, or what lies under it."""
        parts = [self.root, "namespaces", quote(namespace, safe=""), self.plural]
        if name:
            parts.append(quote(name, safe=":"))
        return f"/{'/'.join(parts)}{'/' + sub if sub else ''}"


DEPLOYMENTS = ApiKind("apis/apps/v1", "deployments", "Deployment")
PODS = ApiKind("api/v1", "pods", "Pod")
SERVICES = ApiKind("api/v1", "services", "Service")
SECRETS = ApiKind("api/v1", "secrets", "Secret")
EVENTS = ApiKind("api/v1", "events", "Event")
QUOTAS = ApiKind("api/v1", "resourcequotas", "ResourceQuota")
AUTOSCALERS = ApiKind("apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
BUDGETS = ApiKind("apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget")
LEASES = ApiKind("apis/coordination.k8s.io/v1", "leases", "Lease")
ROUTES = ApiKind("apis/gateway.networking.k8s.io/v1", "httproutes", "HTTPRoute")
GATEWAYS = ApiKind("apis/gateway.networking.k8s.io/v1", "gateways", "Gateway")
POD_METRICS = ApiKind("apis/metrics.k8s.io/v1beta1", "pods", "PodMetrics")

KINDS = (DEPLOYMENTS, PODS, SERVICES, SECRETS, EVENTS, QUOTAS, AUTOSCALERS, BUDGETS, LEASES, ROUTES, GATEWAYS)


def namespace_path(name: str = "") -> str:
    """A namespace itself, or all of them."""
    return f"/api/v1/namespaces/{quote(name, safe='')}" if name else "/api/v1/namespaces"


def kind_named(kind: str) -> ApiKind:
    """The kind that an object says it is; raises KeyError."""
    return next(one for one in KINDS if one.kind == kind)
