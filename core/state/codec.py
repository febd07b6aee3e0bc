"""Nouns to JSON and back: every fact carries its class's name under `is`; types are checked on the way in."""

import contextlib
import dataclasses
import json
import types
import typing
import zlib
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any

import msgspec

from core.domain import figures, gates, histogram, load_profile, model, obstacles, plan, sample, sources
from core.domain.errors import JournalError, Newer
from core.state import (
    alert,
    alert_events,
    commands,
    endpoint,
    endpoint_events,
    events,
    gauges,
    measured,
    paired,
    release,
    release_events,
    snapshot,
)

_MODULES = (
    *(model, sample, load_profile, figures, histogram, obstacles, gates, plan, sources),
    *(
        alert,
        alert_events,
        endpoint_events,
        release_events,
        events,
        commands,
        paired,
        gauges,
        measured,
        release,
        endpoint,
        snapshot,
    ),
)
MAPPING = "mapping"
_HEAD = '{"is":"'
_encode = msgspec.json.Encoder().encode


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
def _hints(cls: type) -> Mapping[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


@cache
def _typed(hint: Any) -> bool:
    """Whether a type says all of what stands there: no `object`, and nowhere one of several nouns."""
    if hint is object or hint is Any:
        return False
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return all(_typed(kind) for kind in _hints(hint).values())
    parts = typing.get_args(hint)
    return sum(dataclasses.is_dataclass(part) for part in parts) < 2 and all(_typed(part) for part in parts)


@cache
def _reader(cls: type) -> Callable[[str | bytes], Any]:
    return msgspec.json.Decoder(cls).decode


@cache
def shape() -> str:
    """Which nouns there are and what they hold, as a number: what was kept in another shape is made anew."""
    described = sorted(f"{name}{cls.__match_args__}" for name, cls in _classes().items())  # type: ignore[attr-defined]
    return f"{zlib.crc32(repr(described).encode()):08x}"


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
        return {"is": cls.__name__, **{name: plain(getattr(value, name)) for name in _hints(cls)}}
    raise TypeError(f"{cls.__name__} is no noun")


def noun(value: object) -> Any:
    """The noun that `plain` made this of; raises JournalError for what this version does not know."""
    if isinstance(value, list | tuple):
        return tuple(noun(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "is" not in value:
        return {key: noun(item) for key, item in value.items()}
    name = value["is"]
    if name == MAPPING:
        return {key: noun(item) for key, item in value["items"]}
    return _build(_known(str(name)), value)


def _known(name: str) -> type:
    cls = _classes().get(name)
    if cls is None:
        raise Newer(f"{name}: unknown to this version of Quarterdeck; install the one that wrote it")
    return cls


def _build(cls: type, value: Mapping[str, object]) -> Any:
    """A noun of a class; what the class does not say exactly is what it says itself to be."""
    try:
        if _typed(cls):
            return msgspec.convert(_unwrapped(value), cls, str_keys=True)
        hints = {name: hint for name, hint in _hints(cls).items() if name in value}
        made = {
            name: msgspec.convert(_unwrapped(value[name]), hint, str_keys=True) if _typed(hint) else noun(value[name])
            for name, hint in hints.items()
        }
        return cls(**made)
    except (msgspec.ValidationError, TypeError) as error:
        raise JournalError(f"{cls.__name__}: {error}") from error


def _unwrapped(value: object) -> object:
    """With mappings as they were, which `plain` writes as lists where one of their names is `is`."""
    if isinstance(value, list | tuple):
        return [_unwrapped(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("is") == MAPPING and isinstance(value.get("items"), list):
        return {key: _unwrapped(item) for key, item in value["items"]}
    return {key: _unwrapped(item) for key, item in value.items()}


def dumps(value: object) -> str:
    """A noun as a line of JSON. What is not finite becomes None: JSON knows it not, and absence is None here."""
    cls = type(value)
    try:
        if not dataclasses.is_dataclass(cls) or not _typed(cls):
            return _encode(plain(value)).decode()
        text = _encode(value).decode()
    except UnicodeEncodeError:
        # Half a character can be written down only as its number.
        finite = json.loads(json.dumps(plain(value)), parse_constant=lambda _: None)
        return json.dumps(finite, separators=(",", ":"))
    return f'{_HEAD}{cls.__name__}"{"" if text == "{}" else ","}{text[1:]}'


def loads(text: str | bytes) -> Any:
    """The noun of a line of JSON; raises JournalError when it is none."""
    line = text.decode(errors="surrogateescape") if isinstance(text, bytes) else text
    # What fails here may be of an older version, or hold half a character.
    with contextlib.suppress(msgspec.DecodeError, ValueError):
        if line.startswith(_HEAD):
            cls = _classes().get(line[len(_HEAD) : line.index('"', len(_HEAD))])
            if cls is not None and _typed(cls):
                return _reader(cls)(line)
    try:
        return noun(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise JournalError(f"not a noun: {error}") from error


def body(text: str | bytes, lasting: bool = True) -> events.Body:
    """The fact of a line of the journal; a line that was damaged is one too. Raises Newer."""
    try:
        found = loads(text)
    except Newer:
        raise
    except (JournalError, RecursionError) as error:
        return events.Unreadable(str(error), lasting)
    if isinstance(found, typing.get_args(events.Body)):
        fact: events.Body = found
        return fact
    return events.Unreadable("it is no fact", lasting)
