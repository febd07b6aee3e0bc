"""What pods use, as a cluster's metrics API says it; nothing where there is none. Pure but for the one who asks."""

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.domain.errors import QuarterdeckError
from core.domain.figures import Use
from core.domain.model import Slot
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint, selector
from core.targets.kubernetes.paths import POD_METRICS

EVERY_S, ABSENT_S, CALL_S = 15.0, 60.0, 3.0
"""The API measures anew about every 15 s; one that is not there is looked for less often."""
_UNITS = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
}


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What one pod used: thousandths of a core, and millions of bytes."""

    cpu_m: float
    memory_mb: float


def amount(text: str) -> float:
    """A quantity of the API as a number; raises ValueError."""
    digits = text.rstrip("".join({letter for unit in _UNITS for letter in unit}))
    unit = text[len(digits) :]
    if unit not in _UNITS:
        raise ValueError(f"{text!r} is no quantity")
    return float(digits) * _UNITS[unit]


def usages(items: Iterable[Json]) -> dict[str, PodUsage]:
    """What each pod used, by name; one whose figures can't be read has none."""
    found: dict[str, PodUsage] = {}
    for one in items:
        try:
            used = [(each["usage"]["cpu"], each["usage"]["memory"]) for each in one["containers"]]
            cores, held = (math.fsum(amount(each[place]) for each in used) for place in (0, 1))
            found[one["metadata"]["name"]] = PodUsage(round(1000 * cores, 1), round(held / 1e6, 1))
        except (KeyError, TypeError, ValueError):
            continue
    return found


class PodUsages:
    """Asks the metrics API now and then, and keeps what it said last."""

    def __init__(self, at: ClusterEndpoint, calls: ApiCalls) -> None:
        self._at = at
        self._calls = calls
        self._next_s = 0.0
        self.known: Mapping[str, PodUsage] = {}

    def asked(self) -> bool:
        """Ask, where it is time to; whether there are new figures."""
        if time.monotonic() < self._next_s:
            return False
        query = {"labelSelector": ",".join(f"{label}={value}" for label, value in selector(self._at).items())}
        try:
            page = self._calls.ask("GET", POD_METRICS.path(self._at.place.namespace), query=query, timeout_s=CALL_S)
        except QuarterdeckError:
            self._next_s, known = time.monotonic() + ABSENT_S, self.known
            self.known = {}
            return bool(known)
        self._next_s = time.monotonic() + EVERY_S
        self.known = usages(page.get("items") or ())
        return True

    def of_slots(self, pods: Mapping[Slot, Iterable[str]]) -> dict[Slot, Use]:
        """The share of its request that each slot's pods use, and how full the fullest is; the limit is the request."""
        cpu_m, memory_mb = self._at.endpoint.cpu_m, self._at.endpoint.memory_mb
        found: dict[Slot, Use] = {}
        for slot, names in pods.items():
            used = [self.known[name] for name in names if name in self.known]
            if used and cpu_m is not None:
                full = None if memory_mb is None else round(100 * max(one.memory_mb for one in used) / memory_mb, 1)
                found[slot] = Use(len(used), round(sum(100 * one.cpu_m / cpu_m for one in used), 1), full)
        return found
