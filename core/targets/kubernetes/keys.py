"""The key of an endpoint's callers, in a Secret that all its pods read as they start. Its value is told to nobody."""

from core.domain.errors import Refused
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.labels import ClusterEndpoint, ours
from core.targets.kubernetes.manifests import key_secret
from core.targets.kubernetes.manifests_pod import KEY
from core.targets.kubernetes.names import key_name
from core.targets.kubernetes.paths import SECRETS


def other_key(at: ClusterEndpoint, secret: Json | None, key: str) -> str:
    """Why a Secret's key is not the one that is known here, and what to do; empty where it is, or none is known."""
    if secret is None or not key or _value(secret) in ("", _value(key_secret(at, key))):
        return ""
    return (
        f"the Secret {key_name(at.name)} holds another key than {at.endpoint.key_env}, and pods go by that one; "
        "set the variable to it, or let 'quarterdeck restart --env ENVIRONMENT' give the pods the new one"
    )


def place_key(changes: ObjectChanges, key: str) -> None:
    """The Secret, where there is none. One that is there stays: pods that start later would not know what others do."""
    if key and changes.read(SECRETS, key_name(changes.at.name)) is None:
        changes.create(SECRETS, key_secret(changes.at, key))


def holds_other(changes: ObjectChanges, key: str) -> bool:
    """Whether pods that start now would get another key, or none."""
    held = changes.read(SECRETS, key_name(changes.at.name))
    return held is None or _value(held) != _value(key_secret(changes.at, key))


def key_moved(changes: ObjectChanges, key: str) -> None:
    """The Secret with this key; raises Refused where somebody else has made it."""
    at, name = changes.at, key_name(changes.at.name)
    held = changes.read(SECRETS, name)
    if held is None:
        changes.create(SECRETS, key_secret(at, key))
        return
    if not ours(held["metadata"].get("labels"), at):
        raise Refused(
            f"the Secret {name} is not Quarterdeck's, and was left as it is; change its {KEY!r}, then restart again"
        )
    changes.change(SECRETS, name, lambda _: {"data": key_secret(at, key)["data"]})


def key_deleted(changes: ObjectChanges) -> bool:
    """The Secret goes, where we made it."""
    held = changes.read(SECRETS, name := key_name(changes.at.name))
    if held is None or not ours(held["metadata"].get("labels"), changes.at):
        return False
    return changes.delete(SECRETS, name)


def _value(secret: Json) -> str:
    return str((secret.get("data") or {}).get(KEY, ""))
