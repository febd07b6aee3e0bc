"""What the API server fills in where a body leaves it out."""

from collections.abc import Callable
from typing import Any

from tests.kubernetes.kinds import ApiResource, Json


def filled(of: ApiResource, body: Json) -> None:
    """Fill in an object of ours, in place: it is not in the store yet."""
    if fill := _FILLS.get(of.qualified):
        fill(body)


def _preset(body: Json, values: dict[str, Any]) -> None:
    for key, value in values.items():
        body.setdefault(key, value)


def pod_spec(spec: Json) -> None:
    """The defaults that a template has, too."""
    for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        _container(container)
    _preset(
        spec,
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        },
    )
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])


def _container(container: Json) -> None:
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _probe(container[name])
    for entry in container.get("env", ()):
        if "fieldRef" in (entry.get("valueFrom") or {}):
            entry["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")
    tag = str(container.get("image", "")).rpartition("/")[2].partition("@")[0].rpartition(":")[2]
    always = tag == "latest" or (":" not in str(container.get("image", "")).rpartition("/")[2])
    _preset(
        container,
        {
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "Always" if always else "IfNotPresent",
        },
    )


def _probe(probe: Json) -> None:
    if "httpGet" in probe:
        _preset(probe["httpGet"], {"path": "/", "scheme": "HTTP"})
    _preset(probe, {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})


def _pod(body: Json) -> None:
    spec = body.setdefault("spec", {})
    pod_spec(spec)
    away = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    spec.setdefault("serviceAccountName", "default")
    _preset(
        spec,
        {
            "serviceAccount": spec["serviceAccountName"],
            "tolerations": [{"key": f"node.kubernetes.io/{why}", **away} for why in ("not-ready", "unreachable")],
            "priority": 0,
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
        },
    )


def _deployment(body: Json) -> None:
    spec = body.setdefault("spec", {})
    pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))
    spec["template"].setdefault("metadata", {})
    _preset(spec, {"replicas": 1, "strategy": {}, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = spec["strategy"]
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _preset(strategy.setdefault("rollingUpdate", {}), {"maxUnavailable": "25%", "maxSurge": "25%"})


def _replica_set(body: Json) -> None:
    spec = body.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def _service(body: Json) -> None:
    spec = body.setdefault("spec", {})
    for port in spec.get("ports", ()):
        _preset(port, {"protocol": "TCP", "targetPort": port.get("port")})
    _preset(spec, {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"})
    _preset(spec, {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _autoscaler(body: Json) -> None:
    spec = body.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _namespace(body: Json) -> None:
    name = body["metadata"].get("name", "")
    body["metadata"].setdefault("labels", {}).setdefault("kubernetes.io/metadata.name", name)
    body.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])


def _route(body: Json) -> None:
    for rule in body.setdefault("spec", {}).get("rules") or ():
        for backend in rule.get("backendRefs") or ():
            _preset(backend, {"group": "", "kind": "Service", "weight": 1})


def _secret(body: Json) -> None:
    body.setdefault("type", "Opaque")


_FILLS: dict[str, Callable[[Json], None]] = {
    "pods": _pod,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "services": _service,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "namespaces": _namespace,
    "httproutes.gateway.networking.k8s.io": _route,
    "secrets": _secret,
}

FIRST_STATUS: dict[str, Json] = {
    "pods": {"phase": "Pending"},
    "deployments.apps": {},
    "replicasets.apps": {"replicas": 0},
    "services": {"loadBalancer": {}},
    "horizontalpodautoscalers.autoscaling": {"desiredReplicas": 0, "currentMetrics": None},
    "namespaces": {"phase": "Active"},
    "resourcequotas": {},
    "poddisruptionbudgets.policy": {},
}
"""The status of an object that nobody has looked at yet."""
