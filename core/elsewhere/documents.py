"""A number in a JSON document: strangers write it, so what it is gets looked at before it counts."""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from core.domain.errors import Failed
from core.domain.sources import MetricSource, SourceAnswer

_STEP = re.compile(r"([^.\[\]]+)|\[(\d{1,6})\]")
_PATH = re.compile(r"(?:[^.\[\]]+|\[\d{1,6}\])(?:\.[^.\[\]]+|\[\d{1,6}\])*")
MILLISECONDS = 1e11
"""A moment beyond that is counted in milliseconds: in seconds it is some thousand years away."""


def check(source: MetricSource) -> None:
    """Raise ValueError for a path that is none."""
    for name, path in (("query", source.query), ("time", source.time)):
        if path and not _PATH.fullmatch(path):
            raise ValueError(f"{name} {path[:40]!r} is no path in a JSON document, such as data.rate or items[0].value")


def parsed(body: bytes) -> Any:
    """A document; raises Failed."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Failed("answers with what is no JSON") from None


def number_at(document: Any, source: MetricSource) -> SourceAnswer:
    """The number at the source's path, with its moment where that stands beside it; raises Failed."""
    value = _at(document, source.query)
    at = _moment(_at(document, source.time), source.time) if source.time else None
    if value is None:
        return SourceAnswer(None, at, f"{source.query} is null")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Failed(f"{source.query} is {_kind(value)}, no number")
    return figure(value, at, source.query)


def figure(value: float, at: float | None, what: str) -> SourceAnswer:
    """A number as an answer; what is not finite is no value."""
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if math.isfinite(real):
        return SourceAnswer(real, at)
    return SourceAnswer(None, at, f"{what} is {'NaN' if math.isnan(real) else 'infinite'}: no value")


def _at(document: Any, path: str) -> Any:
    value = document
    for name, place in _STEP.findall(path):
        inside = value if isinstance(value, dict if name else list) else None
        if inside is None or (name not in inside if name else int(place) >= len(inside)):
            raise Failed(f"has no {path}: {name or f'[{place}]'} is not there")
        value = inside[name or int(place)]
    return value


def _moment(value: Any, path: str) -> float:
    """A moment in seconds since the epoch: counted in seconds or milliseconds, or ISO 8601."""
    try:
        if isinstance(value, str):
            when = datetime.fromisoformat(value)
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value / 1000 if value > MILLISECONDS else float(value)
    except (ValueError, OverflowError):
        pass
    raise Failed(f"{path} is no moment: seconds since the epoch, or ISO 8601")


def _kind(value: Any) -> str:
    return {str: "text", bool: "true or false", list: "a list", dict: "an object"}.get(type(value), "something else")
