"""In what an object would change, field by field, in lines for people. Pure.

No value of a Secret or of a variable is said.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from core.system.text import clean_line
from core.targets.kubernetes.api_errors import Json

HIDDEN = "(not shown)"
LENGTH = 100
_SERVERS = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
"""What the server keeps of an object by itself, and anew with each write."""
_PORTS, _NAMES = ("containerPort", "port"), ("name",)
_REVISION = "deployment.kubernetes.io/revision"


def differences(live: Json | None, wanted: Json) -> list[str]:
    """A line for each field that is other in `wanted`: `+` is new, `-` goes, `~` changes. Sorted by where it is."""
    secret = wanted.get("kind") == "Secret"
    before, after = _flat(live), _flat(wanted)
    found = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        hidden = _hidden(secret, path)
        if old is None:
            found.append(f"+ {path}: {_said(new, hidden)}")
        elif new is None:
            found.append(f"- {path}: {_said(old, hidden)}")
        else:
            found.append(f"~ {path}: {HIDDEN if hidden else f'{_said(old)} → {_said(new)}'}")
    return found


def _flat(body: Json | None) -> dict[str, object]:
    """Every value by its path, without what the server keeps."""
    if body is None:
        return {}
    head = {key: value for key, value in (body.get("metadata") or {}).items() if key not in _SERVERS}
    noted = {key: said for key, said in (head.get("annotations") or {}).items() if key != _REVISION}
    whole = {**body, "metadata": {**head, "annotations": noted}}
    whole.pop("status", None)
    return dict(_leaves("", whole))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, object]]:
    match value:
        case Mapping() if value:
            for key, one in value.items():
                yield from _leaves(f"{path}.{key}" if path else str(key), one)
        case list() if value:
            for name, one in _named(value, _PORTS if path.endswith(".ports") else _NAMES):
                yield from _leaves(f"{path}[{name}]", one)
        case None | Mapping() | []:
            # An empty map, an empty list and nothing are the same to the server.
            return
        case _:
            yield path, value


def _named(items: list[Any], keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Items by what tells them apart, else by their places: a new one before others is no change of each."""
    for key in keys:
        names = [str(one[key]) for one in items if isinstance(one, Mapping) and key in one]
        if len(names) == len(items) == len(set(names)):
            yield from zip(names, items, strict=True)
            return
    yield from ((str(number), one) for number, one in enumerate(items))


def _hidden(secret: bool, path: str) -> bool:
    return (secret and path.startswith(("data.", "stringData."))) or (".env[" in path and path.endswith(".value"))


def _said(value: object, hidden: bool = False) -> str:
    return HIDDEN if hidden else clean_line(value if isinstance(value, str) else json.dumps(value), LENGTH)
