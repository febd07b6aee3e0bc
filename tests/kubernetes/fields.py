"""Which manager set which field: sets of paths, and `metadata.managedFields` made of them.

A path is a tuple of steps: a field's name, or in a list with keys what its item is known by.
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.kubernetes.kinds import Json

Path = tuple[str, ...]
FieldSet = frozenset[Path]

KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
SETS = frozenset({"finalizers", "externalIPs"})
ATOMIC = frozenset({"selector", "nodeSelector", "resourceFieldRef", "fieldRef", "secretKeyRef", "configMapKeyRef",
                    "scaleTargetRef", "targetRef"})  # fmt: skip
"""Maps that are set as a whole: `selector` of a Deployment; a Service's is one, too."""
_OURS = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
         "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")  # fmt: skip


def keys_of(name: str, items: Any) -> tuple[str, ...] | None:
    """What the items of a list are known by; None for one that is set as a whole."""
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        return None
    if name == "ports":
        first = "containerPort" if any("containerPort" in one for one in items) else "port"
        return (first, "protocol") if all(first in one for one in items) else None
    known = KEYS.get(name, ())
    return known if known and all(key in one for one in items for key in known) else None


def step(keys: tuple[str, ...], item: Json) -> str:
    """The step to an item of a list with keys."""
    held = {key: item.get(key, "TCP" if key == "protocol" else None) for key in keys}
    return "k:" + json.dumps(held, sort_keys=True, separators=(",", ":"))


def fields(body: Json) -> dict[Path, Any]:
    """Every field that a body sets, with its value: leaves, and for an item of a list the item itself."""
    metadata = {key: value for key, value in body.get("metadata", {}).items() if key not in _OURS}
    rest = {key: value for key, value in body.items() if key not in {"apiVersion", "kind", "metadata"}}
    return dict(_walk({"metadata": metadata, **rest}, ()))


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    name = path[-1][2:] if path else ""
    if isinstance(value, dict) and value and not (name in ATOMIC and len(path) > 1):
        for key, one in value.items():
            yield from _walk(one, (*path, f"f:{key}"))
    elif (keys := keys_of(name, value)) is not None:
        for item in value:
            inner = (*path, step(keys, item))
            yield (*inner, "."), None
            for key, one in item.items():
                yield from _walk(one, (*inner, f"f:{key}"))
    elif name in SETS and isinstance(value, list):
        for one in value:
            yield (*path, f"v:{json.dumps(one)}"), None
    elif path and path != ("f:metadata",):
        yield path, value


def shown(path: Path) -> str:
    """A path as a conflict names it: `.spec.template.spec.containers[name="server"].image`."""
    said = ""
    for one in path:
        kind, _, rest = one.partition(":")
        if kind == "f":
            said += f".{rest}"
        elif kind == "k":
            held = json.loads(rest)
            said += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in held.items()) + "]"
        elif kind == "v":
            said += f"[={rest}]"
    return said


def as_tree(paths: FieldSet) -> Json:
    """As `fieldsV1`."""
    tree: Json = {}
    for path in sorted(paths):
        node = tree
        for one in path:
            node = node.setdefault(one, {})
    return tree


def from_tree(tree: Json) -> FieldSet:
    """Back from `fieldsV1`."""

    def walk(node: Json, path: Path) -> Iterator[Path]:
        for key, inner in node.items():
            if inner:
                yield from walk(inner, (*path, key))
            else:
                yield (*path, key)

    return frozenset(walk(tree, ()))
