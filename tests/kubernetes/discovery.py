"""What the server says it serves: versions, groups, resources."""

from collections.abc import Callable

from tests.kubernetes.kinds import GATEWAY_GROUP, METRICS_GROUP, RESOURCES, WRITES, ApiResource, Json

VERSION: Json = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "0" * 40,
    "gitTreeState": "clean",
    "buildDate": "2026-08-21T00:00:00Z",
    "goVersion": "go1.27.3",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_REVIEWS = (
    ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
)
Served = Callable[[str], bool]
"""Is this group there?"""


def versions(address: str) -> Json:
    """`/api`."""
    client = {"clientCIDR": "0.0.0.0/0", "serverAddress": address}
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [client]}


def _versions() -> dict[str, str]:
    known = {one.group: one.version for one in RESOURCES if one.group}
    return {**known, "authorization.k8s.io": "v1", METRICS_GROUP: "v1beta1"}


def _group(name: str, version: str) -> Json:
    one = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [one], "preferredVersion": one}


def groups(served: Served) -> Json:
    """`/apis`."""
    found = [_group(name, version) for name, version in _versions().items() if served(name)]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(name: str, served: Served) -> Json | None:
    """`/apis/GROUP`."""
    version = _versions().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, version)} if version and served(name) else None


def resources(name: str, version: str, served: Served) -> Json | None:
    """`/apis/GROUP/VERSION`, and `/api/v1` for the group without a name."""
    if name and (_versions().get(name) != version or not served(name)):
        return None
    if name == METRICS_GROUP:
        found = [_metrics("nodes", "NodeMetrics", namespaced=False), _metrics("pods", "PodMetrics", namespaced=True)]
    elif name == "authorization.k8s.io":
        found = [
            {"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}
            for plural, kind in _REVIEWS
        ]
    else:
        found = [entry for one in RESOURCES if one.group == name for entry in _entries(one)]
    version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": found}


def _metrics(plural: str, kind: str, *, namespaced: bool) -> Json:
    return {"name": plural, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": ["get", "list"]}


def _entries(one: ApiResource) -> list[Json]:
    head: Json = {
        "name": one.plural,
        "singularName": one.kind.lower(),
        "namespaced": one.namespaced,
        "kind": one.kind,
        "verbs": list(WRITES),
    }
    entries = [{**head, **({"shortNames": list(one.short)} if one.short else {})}]
    for sub in one.subresources():
        entry = {**head, "name": f"{one.plural}/{sub}", "singularName": "", "verbs": ["get", "patch", "update"]}
        if sub == "scale":
            entry |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        elif sub == "log":
            entry["verbs"] = ["get"]
        elif sub == "proxy":
            entry |= {"kind": f"{one.kind}ProxyOptions", "verbs": ["create", "delete", "get", "patch", "update"]}
        entries.append(entry)
    return entries


def optional(name: str) -> bool:
    """Is this a group that a cluster may lack?"""
    return name in {GATEWAY_GROUP, METRICS_GROUP}
