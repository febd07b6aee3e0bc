"""What a spec must be: the checks that a 422 comes from, for the kinds that Quarterdeck writes."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.kubernetes import selectors
from tests.kubernetes.errors import Cause
from tests.kubernetes.kinds import ApiResource, Json
from tests.kubernetes.quantities import quantity

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
NOT_NEGATIVE = "must be greater than or equal to 0"


def wrong(of: ApiResource, body: Json) -> list[Cause]:
    """Every field that is wrong in an object with its defaults filled in."""
    found = list(_name(of, body["metadata"].get("name", "")))
    if check := _CHECKS.get(of.qualified):
        found += check(body)
    return found


def wrong_change(of: ApiResource, old: Json, new: Json) -> list[Cause]:
    """Every field that may not change and did."""
    found: list[Cause] = []
    if of.group == "apps":
        before, after = old["spec"].get("selector"), new["spec"].get("selector")
        if before != after:
            found.append(Cause.invalid("spec.selector", after, "field is immutable"))
    if of.qualified == "services":
        before, after = old["spec"].get("clusterIP"), new["spec"].get("clusterIP")
        if before and before != after:
            found.append(Cause.invalid("spec.clusterIPs[0]", [after], "may not change once set"))
    return found


def _name(of: ApiResource, name: str) -> Iterator[Cause]:
    if not name:
        yield Cause.required("metadata.name", "name or generateName is required")
    elif of.qualified in {"services", "namespaces"} and len(name) > 63:
        yield Cause.invalid("metadata.name", name, "must be no more than 63 characters")
    elif of.qualified == "services" and not _LABEL.match(name):
        yield Cause.invalid("metadata.name", name, _LABEL_RULE)
    elif len(name) > 253:
        yield Cause.invalid("metadata.name", name, "must be no more than 253 characters")
    elif not _SUBDOMAIN.match(name) and not of.group.startswith("rbac"):
        yield Cause.invalid("metadata.name", name, _SUBDOMAIN_RULE)


def _pod_spec(spec: Json, path: str) -> Iterator[Cause]:
    containers = spec.get("containers") or []
    if not containers:
        yield Cause.required(f"{path}.containers")
    names: set[str] = set()
    for number, container in enumerate(containers):
        at = f"{path}.containers[{number}]"
        if not container.get("name"):
            yield Cause.required(f"{at}.name")
        elif container["name"] in names:
            yield Cause(f"{at}.name", f'Duplicate value: "{container["name"]}"', "FieldValueDuplicate")
        names.add(container.get("name", ""))
        if not container.get("image"):
            yield Cause.required(f"{at}.image")
        yield from _resources(container.get("resources") or {}, f"{at}.resources")


def _resources(resources: Json, path: str) -> Iterator[Cause]:
    limits = resources.get("limits") or {}
    for kind in ("limits", "requests"):
        for name, value in (resources.get(kind) or {}).items():
            amount = quantity(value)
            if amount < 0:
                yield Cause.invalid(f"{path}.{kind}[{name}]", value, NOT_NEGATIVE)
            elif kind == "requests" and name in limits and amount > quantity(limits[name]):
                text = f"must be less than or equal to {name} limit of {limits[name]}"
                yield Cause.invalid(f"{path}.requests", value, text)


def _workload(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    labels = spec["template"].get("metadata", {}).get("labels") or {}
    if spec.get("replicas", 0) < 0:
        yield Cause.invalid("spec.replicas", spec["replicas"], NOT_NEGATIVE)
    if not spec.get("selector"):
        yield Cause.required("spec.selector")
    elif not selectors.matches(spec["selector"], labels):
        yield Cause.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from _pod_spec(spec["template"]["spec"], "spec.template.spec")
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    if rolling and {str(rolling.get("maxSurge")), str(rolling.get("maxUnavailable"))} <= {"0", "0%"}:
        text = "may not be 0 when `maxSurge` is 0"
        yield Cause.invalid("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], text)
    if spec.get("progressDeadlineSeconds", 600) <= spec.get("minReadySeconds", 0):
        value = spec["progressDeadlineSeconds"]
        yield Cause.invalid("spec.progressDeadlineSeconds", value, "must be greater than minReadySeconds")


def _pod(body: Json) -> Iterator[Cause]:
    yield from _pod_spec(body["spec"], "spec")


def _service(body: Json) -> Iterator[Cause]:
    ports = body["spec"].get("ports") or []
    if not ports:
        yield Cause.required("spec.ports")
    for number, port in enumerate(ports):
        if not isinstance(port.get("port"), int) or not 1 <= port["port"] <= 65535:
            text = "must be between 1 and 65535, inclusive"
            yield Cause.invalid(f"spec.ports[{number}].port", port.get("port", 0), text)
        if len(ports) > 1 and not port.get("name"):
            yield Cause.required(f"spec.ports[{number}].name")
        if port.get("name") and port["name"] in [one.get("name") for one in ports[:number]]:
            yield Cause.duplicate(f"spec.ports[{number}].name", port["name"])


def _autoscaler(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    low, high = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if low < 1:
        yield Cause.invalid("spec.minReplicas", low, "must be greater than or equal to 1")
    if high < 1:
        yield Cause.invalid("spec.maxReplicas", high, "must be greater than 0")
    elif high < low:
        yield Cause.invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    if not (spec.get("scaleTargetRef") or {}).get("name"):
        yield Cause.required("spec.scaleTargetRef.name")


def _lease(body: Json) -> Iterator[Cause]:
    seconds = (body.get("spec") or {}).get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        yield Cause.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")


_CHECKS: dict[str, Callable[[Any], Iterator[Cause]]] = {
    "pods": _pod,
    "deployments.apps": _workload,
    "replicasets.apps": _workload,
    "services": _service,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "leases.coordination.k8s.io": _lease,
}
