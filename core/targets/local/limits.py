"""Holds CPU limits: stops and continues processes as their buckets say. Their owner sends the signals."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from core.system.cpu_time import Family, family_seconds
from core.targets.local.bucket import Bucket

GONE_S = 1.0
"""A process that could not be measured is looked at again after so long."""

K = TypeVar("K")


@dataclass(slots=True)
class _Held:
    family: Family
    bucket: Bucket
    due_s: float


@dataclass(slots=True)
class CpuLimits(Generic[K]):
    """The limits of some processes, each under a key of its owner's."""

    signal: Callable[[K, signal.Signals], None]
    _held: dict[K, _Held] = field(default_factory=dict)

    def hold(self, key: K, family: Family, cpu_m: int | None) -> None:
        """Hold a process to a limit from now on, or to none; one that rests goes on first.

        What its worker uses counts too, and that one is never stopped: it rests where nobody asks it.
        """
        self.free(key)
        used_s = family_seconds(family)
        if cpu_m is not None and used_s is not None:
            now_s = time.monotonic()
            self._held[key] = _Held(family, Bucket.of(cpu_m, now_s, used_s), now_s)

    def free(self, key: K) -> None:
        """Hold it no longer; one that rests goes on."""
        held = self._held.pop(key, None)
        if held is not None and not held.bucket.running:
            self.signal(key, signal.SIGCONT)

    def forget(self, key: K) -> None:
        """It has ended: its number may be another's by now."""
        self._held.pop(key, None)

    @property
    def resting(self) -> list[K]:
        """Those that have used up what they may use."""
        return [key for key, held in self._held.items() if not held.bucket.running]

    def throttle(self) -> float | None:
        """Stop and continue what is due; gives the seconds until the next look, None where nothing is held."""
        now_s = time.monotonic()
        for key, held in self._held.items():
            if held.due_s > now_s:
                continue
            used_s = family_seconds(held.family)
            if used_s is None:
                held.due_s = now_s + GONE_S
                continue
            was = held.bucket.running
            held.due_s = now_s + held.bucket.look(now_s, used_s)
            if held.bucket.running != was:
                self.signal(key, signal.SIGCONT if held.bucket.running else signal.SIGSTOP)
        if not self._held:
            return None
        return max(0.0, min(held.due_s for held in self._held.values()) - time.monotonic())
