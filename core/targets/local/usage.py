"""What replicas use: CPU in thousandths of a core and memory in MB, remembered for as long as an average needs."""

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from core.system.cpu_time import Family, family_seconds
from core.targets.local.hpa import Usage

KEEP_S = 20.0


@dataclass(slots=True)
class UsageMeter:
    """The figures of one process and its worker, oldest first: (when, cpu seconds used so far, memory in MB)."""

    family: Family
    seen: deque[tuple[float, float, float]] = field(default_factory=deque)

    def look(self, now_s: float) -> None:
        """Measure once more; a process that has gone is not measured."""
        cpu_s = family_seconds(self.family)
        if cpu_s is None:
            return
        with suppress(psutil.Error):
            memory = sum(psutil.Process(pid).memory_info().rss for pid in self.family if pid is not None)
            self.seen.append((now_s, cpu_s, memory / 1e6))
        while self.seen and self.seen[0][0] < now_s - KEEP_S:
            self.seen.popleft()

    def figures(self, window_s: float) -> tuple[Usage, Usage] | None:
        """CPU and memory averaged over the last window, or a longer one where looks came late; None until a whole one
        was measured."""
        if not self.seen:
            return None
        last_s, last_cpu_s, _ = self.seen[-1]
        # A look comes a little early or late: nine tenths of a window count as one.
        begun = max((at_s for at_s, *_ in self.seen if at_s <= last_s - window_s * 0.9), default=last_s)
        span_s = last_s - begun
        if span_s <= 0:
            return None
        inside = [entry for entry in self.seen if entry[0] >= begun]
        cpu_m = 1000 * (last_cpu_s - inside[0][1]) / span_s
        memory_mb = sum(entry[2] for entry in inside) / len(inside)
        return Usage(cpu_m, last_s, span_s), Usage(memory_mb, last_s, span_s)


class UsageMeters:
    """The meters of all replicas, by name."""

    def __init__(self) -> None:
        self._meters: dict[str, UsageMeter] = {}

    def look(self, families: dict[str, Family]) -> None:
        """Measure these processes now, and forget all others."""
        now_s = time.monotonic()
        self._meters = {
            name: self._meters[name]
            if name in self._meters and self._meters[name].family == family
            else UsageMeter(family)
            for name, family in families.items()
        }
        for meter in self._meters.values():
            meter.look(now_s)

    def figures(self, window_s: float) -> dict[str, tuple[Usage, Usage]]:
        """CPU and memory of each process over a window, where measured."""
        found = {name: meter.figures(window_s) for name, meter in self._meters.items()}
        return {name: figures for name, figures in found.items() if figures is not None}
