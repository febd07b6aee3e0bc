"""What may be created at all: namespaces that end, and quotas."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.kubernetes.errors import forbidden, not_found
from tests.kubernetes.kinds import ApiResource, Json, resource
from tests.kubernetes.quantities import millis, quantity
from tests.kubernetes.storage import ObjectStore


def admit(store: ObjectStore, of: ApiResource, namespace: str, body: Json) -> None:
    """Refuse a create that its namespace or a quota does not allow."""
    if not of.namespaced:
        return
    name = body["metadata"].get("name", "")
    home = store.get("namespaces", ("", namespace))
    if home is None:
        raise not_found(resource("namespaces"), namespace)
    if "deletionTimestamp" in home["metadata"]:
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        raise forbidden(of, name, why, [cause])
    for quota in store.items("resourcequotas", namespace):
        _within(store, quota, of, namespace, body)


def _within(store: ObjectStore, quota: Json, of: ApiResource, namespace: str, body: Json) -> None:
    hard: dict[str, Any] = quota["spec"].get("hard") or {}
    asked = demand(of, body)
    name, quota_name = body["metadata"].get("name", ""), quota["metadata"]["name"]
    if of.plural == "pods":
        missing = [key for key in sorted(hard) if "." in key and key not in asked and key.split(".")[0] in _BY_POD]
        if missing:
            which = ",".join(one["name"] for one in body["spec"]["containers"])
            said = "; ".join(f"{key} for: {which}" for key in missing)
            raise forbidden(of, name, f"failed quota: {quota_name}: must specify {said}")
    used = in_use(store, namespace, hard)
    over = [key for key in sorted(asked) if key in hard and used[key] + asked[key] > quantity(hard[key])]
    if over:

        def said_of(amounts: dict[str, Any]) -> str:
            return ",".join(f"{key}={shown(key, amounts[key])}" for key in over)

        why = f"exceeded quota: {quota_name}, requested: {said_of(asked)}, used: {said_of(used)}"
        raise forbidden(of, name, f"{why}, limited: {','.join(f'{key}={hard[key]}' for key in over)}")


_BY_POD = ("requests", "limits")


def demand(of: ApiResource, body: Json) -> dict[str, Decimal]:
    """What one object counts for."""
    asked = {f"count/{of.qualified}": Decimal(1), of.plural: Decimal(1)}
    if of.plural == "pods":
        for key, amount in _of_pod(body):
            asked[key] = asked.get(key, Decimal(0)) + amount
    return asked


def _of_pod(body: Json) -> Iterator[tuple[str, Decimal]]:
    for container in body["spec"]["containers"]:
        resources = container.get("resources") or {}
        for kind in _BY_POD:
            for name, value in (resources.get(kind) or {}).items():
                yield f"{kind}.{name}", quantity(value)
                if kind == "requests":
                    yield name, quantity(value)


def in_use(store: ObjectStore, namespace: str, hard: dict[str, Any]) -> dict[str, Decimal]:
    """How much of each limit a namespace has taken up."""
    used = dict.fromkeys(hard, Decimal(0))
    for drawer in store.objects:
        plural, _, group = drawer.partition(".")
        if not (f"count/{drawer}" in hard or plural in hard or plural == "pods"):
            continue
        of = resource(drawer) if group or plural != "events" else resource("events")
        for body in store.items(drawer, namespace):
            if body.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
                continue
            for key, amount in demand(of, body).items():
                if key in used:
                    used[key] += amount
    return used


def shown(key: str, amount: Decimal) -> str:
    """An amount as the quota's status has it."""
    return millis(amount) if key.endswith("cpu") else str(int(amount))
