"""The answers to requests beside those to their copies: how many were compared, and how many of them differ. Pure.

Each half of a pair comes from another replica, in its own time; one whose other half does not come is dropped.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.system.text import clean_line, in_digits

KEEP_S = 10.0
MOST = 20_000
CLOSE = 0.01
"""Numbers that are this near to each other, as a share of the larger one, are the same answer."""
LONGEST = 40
SERVERS_FAULT = 500
OTHERS_FAULT = frozenset({401, 429, 503})
"""What says nothing of a version: it was not asked, or had no room."""


@dataclass(frozen=True, slots=True)
class Half:
    """What one side answered. `predictions` are None unless the status is 200; `labelled`: they may be shown."""

    status: int
    predictions: Any
    labelled: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """What has come together since the last look; `example` is one of those that differ."""

    compared: int = 0
    differing: int = 0
    example: str = ""

    def __add__(self, other: "Compared") -> "Compared":
        example = other.example or self.example
        return Compared(self.compared + other.compared, self.differing + other.differing, example)


@dataclass(slots=True)
class Pairs:
    """Halves that wait for their other one, oldest first, by mark and side."""

    _waiting: dict[tuple[str, bool], tuple[Half, float]] = field(default_factory=dict)
    _compared: int = 0
    _differing: Counter[str] = field(default_factory=Counter)

    def take(self, page: Mapping[str, Any], now_s: float, *, copies: bool) -> None:
        """What a replica says that it answered, to copies or to users; raises KeyError, TypeError or ValueError."""
        for mark, status, predictions in page["answers"]:
            half = Half(int(status), predictions, bool(page["labelled"]))
            if half.status in OTHERS_FAULT:
                continue
            other = self._waiting.pop((str(mark), not copies), None)
            if other is None:
                # A request that was tried again may have been answered twice: the last answer is the user's.
                self._waiting[str(mark), copies] = (half, now_s)
                continue
            live, new = (other[0], half) if copies else (half, other[0])
            if live.status >= SERVERS_FAULT:
                continue
            self._compared += 1
            if not alike(live, new):
                self._differing[_said(live, new)] += 1
        while self._waiting and (len(self._waiting) > MOST or self._oldest_s() < now_s - KEEP_S):
            del self._waiting[next(iter(self._waiting))]

    def _oldest_s(self) -> float:
        return next(iter(self._waiting.values()))[1]

    def taken(self) -> Compared:
        """What was compared since this was asked last; the example is what came most often."""
        example = next((said for said, _ in self._differing.most_common(1)), "")
        found = Compared(self._compared, self._differing.total(), example)
        self._compared = 0
        self._differing.clear()
        return found


def alike(live: Half, new: Half) -> bool:
    """Whether both say the same: the same labels, or numbers that are close."""
    return live.status == new.status and _same(live.predictions, new.predictions)


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_same(value, two[name]) for name, value in one.items())
    if isinstance(one, float) or isinstance(two, float):
        return _number(one) and _number(two) and math.isclose(one, two, rel_tol=CLOSE, abs_tol=1e-9)
    return bool(one == two) and isinstance(one, bool) == isinstance(two, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _said(live: Half, new: Half) -> str:
    """How two answers differ, in words: labels are shown, and no other text, which may be somebody's."""
    if live.status != new.status:
        return f"{_status(live)} → {_status(new)}"
    one, two = live.predictions, new.predictions
    if isinstance(one, list) and isinstance(two, list):
        if len(one) != len(two):
            return f"{len(one)} answers → {len(two)}"
        one, two = next(pair for pair in zip(one, two, strict=True) if not _same(*pair))
    if all(isinstance(each, str | bool | int) and half.labelled for each, half in ((one, live), (two, new))):
        return f"{_label(one)} → {_label(two)}"
    if _number(one) and _number(two):
        return f"{in_digits(one)} → {in_digits(two)}"
    return "another answer"


def _status(half: Half) -> str:
    return "an answer" if half.status == 200 else str(half.status)


def _label(label: object) -> str:
    return clean_line(str(label).lower() if isinstance(label, bool) else str(label), LONGEST)
