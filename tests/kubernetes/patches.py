"""The three patches that are no apply: merge, strategic merge, JSON patch."""

import copy
from typing import Any

from tests.kubernetes.errors import rejected_patch
from tests.kubernetes.fields import SETS, keys_of, step
from tests.kubernetes.kinds import Json


def merge(live: Any, change: Any) -> Any:
    """RFC 7386: maps are merged, null takes away, all else replaces."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    result = dict(live) if isinstance(live, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic(live: Any, change: Any, name: str = "") -> Any:
    """As `merge`, but lists with keys are merged by item; `$patch` deletes or replaces one."""
    if isinstance(change, dict):
        if change.get("$patch") == "replace":
            return {key: copy.deepcopy(value) for key, value in change.items() if key != "$patch"}
        result = dict(live) if isinstance(live, dict) else {}
        for key, value in change.items():
            if value is None:
                result.pop(key, None)
            elif not key.startswith("$"):
                result[key] = strategic(result.get(key), value, key)
        return result
    if isinstance(change, list) and isinstance(live, list):
        keys = keys_of(name, change)
        if keys is not None and keys_of(name, live) is not None:
            return _by_item(live, change, keys)
        if name in SETS:
            return [*live, *(one for one in change if one not in live)]
    return copy.deepcopy(change)


def _by_item(live: list[Json], change: list[Json], keys: tuple[str, ...]) -> list[Json]:
    keys = keys[:1]
    result = {step(keys, one): one for one in live}
    for one in change:
        at = step(keys, one)
        if one.get("$patch") == "delete":
            result.pop(at, None)
        else:
            result[at] = strategic(result.get(at, {}), one)
    return list(result.values())


def json_patch(live: Json, operations: Any) -> Json:
    """RFC 6902; a test that fails and a path that is not there are a 422."""
    if not isinstance(operations, list):
        raise rejected_patch()
    result = copy.deepcopy(live)
    for one in operations:
        try:
            _operate(result, one)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise rejected_patch() from error
    return result


def _operate(body: Any, one: Json) -> None:
    parent, last = _walk(body, one["path"])
    match one["op"]:
        case "test":
            if _get(parent, last) != one["value"]:
                raise rejected_patch()
        case "add":
            _add(parent, last, copy.deepcopy(one["value"]))
        case "replace":
            _get(parent, last)
            parent[_index(parent, last)] = copy.deepcopy(one["value"])
        case "remove":
            del parent[_index(parent, last)]
        case "move" | "copy":
            source, name = _walk(body, one["from"])
            value = copy.deepcopy(_get(source, name))
            if one["op"] == "move":
                del source[_index(source, name)]
            parent, last = _walk(body, one["path"])
            _add(parent, last, value)
        case _:
            raise rejected_patch()


def _walk(body: Any, path: str) -> tuple[Any, str]:
    steps = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    for part in steps[:-1]:
        body = _get(body, part)
    return body, steps[-1]


def _index(parent: Any, name: str) -> Any:
    return int(name) if isinstance(parent, list) else name


def _get(parent: Any, name: str) -> Any:
    return parent[_index(parent, name)]


def _add(parent: Any, name: str, value: Any) -> None:
    if isinstance(parent, list):
        parent.insert(len(parent) if name == "-" else int(name), value)
    else:
        parent[name] = value
