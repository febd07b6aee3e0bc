"""Objects as an API shows them: lists, the newer API of events, and the scale of a workload."""

import base64
import binascii
import json
from typing import Any

from tests.kubernetes import selectors
from tests.kubernetes.errors import bad_request
from tests.kubernetes.kinds import ApiResource, Json

_NEWER = {
    "involvedObject": "regarding",
    "message": "note",
    "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "source": "deprecatedSource",
    "reportingComponent": "reportingController",
}


def seen(of: ApiResource, body: Json) -> Json:
    """An object through the API of `of`: events have two."""
    if of.plural != "events" or body.get("apiVersion") == of.group_version:
        return body
    names = _NEWER if of.group else {new: old for old, new in _NEWER.items()}
    return {**{names.get(key, key): value for key, value in body.items()}, "apiVersion": of.group_version}


def kept(of: ApiResource, body: Json) -> Json:
    """An event of the newer API as it is stored."""
    if of.plural != "events" or not of.group:
        return body
    older = {new: old for old, new in _NEWER.items()}
    return {**{older.get(key, key): value for key, value in body.items()}, "apiVersion": "v1"}


def as_list(of: ApiResource, items: list[Json], version: int, following: str = "", remaining: int = 0) -> Json:
    """A list, whose items do not say their kind."""
    metadata: Json = {"resourceVersion": str(version)}
    if following:
        metadata |= {"continue": following}
        if remaining:
            metadata["remainingItemCount"] = remaining
    bare = [{key: value for key, value in seen(of, one).items() if key not in {"apiVersion", "kind"}} for one in items]
    return {"kind": f"{of.kind}List", "apiVersion": of.group_version, "metadata": metadata, "items": bare}


def token(version: int, start: str) -> str:
    """Where a list goes on."""
    said = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": f"{start}\0"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def from_token(text: str) -> tuple[int, str]:
    """Back from it: the version and the name after which it goes on; 400 for what is none."""
    try:
        said: Any = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return int(said["rv"]), str(said["start"]).rstrip("\0")
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error


def scale(body: Json) -> Json:
    """The scale of a Deployment or ReplicaSet."""
    metadata = {
        key: body["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    count = body["spec"].get("replicas", 0)
    spec = {"replicas": count} if count else {}
    status: Json = {"replicas": body.get("status", {}).get("replicas", 0)}
    if selector := selectors.as_text(body["spec"].get("selector")):
        status["selector"] = selector
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}
