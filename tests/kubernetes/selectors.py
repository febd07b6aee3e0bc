"""Label and field selectors: parsed once, then asked of each object."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.kubernetes.errors import bad_request
from tests.kubernetes.kinds import ApiResource, Json

Chooser = Callable[[Json], bool]
_SET = re.compile(r"^\s*([\w./-]+)\s+(in|notin)\s*\(([^()]*)\)\s*$")
_EQUAL = re.compile(r"^\s*([\w./-]+)\s*(==|=|!=)\s*([\w.-]*)\s*$")
_EXISTS = re.compile(r"^\s*(!?)\s*([\w./-]+)\s*$")

FIELDS = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase",
             "status.podIP", "status.nominatedNodeName"),
    "events": ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
               "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
               "reportingComponent", "source", "type"),
    "events.events.k8s.io": ("regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid",
                             "regarding.apiVersion", "regarding.resourceVersion", "regarding.fieldPath", "reason",
                             "reportingController", "type"),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "secrets": ("type",),
    "replicasets.apps": ("status.replicas",),
}  # fmt: skip


def by_labels(text: str) -> Chooser:
    """What `labelSelector` chooses."""
    checks = [_label_check(part) for part in _split(text)]
    return lambda body: all(check(body["metadata"].get("labels") or {}) for check in checks)


def _split(text: str) -> list[str]:
    if text.count("(") != text.count(")"):
        raise bad_request("unable to parse requirement: found '', expected: ',' or ')'")
    return [part for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _label_check(part: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.match(part):
        key, operator, values = found[1], found[2], {value.strip() for value in found[3].split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(part):
        key, operator, value = found[1], found[2], found[3]
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(part):
        key, wanted = found[2], not found[1]
        return lambda labels: (key in labels) == wanted
    raise bad_request(f"unable to parse requirement: found '{part.strip()}', expected: identifier")


def by_fields(of: ApiResource, text: str) -> Chooser:
    """What `fieldSelector` chooses; a field that cannot be chosen by is a 400."""
    known = ("metadata.name", "metadata.namespace", *FIELDS.get(of.qualified, ()))
    checks: list[tuple[str, bool, str]] = []
    for part in filter(None, text.split(",")):
        found = re.match(r"^([\w.]+)(==|=|!=)(.*)$", part)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        if found[1] not in known:
            raise bad_request(f"field label not supported: {found[1]}")
        checks.append((found[1], found[2] != "!=", found[3]))
    return lambda body: all((str(_at(body, path)) == value) == equal for path, equal, value in checks)


def _at(body: Json, path: str) -> Any:
    value: Any = body
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else value


def matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Does a `LabelSelector` of a spec choose these labels? An empty one chooses all, none at all nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    for one in selector.get("matchExpressions") or ():
        held, values = labels.get(one["key"]), one.get("values") or ()
        answer = {"In": held in values, "NotIn": held not in values, "Exists": held is not None}
        if not answer.get(one["operator"], held is None):
            return False
    return True


def as_text(selector: Json | None) -> str:
    """A `LabelSelector` as the text of a query."""
    pairs = (selector or {}).get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(pairs.items()))
