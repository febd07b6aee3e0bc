"""Where a figure comes from that is measured elsewhere, and what may be filled into its question. Frozen nouns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from core.domain.errors import Failed

PLACES = ("endpoint", "slot", "version")
"""What stands in double braces in an address or a question: it is asked with the names that hold then."""
BY_SLOT = frozenset({"slot", "version"})
_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What can be filled in: nothing that ends a text, begins another part of an address, or is a pattern of anything."""


@dataclass(frozen=True, slots=True)
class MetricSource:
    """A figure of somebody else's. `kind` says who is asked and how, `query` for what, `time` where its moment stands.

    It is asked every `every_s`, waited for `timeout_s` and may be `max_age_s` old; `token_env` names the variable with
    a bearer token, `ca` a file of certificates.
    """

    name: str
    kind: str
    url: str
    query: str
    time: str = ""
    token_env: str = ""
    ca: str = ""
    every_s: float = 5.0
    max_age_s: float = 60.0
    timeout_s: float = 3.0

    @property
    def where(self) -> str:
        """Who is asked, in words: the rest of an address may be nobody's business."""
        return f"{self.kind} {urlsplit(self.url).netloc.rpartition('@')[2]}"

    @property
    def by_slot(self) -> bool:
        """Whether each slot has a figure of its own."""
        return bool(BY_SLOT & {*places(self.url), *places(self.query)})


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """What a source said: a value and its moment (seconds since the epoch; None: now), or `why` it has none."""

    value: float | None
    at: float | None = None
    why: str = ""


def places(text: str) -> tuple[str, ...]:
    """The names in double braces in a text, as they were written."""
    return tuple(_PLACE.findall(text))


def filled(source: MetricSource, values: Mapping[str, str]) -> MetricSource:
    """A source with names filled in; raises Failed where one can't stand in an address."""

    def value(match: re.Match[str]) -> str:
        found = values.get(match[1], "")
        if not _SAFE.fullmatch(found):
            raise Failed(f"{match[1]} {found[:40]!r} can't be filled in: only letters, digits, dots and dashes can")
        return found

    return replace(source, url=_PLACE.sub(value, source.url), query=_PLACE.sub(value, source.query))
