"""What pods have counted, turned into samples of their slots. Pure but for what it remembers."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from core.domain.model import Slot
from core.domain.sample import Sample
from core.targets.local.counters import Exposition
from core.targets.local.rows import RowMeter
from core.targets.local.scraped import Scraped
from core.targets.local.stats import Totals, TrafficMeter

_STATUS = re.compile(r'scoring_requests_total\{status="(\d+)"\}')
_BUCKET = re.compile(r'scoring_request_seconds_bucket\{le="([^"]+)"\}')
_STARTED = "scoring_start_time_seconds"


@dataclass(slots=True)
class _SlotSums:
    """All answers of a slot's pods since they were first seen."""

    kinds: dict[str, int] = field(default_factory=dict)
    took: dict[float, int] = field(default_factory=dict)


class PodMeter:
    """Takes page after page of each pod, and gives one sample a slot for the time since it was asked last."""

    def __init__(self, at: float) -> None:
        self._last: dict[str, Mapping[str, float]] = {}
        self._sums: dict[Slot, _SlotSums] = {}
        self._rows = RowMeter()
        self._traffic = TrafficMeter(at)

    def take(self, pod: Scraped, page: Exposition) -> None:
        """What a pod has counted until now. The first page of a pod is where counting begins."""
        now = {name: value for name, value in page.values.items() if name.startswith("scoring_request")}
        now[_STARTED] = page.values.get(_STARTED, 0.0)
        before = self._last.get(pod.who)
        self._last[pod.who] = now
        self._rows.take(pod, page)
        if before is None:
            self._sums.setdefault(pod.slot, _SlotSums())
            return
        # A container that was started again counts from zero.
        base = before if before[_STARTED] == now[_STARTED] else {}
        since = {name: int(value - base.get(name, 0.0)) for name, value in now.items() if name != _STARTED}
        _add(self._sums.setdefault(pod.slot, _SlotSums()), since)

    def living(self, names: Collection[str]) -> None:
        """Only these pods are left."""
        self._last = {who: last for who, last in self._last.items() if who in names}
        self._rows.living(names)

    def samples(self, labels: Mapping[Slot, str], at: float) -> list[Sample]:
        """One sample a slot; `labels` are what answered, by slot. Pods of no slot count for none."""
        totals = {slot: Totals(dict(sums.kinds), dict(sums.took)) for slot, sums in self._sums.items() if slot}
        rows = self._rows.taken()
        found = []
        for sample in self._traffic.samples(0, totals, labels, at):
            more = rows.get(sample.slot or "")
            found.append(
                sample if more is None else replace(sample, mix={**sample.mix, **more.mix}, inputs=more.inputs)
            )
        return found


def _add(sums: _SlotSums, since: Mapping[str, int]) -> None:
    for name, count in since.items():
        if count and (match := _STATUS.fullmatch(name)):
            kind = "" if int(match[1]) < 400 else match[1]
            sums.kinds[kind] = sums.kinds.get(kind, 0) + count
    for ms, count in _times(since).items():
        sums.took[ms] = sums.took.get(ms, 0) + count


def _times(since: Mapping[str, int]) -> dict[float, int]:
    """Answers by the middle of the bucket they fell into, in milliseconds."""
    bounds = sorted((float(match[1]), count) for name, count in since.items() if (match := _BUCKET.fullmatch(name)))
    found: dict[float, int] = {}
    below, before = 0.0, 0
    for bound, count in bounds:
        if count > before:
            middle = below * 1.5 if bound == float("inf") else (below + bound) / 2
            found[1000 * middle] = count - before
        below, before = bound, count
    return found
