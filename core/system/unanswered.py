"""What a question without an answer says of a process: that it hangs, or that the machine has no CPU for it.

A restart gives no CPU to anybody and takes some from all, so a process that only waits for it is left alone.
"""

import os
import time
from dataclasses import dataclass, replace
from enum import StrEnum

from core.system.cpu_time import Family, family_seconds
from core.system.scheduling import CpuTurns, cpu_turns, state_of

BUSY_S = 0.002
"""A process that uses less than this while it owes an answer does nothing."""
STARVED_S = 0.25
"""Where it, or this one that asks, waited so long for a CPU or came so late, no answer means nothing."""
IDLE_S = 0.05
"""Where both together waited less than this, there was CPU for whoever wanted some."""


class Suspicion(StrEnum):
    """What is the matter with a process that gives no answer. SURE: it hangs, whatever else is the matter here."""

    BUSY = "busy"
    STARVED = "starved"
    LIKELY = "likely"
    SURE = "sure"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What was seen while a process owed an answer. Times in seconds.

    `states` are the kernel's letters, without the R of one that runs. It used `used_s` of CPU (None: it has gone) and
    waited `waited_s` for it; who asked was `late_s` late itself.
    """

    states: str
    used_s: float | None
    waited_s: float
    late_s: float


def suspicion(seen: Unanswered) -> Suspicion:
    """What these figures say."""
    if seen.used_s is None or seen.used_s >= BUSY_S:
        return Suspicion.BUSY
    if "T" in seen.states or "t" in seen.states:
        return Suspicion.SURE
    waits = "R" in seen.states or "D" in seen.states
    if waits or max(seen.waited_s, seen.late_s) >= STARVED_S:
        return Suspicion.STARVED
    return Suspicion.SURE if seen.waited_s + seen.late_s < IDLE_S else Suspicion.LIKELY


class AnswerWatch:
    """Looks at a process, and the one that works for it, while they owe an answer."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._pids = [pid for pid in family if pid is not None]
        self._states, self._waited_s, self._late_s = "", 0.0, 0.0
        self._used_s = family_seconds(family)
        self._begin()

    def _begin(self) -> None:
        self._begun_s = time.monotonic()
        self._turns = {pid: cpu_turns(pid) for pid in (os.getpid(), *self._pids)}

    def look(self, within_s: float) -> None:
        """One question got no answer, for which there was so long and no longer."""
        before, begun_s = self._turns, self._begun_s
        self._begin()
        own_s, _ = _shares(before[os.getpid()], self._turns[os.getpid()])
        self._late_s = max(self._late_s, own_s, self._begun_s - begun_s - within_s)
        for pid in self._pids:
            waited_s, ran_s = _shares(before[pid], self._turns[pid])
            self._waited_s += waited_s
            counted = self._turns[pid] is not None
            # Of one that is not counted R does not say whether it runs or waits.
            self._states += state_of(pid) if counted and ran_s < within_s / 2 else state_of(pid).replace("R", "")

    def seen(self) -> Unanswered:
        """All that was seen since it began to look."""
        used_s = family_seconds(self._family)
        used = None if used_s is None or self._used_s is None else used_s - self._used_s
        return Unanswered(self._states, used, self._waited_s, self._late_s)

    @property
    def starved(self) -> bool:
        """Whether silence counts for nothing; for one that has to answer however busy it is."""
        return suspicion(replace(self.seen(), used_s=0.0)) is Suspicion.STARVED


def _shares(before: CpuTurns | None, after: CpuTurns | None) -> tuple[float, float]:
    """How long it waited and how long it ran in between."""
    if before is None or after is None:
        return 0.0, 0.0
    return after.waited_s - before.waited_s, after.ran_s - before.ran_s
