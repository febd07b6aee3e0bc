"""Server-side apply: what a manager says is merged into what is there, and what it no longer says goes.

Lists with keys (containers by name, ports by number) are merged by item; any other list and the maps named in
`fields.ATOMIC` are set as a whole.
"""

import copy
import json
from dataclasses import replace
from typing import Any

from tests.kubernetes.errors import ApiError
from tests.kubernetes.fields import SETS, FieldSet, Path, fields, keys_of, shown, step
from tests.kubernetes.kinds import Json
from tests.kubernetes.managers import Manager, managers_of, written


def applied(live: Json, asked: Json, writer: Manager, *, force: bool) -> Json:
    """The object after an apply; 409 where another manager holds another value of a field."""
    wanted, held = fields(asked), fields(live)
    others = [one for one in managers_of(live) if not one.same(writer)]
    before = next((one.owned for one in managers_of(live) if one.same(writer)), frozenset())
    conflicts = [
        (path, one)
        for one in others
        for path in sorted(one.owned)
        if path in wanted and wanted[path] != held.get(path, wanted[path])
    ]
    if conflicts and not force:
        raise conflict(conflicts)
    taken = frozenset(path for path, _ in conflicts)
    others = [replace(one, owned=one.owned - taken) for one in others]
    result = merged(live, asked)
    theirs = frozenset(path for one in others for path in one.owned)
    for path in sorted(before - wanted.keys() - theirs):
        _drop(result, path, theirs)
    written(result, [*others, replace(writer, owned=frozenset(wanted))])
    return result


def conflict(found: list[tuple[Path, Manager]]) -> ApiError:
    """409, naming each field and who holds it."""
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {one.said}", "field": shown(path)}
        for path, one in found
    ]
    count = f"{len(found)} conflict{'s' if len(found) > 1 else ''}"
    if len(found) == 1:
        listed = f"conflict with {found[0][1].said}: {shown(found[0][0])}"
    else:
        by_manager: dict[str, list[str]] = {}
        for path, one in found:
            by_manager.setdefault(one.said, []).append(f"\n- {shown(path)}")
        listed = "\n".join(f"conflicts with {name}:{''.join(paths)}" for name, paths in by_manager.items())
    return ApiError(409, "Conflict", f"Apply failed with {count}: {listed}", {"causes": causes})


def merged(live: Json, asked: Json) -> Json:
    """`asked` laid over `live`, neither of which changes."""
    result: Json = _merge(live, {key: value for key, value in asked.items() if key != "status"}, "")
    return result


def _merge(live: Any, asked: Any, name: str) -> Any:
    if isinstance(live, dict) and isinstance(asked, dict):
        if name in {"selector", "nodeSelector"}:
            return copy.deepcopy(asked)
        result = dict(live)
        for key, value in asked.items():
            result[key] = _merge(live[key], value, key) if key in live else copy.deepcopy(value)
        return result
    keys = keys_of(name, asked)
    if keys is not None and keys_of(name, live) is not None:
        return _merge_items(live, asked, keys)
    if name in SETS and isinstance(live, list):
        return [*live, *(one for one in asked if one not in live)]
    return copy.deepcopy(asked)


def _merge_items(live: list[Json], asked: list[Json], keys: tuple[str, ...]) -> list[Json]:
    wanted = {step(keys, one): one for one in asked}
    known = {step(keys, one) for one in live}
    kept = [_merge(one, wanted[at], "") if (at := step(keys, one)) in wanted else one for one in live]
    return [*kept, *(copy.deepcopy(one) for at, one in wanted.items() if at not in known)]


def _drop(body: Json, path: Path, theirs: FieldSet) -> None:
    """Take a field out of an object of ours; maps and lists that this empties go with it."""
    if path[-1] == ".":
        path = path[:-1]
    elif path[-2:-1] and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:]):
        return  # what an item is known by goes with the item
    if any(other[: len(path)] == path for other in theirs):
        return
    trail: list[tuple[Any, Any]] = []
    node: Any = body
    for one in path:
        at = _find(node, one)
        if at is None:
            return
        trail.append((node, at))
        node[at] = copy.copy(node[at])
        node = node[at]
    for parent, at in reversed(trail):
        del parent[at]
        if parent or parent is body:
            return


def _find(node: Any, one: str) -> Any:
    kind, _, rest = one.partition(":")
    if kind == "f":
        return rest if isinstance(node, dict) and rest in node else None
    if not isinstance(node, list):
        return None
    for number, item in enumerate(node):
        if kind == "k" and isinstance(item, dict):
            if step(tuple(json.loads(rest)), item) == one:
                return number
        elif kind == "v" and f"v:{json.dumps(item)}" == one:
            return number
    return None
