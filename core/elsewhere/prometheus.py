"""An instant query of Prometheus, or of whatever speaks its HTTP API: one number out of one series."""

from math import ceil
from typing import Any

from core.domain.errors import Failed
from core.domain.sources import MetricSource, SourceAnswer
from core.elsewhere import http
from core.elsewhere.documents import figure, parsed

PATH = "/api/v1/query"


def check(source: MetricSource) -> None:
    """Raise ValueError for what only other kinds know."""
    if source.time:
        raise ValueError("time is for JSON documents; Prometheus says itself when its value was so")


async def ask(source: MetricSource, token: str) -> SourceAnswer:
    """The value now; a sample that is older than the source allows is none to Prometheus either."""
    base = source.url.partition("?")
    url = base[0].rstrip("/").removesuffix(PATH) + PATH + base[1] + base[2]
    asked = {
        "query": source.query,
        # Whole seconds: some of those who speak this API take no others.
        "timeout": f"{ceil(source.timeout_s)}s",
        "lookback_delta": f"{ceil(source.max_age_s)}s",
    }
    return value_of(parsed(await http.get(source, url, asked, token)))


def value_of(document: Any) -> SourceAnswer:
    """The one number of an answer; raises Failed where it holds none, or several."""
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(document, dict) or document.get("status") != "success" or not isinstance(data, dict):
        raise Failed("does not answer as Prometheus does")
    result = data.get("result")
    match data.get("resultType"), result:
        case "scalar", list():
            return _value(result)
        case "vector", []:
            return SourceAnswer(None, None, "no series has a value now")
        case "vector", [dict() as only]:
            return _value(only.get("value"))
        case "vector", list():
            raise Failed(f"{len(result)} series; the query must give one, such as by sum(…)")
        case kind, _:
            raise Failed(f"gives a {str(kind)[:20]}, no single number")


def _value(pair: Any) -> SourceAnswer:
    """A moment and a number, which is written as text."""
    try:
        at, text = pair
        return figure(float(text), float(at), "the value")
    except (TypeError, ValueError):
        raise Failed("gives a value that is no number") from None
