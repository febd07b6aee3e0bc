"""What a path of the API means."""

from dataclasses import dataclass

from tests.kubernetes.kinds import ApiResource, found


@dataclass(frozen=True, slots=True)
class ApiPath:
    """A resource, and where in it: `namespace` None for all of them, `rest` is what follows a proxy."""

    of: ApiResource
    namespace: str | None
    name: str = ""
    sub: str = ""
    rest: str = ""


def parsed(path: str) -> ApiPath | None:
    """The resource that a path names; None where no API has it."""
    parts = [part for part in path.split("/") if part]
    if parts[:2] == ["api", "v1"]:
        group, version, parts = "", "v1", parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace: str | None = None
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    if not parts:
        return None
    of = found(group, version, parts[0])
    if of is None or (namespace is not None and not of.namespaced):
        return None
    name, sub = (*parts[1:3], "", "")[:2]
    if sub and sub not in of.subresources():
        return None
    if len(parts) > 3 and sub != "proxy":
        return None
    rest = path.partition(f"/{name}/proxy")[2] if sub == "proxy" else ""
    return ApiPath(of, namespace if of.namespaced else "", name, sub, rest)


def verb_of(method: str, at: ApiPath, *, watching: bool) -> str | None:
    """What a request does, as rules of access name it; None for what cannot be done there."""
    if at.sub == "proxy":
        return {"GET": "get", "POST": "create", "PUT": "update", "DELETE": "delete"}.get(method)
    if at.name:
        verb = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method)
        return None if at.sub and verb == "delete" else verb
    if method == "GET":
        return "watch" if watching else "list"
    return {"POST": "create", "DELETE": "deletecollection"}.get(method)
