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

    def jump(self, told_s: float = 0.0) -> tuple[float, str]:
        """How far the clocks are apart, and what to tell people where that is another distance than they know of."""
        drift_s = self.drift_s
        if abs(drift_s - told_s) < DRIFT_S:
            return told_s, ""
        if abs(drift_s) < DRIFT_S:
            return drift_s, "the clock is right again; durations ignored all of it"
        way = "forward" if drift_s > 0 else "back"
        return drift_s, f"the clock was set {abs(drift_s):.0f} s {way}; durations ignore that"


def wall_offset_s() -> float:
    """The offset by which this clock agrees with the wall's now."""
    return time.time() - boottime_s()
