"""The kinds of sources that a gate may name, in the one place where they are registered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from core.domain.sources import MetricSource, SourceAnswer
from core.elsewhere import documents, http, prometheus


def _fits(source: MetricSource) -> None:
    """Any question will do."""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """`ask` a source, with a bearer token or an empty one: it gives a value or why there is none, and raises
    QuarterdeckError where it could not be measured. `check` raises ValueError for settings that can't work."""

    ask: Callable[[MetricSource, str], Awaitable[SourceAnswer]]
    check: Callable[[MetricSource], None] = _fits


async def _document(source: MetricSource, token: str) -> SourceAnswer:
    """A number in a JSON document at an address."""
    return documents.number_at(documents.parsed(await http.get(source, source.url, {}, token)), source)


KINDS: Mapping[str, SourceKind] = {
    "prometheus": SourceKind(prometheus.ask, prometheus.check),
    "json": SourceKind(_document, documents.check),
}
