"""Who owns the fields of an object: read from and written to `metadata.managedFields`."""

from dataclasses import dataclass, replace

from tests.kubernetes.fields import FieldSet, as_tree, fields, from_tree
from tests.kubernetes.kinds import Json


@dataclass(frozen=True, slots=True)
class Manager:
    """One entry: who, how (`Apply` or `Update`), through which subresource, and what."""

    name: str
    operation: str
    subresource: str
    api_version: str
    time: str
    owned: FieldSet

    def same(self, other: "Manager") -> bool:
        """Is it the same manager, whatever it owns?"""
        mine = (self.name, self.operation, self.subresource)
        return mine == (other.name, other.operation, other.subresource)

    @property
    def said(self) -> str:
        """As a conflict names it."""
        if self.subresource:
            return f'"{self.name}" with subresource "{self.subresource}" using {self.api_version}'
        return f'"{self.name}"' if self.operation == "Apply" else f'"{self.name}" using {self.api_version}'


def managers_of(body: Json | None) -> list[Manager]:
    """Those of an object."""
    entries = (body or {}).get("metadata", {}).get("managedFields") or ()
    return [
        Manager(
            one["manager"],
            one["operation"],
            one.get("subresource", ""),
            one["apiVersion"],
            one["time"],
            from_tree(one["fieldsV1"]),
        )
        for one in entries
    ]


def written(body: Json, managers: list[Manager]) -> None:
    """Put them into an object of ours."""
    body["metadata"]["managedFields"] = [
        {
            "manager": one.name,
            "operation": one.operation,
            "apiVersion": one.api_version,
            "time": one.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": as_tree(one.owned),
            **({"subresource": one.subresource} if one.subresource else {}),
        }
        for one in managers
        if one.owned
    ]


def after_update(old: Json | None, new: Json, writer: Manager) -> list[Manager]:
    """The managers once `writer` has written: it owns what it changed, and nobody what is gone."""
    before, now = fields(old) if old else {}, fields(new)
    changed = frozenset(path for path, value in now.items() if path not in before or before[path] != value)
    if not changed and len(before) == len(now):
        return managers_of(old)
    kept: list[Manager] = []
    mine = changed
    for one in managers_of(old):
        if one.same(writer):
            mine |= one.owned & now.keys()
        else:
            kept.append(replace(one, owned=frozenset((one.owned - changed) & now.keys())))
    return [*kept, replace(writer, owned=frozenset(mine))]
