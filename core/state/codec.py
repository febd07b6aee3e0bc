"""Nouns to JSON and back: every noun carries its class's name under `is`."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any

from core.domain import gates, histogram, model, plan
from core.domain.errors import JournalError
from core.state import commands, endpoint_events, events

_MODULES = (model, histogram, gates, plan, endpoint_events, events, commands)
MAPPING = "mapping"


@cache
def _classes() -> Mapping[str, type]:
    found = {
        cls.__name__: cls
        for module in _MODULES
        for cls in vars(module).values()
        if isinstance(cls, type) and dataclasses.is_dataclass(cls) and cls.__module__ == module.__name__
    }
    return types.MappingProxyType(found)


@cache
def _enums(cls: type) -> Mapping[str, type[Enum]]:
    hints = typing.get_type_hints(cls)
    return {name: kind for name, kind in hints.items() if isinstance(kind, type) and issubclass(kind, Enum)}


@cache
def _counts(cls: type) -> frozenset[str]:
    """The fields whose keys are numbers, which JSON would turn into text."""
    hints = typing.get_type_hints(cls)
    return frozenset(name for name, kind in hints.items() if typing.get_args(kind)[:1] == (int,))


@cache
def _fields(cls: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def plain(value: object) -> Any:
    """A noun, or anything made of nouns, as what JSON knows."""
    if value is None or isinstance(value, str | int | float | bool):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Mapping):
        made = {str(key): plain(item) for key, item in value.items()}
        # A mapping of somebody's own names may well have one that is called `is`.
        return {"is": MAPPING, "items": list(made.items())} if "is" in made else made
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    cls = type(value)
    if dataclasses.is_dataclass(cls):
        return {"is": cls.__name__, **{name: plain(getattr(value, name)) for name in _fields(cls)}}
    raise TypeError(f"{cls.__name__} is no noun")


def noun(value: object) -> Any:
    """The noun that `plain` made this of; raises JournalError for a name that this version does not know."""
    if isinstance(value, list):
        return tuple(noun(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "is" not in value:
        return {key: noun(item) for key, item in value.items()}
    name = value["is"]
    if name == MAPPING:
        return {key: noun(item) for key, item in value["items"]}
    cls = _classes().get(str(name))
    if cls is None:
        raise JournalError(f"{name}: unknown to this version of Quarterdeck; install the one that wrote it")
    return _build(cls, value)


def _build(cls: type, value: Mapping[str, object]) -> Any:
    known = _fields(cls)
    made: dict[str, Any] = {key: noun(item) for key, item in value.items() if key in known}
    for key, kind in _enums(cls).items():
        if key in made:
            made[key] = kind(made[key])
    for key in _counts(cls) & made.keys():
        if isinstance(made[key], dict):
            made[key] = {int(index): count for index, count in made[key].items()}
    try:
        return cls(**made)
    except TypeError as error:
        raise JournalError(f"{cls.__name__}: {error}") from error


def dumps(value: object) -> str:
    """A noun as a line of JSON. What is not finite becomes None: JSON knows it not, and absence is None here."""
    made = plain(value)
    try:
        return _dumps(made)
    except ValueError:
        return _dumps(_finite(made))


def _dumps(made: object) -> str:
    return json.dumps(made, separators=(",", ":"), allow_nan=False)


def _finite(made: object) -> object:
    match made:
        case float():
            return made if math.isfinite(made) else None
        case dict():
            return {key: _finite(item) for key, item in made.items()}
        case list() | tuple():
            return [_finite(item) for item in made]
        case _:
            return made


def loads(text: str | bytes) -> Any:
    """The noun of a line of JSON; raises JournalError when it is none."""
    try:
        return noun(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise JournalError(f"not a noun: {error}") from error
