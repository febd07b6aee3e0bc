"""One clock for all processes of a project: it counts while the machine sleeps, and nobody can set it."""

import time

from core.system.clock import boottime_s

DRIFT_S = 2.0
"""So far the wall's clock may be off before it is worth a word."""


class JournalClock:
    """Seconds since the epoch as the first process since the machine started had them, counted on from there.

    `offset_s` is written in the journal, one for each start of the machine, so that all processes agree.
    """

    def __init__(self, offset_s: float) -> None:
        self.offset_s = offset_s

    def now(self) -> float:
        """Seconds since the epoch; never jumps while the machine runs."""
        return self.offset_s + boottime_s()

    @property
    def drift_s(self) -> float:
        """How far the wall's clock is ahead of this one: somebody set it."""
        return time.time() - self.now()

    @property
    def drifted(self) -> str:
        """What to tell people when the wall's clock was set; empty while the two agree."""
        drift_s = self.drift_s
        if abs(drift_s) < DRIFT_S:
            return ""
        return f"the clock was set {abs(drift_s):.0f} s {'forward' if drift_s > 0 else 'back'}; durations ignore that"


def wall_offset_s() -> float:
    """The offset by which this clock agrees with the wall's now."""
    return time.time() - boottime_s()
