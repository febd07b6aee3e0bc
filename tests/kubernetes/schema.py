"""The fields that each kind has, as the models of the official client know them.

A kind that they do not know (a custom one) may hold anything.
"""

import re
from functools import cache
from typing import Any

from kubernetes import client

from tests.kubernetes.errors import bad_request
from tests.kubernetes.kinds import ApiResource, Json

_LIST = re.compile(r"^[Ll]ist\[(.+)\]$")
_DICT = re.compile(r"^[Dd]ict[(\[]\s*str,\s*(.+)[)\]]$")
_GO = {"str": "string", "int": "int32", "bool": "bool", "float": "float64"}
_JSON_NAMES = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_NAMES = {"HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler", "Event": "CoreV1Event"}


def model_of(of: ApiResource) -> str | None:
    """The model that describes a kind."""
    if of.plural == "events" and of.group:
        return "EventsV1Event"
    name = _NAMES.get(of.kind, f"V1{of.kind}")
    return name if hasattr(client, name) else None


@cache
def fields_of(model: str) -> dict[str, str]:
    """The type of each field, by its name in JSON."""
    described = getattr(client, model)
    return {described.attribute_map[name]: kind for name, kind in described.openapi_types.items()}


def _is_model(kind: str) -> bool:
    return kind not in _GO and kind not in {"object", "datetime", "date"} and hasattr(client, kind)


def unknown(of: ApiResource, body: Json) -> list[str]:
    """Every field that the kind does not have."""
    model = model_of(of)
    return list(_unknown(body, model, "")) if model else []


def _unknown(value: Any, kind: str, path: str) -> list[str]:
    found: list[str] = []
    if inner := _LIST.match(kind):
        for number, one in enumerate(value if isinstance(value, list) else ()):
            found += _unknown(one, inner[1], f"{path}[{number}]")
    elif inner := _DICT.match(kind):
        for key, one in (value if isinstance(value, dict) else {}).items():
            found += _unknown(one, inner[1], f"{path}.{key}")
    elif _is_model(kind) and isinstance(value, dict):
        known = fields_of(kind)
        for key, one in value.items():
            at = f"{path}.{key}" if path else key
            found += _unknown(one, known[key], at) if key in known else [at]
    return found


def pruned(of: ApiResource, body: Json) -> Json:
    """Without what is null and what the kind does not have; a value of the wrong type is a 400."""
    model = model_of(of)
    result: Json = _pruned(of, body, model, "", "") if model else _without_null(body)
    for name in ("labels", "annotations", "finalizers", "ownerReferences"):
        if name in result.get("metadata", {}) and not result["metadata"][name]:
            del result["metadata"][name]
    return result


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(one) for key, one in value.items() if one is not None}
    return [_without_null(one) for one in value] if isinstance(value, list) else value


def _pruned(of: ApiResource, value: Any, kind: str, path: str, owner: str) -> Any:
    if inner := _LIST.match(kind):
        _must_be(of, value, list, kind, path, owner)
        return [_pruned(of, one, inner[1], path, owner) for one in value]
    if inner := _DICT.match(kind):
        _must_be(of, value, dict, kind, path, owner)
        quantities = path.rsplit(".", 1)[-1] in {"requests", "limits", "hard", "used", "capacity", "allocatable"}
        if quantities:
            return {key: str(one) for key, one in value.items()}
        return {
            key: _pruned(of, one, inner[1], f"{path}.{key}", owner) for key, one in value.items() if one is not None
        }
    if _is_model(kind):
        _must_be(of, value, dict, kind, path, owner)
        known = fields_of(kind)
        struct = re.sub(r"^(Core|Events)?V\d", "", kind)
        return {
            key: _pruned(of, one, known[key], f"{path}.{key}" if path else key, struct)
            for key, one in value.items()
            if one is not None and key in known
        }
    for name, wanted in (("str", str), ("int", int), ("bool", bool)):
        if kind == name:
            _must_be(of, value, wanted, kind, path, owner)
    return value


def _must_be(of: ApiResource, value: Any, wanted: type, kind: str, path: str, owner: str) -> None:
    if isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
        return
    went = _JSON_NAMES.get(type(value), "null")
    goes = _GO.get(kind, "map[string]string" if wanted is dict else f"[]{kind}")
    where = f"Go struct field {owner}.{path} of type {goes}" if path else f"Go value of type {goes}"
    raise bad_request(f"{cannot(of)}: json: cannot unmarshal {went} into {where}")


def cannot(of: ApiResource) -> str:
    """How a 400 about a body begins."""
    return f'{of.kind} in version "{of.version}" cannot be handled as a {of.kind}'
