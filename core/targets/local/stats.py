"""The router's counters, turned into one sample a second for each slot. Pure but for what it remembers."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.domain.errors import Unreachable
from core.domain.histogram import Histogram
from core.domain.model import Slot
from core.domain.sample import GAVE_UP, UNPROCESSABLE, Sample
from core.targets.local.routes import COUNTED, MIRROR_SUFFIX

QUERY = (
    "/stats?format=json&usedonly&histogram_buckets=detailed"
    f"&filter=^(user[.]|cluster[.][a-z0-9-]%2B{MIRROR_SUFFIX}[.]upstream_rq_([0-9]%2B|time|pending_overflow)$)"
)
QUIET_S = 3
"""Zeros are told for so many seconds, then nothing until answers come again."""

CALLERS = frozenset({
    "400", "401", "403", "404", "405", "406", "407", "408", "411", "413", "414", "415", "416", "417", "421",
    UNPROCESSABLE, "426", "429", "431",
})  # fmt: skip
"""What the caller did: the wrong path, key, size or form. 422 may be the version's doing, so a gate compares it."""

_USERS = f"(?:{'|'.join(COUNTED)})"
_ANSWERS = re.compile(rf"user\.answers\.route\.{_USERS}\.slot\.([^.]*)\.code\.(\d*)[^.]*\.flags\.(.*)")
_TOOK = re.compile(rf"user\.took\.route\.{_USERS}\.slot\.([^.]*)\.code\.(\d*)[^.]*\.flags\.(.*)")
_GAVE_UP = re.compile(rf"user\.gave_up\.route\.{_USERS}\.slot\.([^.]+)")
CAME_MS = 1000.0
"""Who sent for longer had not waited for so long."""
_MIRRORED = re.compile(rf"cluster\.([^.]+){MIRROR_SUFFIX}\.upstream_rq_(\d+|time|pending_overflow)")
_NOT_MADE = "pending_overflow"
"""Copies beyond those that may be under way. The router counts them as answered with 503, and nobody has."""
_KINDS = {
    "UF": "connect", "URX": "connect", "UH": "no replica", "UT": "timeout", "UMSDR": "timeout", "DT": "timeout",
    "UPE": "protocol", "UC": "reset", "UR": "reset", "LR": "reset",
}  # fmt: skip
_LEFT = frozenset({"DC", "DR", "DPE"})
"""The client went away, or spoke no HTTP. Of those who had waited for long enough `GAVE_UP` counts as well."""


@dataclass(frozen=True, slots=True)
class Totals:
    """All answers of one slot since the router began, by kind (empty: good), and how long they took in ms.

    What is the caller's doing is counted under its status, and its time nowhere. `mirrored` of the answers were to
    copies; `not_made` were copies that had no room.
    """

    kinds: Mapping[str, int] = field(default_factory=dict)
    took: Mapping[float, int] = field(default_factory=dict)
    mirrored: int = 0
    not_made: int = 0


def _minus(now: Totals, before: Totals) -> Totals:
    """What was counted since."""
    kinds = {kind: count - before.kinds.get(kind, 0) for kind, count in now.kinds.items()}
    took = {ms: count - before.took.get(ms, 0) for ms, count in now.took.items()}
    return Totals(kinds, took, now.mirrored - before.mirrored, now.not_made - before.not_made)


def read(body: bytes) -> dict[Slot, Totals]:
    """What the admin socket answered to `QUERY`; raises Unreachable where it says anything else."""
    try:
        return _read(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreachable(f"the router's counters can't be read ({type(error).__name__}: {error})") from error


def _read(body: bytes) -> dict[Slot, Totals]:
    kinds: dict[Slot, dict[str, int]] = {}
    took: dict[Slot, dict[float, int]] = {}
    mirrored: Counter[Slot] = Counter()
    not_made: Counter[Slot] = Counter()
    for stat in json.loads(body)["stats"]:
        if "histograms" in stat:
            for histogram in stat["histograms"].get("details", []):
                _add_times(took, histogram)
                if match := _GAVE_UP.fullmatch(histogram["name"]):
                    waited = (part["count"] for part in histogram["totals"] if part["lower_bound"] < CAME_MS)
                    _add(kinds, match[1], GAVE_UP, sum(waited))
        elif match := _ANSWERS.fullmatch(stat["name"]):
            _add(kinds, match[1], _kind(match[2], match[3]), stat["value"])
        elif match := _MIRRORED.fullmatch(stat["name"]):
            slot, count = match[1], stat["value"]
            code, count = ("503", -count) if match[2] == _NOT_MADE else (match[2], count)
            _add(kinds, slot, _kind(code, "-"), count)
            mirrored[slot] += count
            not_made[slot] -= min(0, count)
    return {
        slot: Totals(kinds.get(slot, {}), took.get(slot, {}), mirrored[slot], not_made[slot])
        for slot in {*kinds, *took} - {""}
    }


def _add(kinds: dict[Slot, dict[str, int]], slot: Slot, kind: str | None, count: int) -> None:
    if kind is not None:
        of_slot = kinds.setdefault(slot, {})
        of_slot[kind] = of_slot.get(kind, 0) + count


def _add_times(took: dict[Slot, dict[float, int]], histogram: Mapping[str, Any]) -> None:
    name = histogram["name"]
    users, mirrored = _TOOK.fullmatch(name), _MIRRORED.fullmatch(name)
    # Of copies the router counts whole milliseconds that are over: 7 is anything up to 8.
    match, unit_ms, least = (users, 0.001, 0.0) if users else (mirrored, 1.0, 1.0)
    # A page that is not there is quick: its time would make a slow version look quick.
    if match is None or (users and _kind(users[2], users[3]) in {None, *CALLERS}):
        return
    of_slot = took.setdefault(match[1], {})
    for part in histogram["totals"]:
        ms = (part["lower_bound"] + max(part["width"], least) / 2) * unit_ms
        of_slot[ms] = of_slot.get(ms, 0) + part["count"]


def _kind(code: str, flags: str) -> str | None:
    """The kind of an answer: empty for a good one, None for a client that left before it or spoke no HTTP."""
    said = set(flags.split(","))
    if failed := [_KINDS[flag] for flag in flags.split(",") if flag in _KINDS]:
        return failed[0]
    if code in {"", "0"} or said & _LEFT:
        return None
    return "" if int(code) < 400 else code


class TrafficMeter:
    """Differences between totals, as samples. A router that was started again counts from zero."""

    def __init__(self, at: float) -> None:
        self._start = -1
        self._seen: dict[Slot, Totals] = {}
        self._quiet: dict[Slot, int] = {}
        self._at = at

    def samples(self, start: int, totals: Mapping[Slot, Totals], labels: Mapping[Slot, str], at: float) -> list[Sample]:
        """One sample a slot for the time since the last call; `labels` are what answered, by slot."""
        seen = self._seen if start == self._start else {}
        seconds = at - self._at
        self._start, self._seen, self._at = start, dict(totals), at
        samples = []
        for slot, total in totals.items():
            before = seen.get(slot, Totals())
            sample = replace(_difference(slot, total, before, labels.get(slot, "")), at=at, seconds=seconds)
            quiet = 0 if sample.requests or sample.refused else self._quiet.get(slot, QUIET_S) + 1
            self._quiet[slot] = quiet
            if quiet <= QUIET_S:
                samples.append(sample)
        return samples


def _difference(slot: Slot, now: Totals, before: Totals, label: str) -> Sample:
    since = _minus(now, before)
    kinds = since.kinds
    bad = {kind: count for kind, count in kinds.items() if kind and count > 0}
    answers = sum(count for count in kinds.values() if count > 0)
    return Sample(
        slot=slot,
        at=0.0,
        ok=max(0, kinds.get("", 0)),
        failed={kind: count for kind, count in bad.items() if kind not in CALLERS},
        latency=Histogram.of_counts(since.took),
        mix={label: answers} if label and answers else {},
        refused={kind: count for kind, count in bad.items() if kind in CALLERS},
        mirrored=max(0, since.mirrored),
    )
