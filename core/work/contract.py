"""Whether callers of the version that serves can go on with another one: their fields and labels compared. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.config.settings import FieldSettings
from core.domain.errors import BadInput
from core.system.suggest import did_you_mean, nearest

Contract: TypeAlias = Mapping[str, Any]
"""What callers rely on: `fields`, each with `name`, `type` and, where it may be left out, `required: false`;
`labels`, None where they are not known."""

KINDS = {"category": "text", "text": "text", "date": "date", "any": "any"}
SHOWN = 5
COMPARED = 200
"""Names beside each other, at the most, when a new name is looked for: of more it would take too long."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. A breaking one has callers refused, or answered otherwise than they expect."""

    kind: str
    name: str
    breaking: bool
    text: str


def of_manifest(manifest: Mapping[str, Any]) -> Contract:
    """The contract of a model folder."""
    kept = ("name", "type", "required")
    fields = [{key: field[key] for key in kept if key in field} for field in manifest["fields"]]
    return {"fields": fields, "labels": list(manifest["labels"]) or None}


def chosen(fields: Sequence[Mapping[str, Any]], settings: Mapping[str, FieldSettings]) -> list[Mapping[str, Any]]:
    """The fields with what the project says of them; raises BadInput for one that the data has not."""
    names = [field["name"] for field in fields]
    for name in settings:
        if name not in names:
            raise BadInput(f"fields.{name}: the model has no such field{did_you_mean(name, names)}")
    optional = {name for name, each in settings.items() if not each.required}
    return [{**field, "required": False} if field["name"] in optional else field for field in fields]


def changes(live: Contract, candidate: Contract) -> list[Change]:
    """All that is different, in the order in which the live version has it, then what is new."""
    was = {field["name"]: field for field in live["fields"]}
    now = {field["name"]: field for field in candidate["fields"]}
    gone, new = [name for name in was if name not in now], [name for name in now if name not in was]
    renamed = _renamed(gone, new)
    found = [_gone(name, renamed.get(name)) for name in gone]
    found += [_new(name, now[name]) for name in new if name not in renamed.values()]
    found += [change for name in was if name in now and (change := _type(name, was[name], now[name]))]
    if not gone and [name for name in now if name in was] != list(was):
        moved = next(one for one, two in zip(was, (name for name in now if name in was), strict=True) if one != two)
        text = f"fields stand in another order, from {moved} on: rows that are sent without names are read wrongly"
        found.append(Change("order", moved, True, text))
    return [*found, *_labels(live["labels"], candidate["labels"])]


def _renamed(gone: Sequence[str], new: Sequence[str]) -> Mapping[str, str]:
    """What fields that are gone are probably called now: each new name at most once."""
    if max(len(gone), len(new)) > COMPARED:
        return {}
    left, found = list(new), {}
    for name in gone:
        if near := nearest(name, left):
            left.remove(near)
            found[name] = near
    return found


def _gone(name: str, renamed: str | None) -> Change:
    if renamed is not None:
        return Change(
            "renamed", name, True, f"{name} is gone and {renamed} new (renamed?): rows with {name} are refused"
        )
    return Change("gone", name, True, f"{name} is gone: callers send it for nothing, and rows without names don't fit")


def _new(name: str, field: Mapping[str, Any]) -> Change:
    if not field.get("required", True):
        return Change("optional", name, False, f"{name} is new and may be left out")
    text = f"{name} is new and required: rows without it are refused; fields.{name}.required: false takes it as missing"
    return Change("required", name, True, text)


def _type(name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Change | None:
    """Numbers, whole ones and booleans take what the others take; texts are another thing."""
    if was.get("required", True) is False and now.get("required", True):
        return Change("required", name, True, f"{name} could be left out and is required: rows without it are refused")
    if was["type"] == now["type"]:
        return None
    kinds = {KINDS.get(each["type"], "number") for each in (was, now)}
    breaking = len(kinds) > 1 and "any" not in kinds
    return Change("type", name, breaking, f"{name} was of type {was['type']} and is of type {now['type']}")


def _labels(was: Sequence[Any] | None, now: Sequence[Any] | None) -> list[Change]:
    if was is None or now is None:
        return []
    parts = {"no longer": [one for one in was if one not in now], "now also": [one for one in now if one not in was]}
    said = [f"{word} {', '.join(map(str, names[:SHOWN]))}{_more(names)}" for word, names in parts.items() if names]
    return [Change("labels", "labels", True, f"answers are {' and '.join(said)}")] if said else []


def _more(names: Sequence[Any]) -> str:
    return f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""


def told(found: Sequence[Change]) -> str:
    """Several changes in one line."""
    return "; ".join(change.text for change in found[:SHOWN]) + _more(found)
