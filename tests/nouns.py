"""Any noun at all, for properties: built from the types that its fields are declared with."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any

from hypothesis import strategies as st

from core.domain.histogram import Histogram
from core.state import events as ev

NAMES = st.sampled_from(["late", "blue", "green", "is", "r1", "p95_ms", ""])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | NUMBERS | st.text(max_size=5),
    lambda inner: st.tuples(inner, inner) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@cache
def of(kind: Any) -> st.SearchStrategy[Any]:
    """A strategy for whatever a field may hold."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is object:
        return JSON
    if kind is type(None):
        return st.none()
    if kind is str:
        return NAMES | st.text(max_size=8)
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(0, 10**6)
    if kind is float:
        return NUMBERS
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(of(part) for part in parts))
    if origin is tuple and parts[-1] is not Ellipsis:
        return st.tuples(*(of(part) for part in parts))
    if origin is tuple:
        return st.lists(of(parts[0]), max_size=3).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(of(parts[0]), of(parts[1]), max_size=3)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return noun(kind)


@cache
def noun(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Any instance of a class of ours."""
    hints = typing.get_type_hints(cls)
    # Deferred, for a plan's repr would hold that of every noun in it.
    return st.deferred(
        lambda: st.builds(cls, **{field.name: of(hints[field.name]) for field in dataclasses.fields(cls)})
    )


_ANY = st.one_of(*(noun(kind) for kind in typing.get_args(ev.Body) if kind is not ev.Carried))


@st.composite
def _bodies(draw: st.DrawFn) -> Any:
    # By a name: spelled out it is more than a failure may say.
    return draw(_ANY)


BODIES = _bodies()
HISTOGRAMS = st.lists(st.floats(0.001, 60_000), max_size=20).map(Histogram.of)
