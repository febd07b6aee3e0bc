"""An object without the fields that somebody else holds. Pure."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from core.targets.kubernetes.api_errors import ApiConflict, Json


def without(body: Json, fields: Iterable[str]) -> Json | None:
    """All of an object but these fields (`spec.maxReplicas`); None where one of them is not found in it."""
    rest = copy.deepcopy(body)
    return rest if all(_taken(rest, path) for path in fields) else None


def holders(conflict: ApiConflict) -> str:
    """Who holds which fields: `kubectl-patch holds spec.maxReplicas`."""
    return "; ".join(f"{manager} holds {', '.join(sorted(fields))}" for manager, fields in conflict.held.items())


def _taken(node: Any, path: str) -> bool:
    """Take one field out; a name may have dots in it. False where it is not there."""
    if not isinstance(node, Mapping):
        return False
    if path in node:
        del node[path]  # type: ignore[attr-defined]
        return True
    begins = [name for name in node if path.startswith(f"{name}.")]
    return any(_taken(node[name], path[len(name) + 1 :]) for name in begins)
