"""What requests amount to between two ticks. Pure: knows no Locust, no clock and no socket."""

from collections.abc import Mapping
from typing import Any

from core.domain.histogram import bucket
from core.system.text import clean_line

MOST_KINDS = 40
"""Kinds of failure, versions and labels kept apart in one run; what comes after them is counted as `other`."""
LONGEST_KIND = 90
NO_ANSWER: Mapping[str, str] = {
    "TimeoutError": "no answer in time",
    "Timeout": "no answer in time",
    "EmptyResponse": "connection closed without an answer",
    "HTTPConnectionClosed": "connection closed without an answer",
    "BrokenPipeError": "connection broken",
    "ConnectionResetError": "connection reset",
    "ConnectionRefusedError": "connection refused",
    "RetriesExceeded": "no answer",
    "HTTPParseError": "no HTTP answered",
    "gaierror": "host not found",
}
"""What a client meets that gets no answer, by the names of its errors."""


class Tally:
    """Counts requests as they end; `take` hands the figures over and starts anew."""

    __slots__ = ("_answered", "_counts", "_errors", "_failed", "_high", "_known", "_low", "_mix", "_ok", "_sum_ms")

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._clear()

    def _clear(self) -> None:
        self._ok = 0
        self._failed: dict[str, int] = {}
        self._errors: dict[str, int] = {}
        self._mix: dict[str, int] = {}
        self._counts: dict[int, int] = {}
        self._sum_ms = 0.0
        self._low: float | None = None
        self._high: float | None = None
        self._answered: float | None = None

    def request(self, ms: float | None, response: Any, exception: BaseException | str | None, at: float) -> None:
        """One request that ended `at` a moment, in seconds since the epoch; `ms` is None where nothing was timed."""
        if not exception or getattr(response, "status_code", None):
            self._answered = at
        if exception:
            self._add(self._failed, "", failure_kind(exception, response), 1)
        else:
            self._ok += 1
        if ms is not None:
            index = bucket(ms)
            self._counts[index] = self._counts.get(index, 0) + 1
            self._sum_ms += ms
            if self._low is None or ms < self._low:
                self._low = ms
            if self._high is None or ms > self._high:
                self._high = ms
        headers = getattr(response, "headers", None)
        if headers and (get := getattr(headers, "get", None)):
            if version := get("x-model-version"):
                self._add(self._mix, "version:", version, 1)
            if label := get("x-label"):
                self._add(self._mix, "label:", label, 1)

    def error(self, exception: BaseException) -> None:
        """An exception in the code of a user. It is no request, so it counts beside them."""
        self._add(self._errors, "", short(f"{type(exception).__name__}: {exception}"), 1)

    def _add(self, counts: dict[str, int], prefix: str, name: object, by: int) -> None:
        key = clean_line(f"{prefix}{name}")
        if key not in counts and key not in self._known:
            if len(self._known) < MOST_KINDS:
                self._known.add(key)
            else:
                key = f"{prefix}other"
        counts[key] = counts.get(key, 0) + by

    def merge(self, figures: Mapping[str, Any]) -> None:
        """Add what another tally has taken: a worker's figures arrive at the master like this."""
        self._ok += figures["ok"]
        for kind, count in figures["failed"].items():
            self._add(self._failed, "", kind, count)
        for kind, count in figures["errors"].items():
            self._add(self._errors, "", kind, count)
        for key, count in figures["mix"].items():
            prefix, _, name = key.partition(":")
            self._add(self._mix, f"{prefix}:", name, count)
        for index, count in figures["counts"].items():
            self._counts[int(index)] = self._counts.get(int(index), 0) + count
        self._sum_ms += figures["sum_ms"]
        if figures["min_ms"] is not None:
            self._low = figures["min_ms"] if self._low is None else min(self._low, figures["min_ms"])
            self._high = figures["max_ms"] if self._high is None else max(self._high, figures["max_ms"])
        if figures["answered"] is not None:
            self._answered = max(self._answered or 0.0, figures["answered"])

    @property
    def empty(self) -> bool:
        """Nothing has ended since the last `take`."""
        return not (self._ok or self._failed or self._errors or self._mix)

    def take(self) -> dict[str, Any]:
        """The figures since the last time, ready for JSON; the tally starts anew."""
        figures = {
            "ok": self._ok,
            "failed": self._failed,
            "errors": self._errors,
            "mix": self._mix,
            "counts": self._counts,
            "sum_ms": self._sum_ms,
            "min_ms": self._low,
            "max_ms": self._high,
            "answered": self._answered,
        }
        self._clear()
        return figures


def failure_kind(exception: BaseException | str, response: Any) -> str:
    """What to count a failure under: the text of a check, the status of an answer, why there is none, else the error's
    name."""
    if isinstance(exception, str) or type(exception).__name__ == "CatchResponseError":
        return short(str(exception))
    status = getattr(response, "status_code", 0)
    if isinstance(status, int) and status >= 400:
        return f"HTTP {status}"
    # Locust's client wraps what it met last.
    met = getattr(exception, "original", None) or exception
    return NO_ANSWER.get(type(met).__name__, type(met).__name__)


def short(text: str) -> str:
    """The first line of a text, cut to a length that fits a screen."""
    line = clean_line(text.strip().split("\n", 1)[0])
    return line if len(line) <= LONGEST_KIND else line[: LONGEST_KIND - 1] + "…"
