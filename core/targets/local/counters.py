"""Counters of many processes as one page: parsed from Prometheus's text, summed, written again. Pure.

Counters and histograms never fall: what a process had counted before it ended stays in the sum. Of gauges only
those of living processes are shown. What processes count while they answer copies of requests stands under names of
its own.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_LABELS = r'\{(?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)*\}'
_SAMPLE = re.compile(rf"([a-zA-Z_:][\w:]*)({_LABELS})?[ \t]+(\S+)(?:[ \t]+-?\d+)?")
_PARTS = ("_bucket", "_sum", "_count")
MIRRORED = "mirrored_"
"""How names begin of what was counted of copies."""
_ADDED = {"counter", "histogram"}
_GAUGES = {"_info": max, "_start_time_seconds": min}
"""How gauges of such names are put together; all others are added."""


@dataclass(frozen=True, slots=True)
class Family:
    """What a metric is: `counter`, `gauge`, `histogram` or `untyped`, and its line of help."""

    kind: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Exposition:
    """One page: the families by name, and each series (its name with its labels) with its value."""

    families: Mapping[str, Family]
    values: Mapping[str, float]

    def counted(self) -> dict[str, float]:
        """The series that never fall."""
        return {s: value for s, value in self.values.items() if self.families[family(s, self.families)].kind in _ADDED}


def family(series: str, families: Mapping[str, Family]) -> str:
    """The family that a series belongs to: a histogram's parts have names of their own."""
    name = series.partition("{")[0]
    for part in _PARTS:
        whole = name.removesuffix(part)
        if whole != name and whole in families and families[whole].kind == "histogram":
            return whole
    return name


def parse(text: str) -> Exposition:
    """A page of Prometheus's text, version 0.0.4; raises ValueError with the first line that is none."""
    families: dict[str, Family] = {}
    values: dict[str, float] = {}
    for line in text.splitlines():
        words = line.split(None, 3)
        if not words:
            continue
        if words[0].startswith("#"):
            if words[:2] in (["#", "HELP"], ["#", "TYPE"]) and len(words) >= 3:
                before, said = families.get(words[2], Family("untyped")), words[3] if len(words) > 3 else ""
                kind = said if words[1] == "TYPE" else before.kind
                families[words[2]] = Family(kind, said if words[1] == "HELP" else before.help)
            continue
        found = _SAMPLE.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"no line of a page of counters: {line[:100]!r}")
        value = float(found[3])
        if not math.isnan(value):
            values[found[1] + (found[2] or "")] = value
    for series in values:
        families.setdefault(family(series, families), Family("untyped"))
    return Exposition(families, values)


@dataclass(slots=True)
class Counters:
    """The sum over processes. `ended` is what those counted that have gone, `last` what each living one said last.

    `copies` is how much of that each living one counted while it answered copies, `ended_copies` those that have gone.
    """

    ended: dict[str, float] = field(default_factory=dict)
    last: dict[str, Exposition] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)
    copies: dict[str, dict[str, float]] = field(default_factory=dict)
    ended_copies: dict[str, float] = field(default_factory=dict)

    def take(self, who: str, page: Exposition, *, copies: bool = False) -> None:
        """What a process says now; since it last did it has answered `copies` of requests, or requests.

        One that counts from zero again, under the same name, has begun anew.
        """
        before, now = self.last[who].counted() if who in self.last else {}, page.counted()
        if any(now.get(series, 0.0) < value for series, value in before.items()):
            self._keep(who, before)
            before = {}
        if copies:
            since = {series: value - before.get(series, 0.0) for series, value in now.items()}
            _add(self.copies.setdefault(who, {}), since)
        self.last[who] = page
        self.families.update(page.families)

    def living(self, names: Collection[str]) -> bool:
        """Only these are left; says whether one has gone."""
        gone = [who for who in self.last if who not in names]
        for who in gone:
            self._keep(who, self.last.pop(who).counted())
        return bool(gone)

    def _keep(self, who: str, counted: Mapping[str, float]) -> None:
        copies = self.copies.pop(who, {})
        _add(self.ended, _less(counted, copies))
        _add(self.ended_copies, copies)

    def mirrored(self) -> dict[str, float]:
        """Every series that was counted of copies, with its sum."""
        sums = dict(self.ended_copies)
        for copies in self.copies.values():
            _add(sums, copies)
        return sums

    def sums(self) -> dict[str, float]:
        """Every series with its sum, without what was counted of copies."""
        sums = dict(self.ended)
        for who, page in self.last.items():
            counted = page.counted()
            for series, value in _less(page.values, self.copies.get(who, {})).items():
                put = next((how for end, how in _GAUGES.items() if series.partition("{")[0].endswith(end)), None)
                if series not in sums:
                    sums[series] = value
                elif series in counted or put is None:
                    sums[series] += value
                else:
                    sums[series] = put(sums[series], value)
        return sums

    def render(self) -> str:
        """The page."""
        lines = (*self._lines(self.sums()), *self._lines(self.mirrored(), MIRRORED, "Of copies of requests: "))
        return "".join(f"{line}\n" for line in lines)

    def _lines(self, sums: Mapping[str, float], prefix: str = "", of: str = "") -> Iterator[str]:
        by_family: dict[str, list[str]] = {name: [] for name in self.families}
        for series, value in sums.items():
            by_family.setdefault(family(series, self.families), []).append(f"{prefix}{series} {_number(value)}")
        for name, lines in by_family.items():
            if not lines:
                continue
            about = self.families.get(name, Family("untyped"))
            if about.help:
                yield f"# HELP {prefix}{name} {of}{about.help}"
            yield f"# TYPE {prefix}{name} {about.kind}"
            yield from lines

    def to_json(self) -> dict[str, Any]:
        """What the next host needs to go on from: counters alone."""
        families = {name: [one.kind, one.help] for name, one in self.families.items()}
        return {
            "format": 1,
            "families": families,
            "ended": self.ended,
            "last": {who: page.counted() for who, page in self.last.items()},
            "copies": self.copies,
            "ended_copies": self.ended_copies,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Counters":
        """Back from `to_json`; raises KeyError, TypeError, ValueError or AttributeError for anything else."""
        families = {str(name): Family(*map(str, one)) for name, one in plain["families"].items()}
        last = {str(who): Exposition(families, _values(values)) for who, values in plain["last"].items()}
        copies = {str(who): _values(values) for who, values in plain.get("copies", {}).items()}
        return cls(_values(plain["ended"]), last, families, copies, _values(plain.get("ended_copies", {})))


def _add(sums: dict[str, float], more: Mapping[str, float]) -> None:
    for series, value in more.items():
        sums[series] = sums.get(series, 0.0) + value


def _less(values: Mapping[str, float], some: Mapping[str, float]) -> Mapping[str, float]:
    return {series: value - some.get(series, 0.0) for series, value in values.items()} if some else values


def _values(plain: Mapping[str, Any]) -> dict[str, float]:
    return {str(series): float(value) for series, value in plain.items()}


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
