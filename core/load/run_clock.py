"""How long a run has run and when it was heard last. The clock is this process's, not Locust's."""

import time
from collections.abc import Callable

SILENT_LOOKS = 10
"""Locust says its figures once a second: silent for so many looks, a second apart, it hangs."""
OVERTIME_LOOKS = 15
"""So many looks after its time was up, or after it said that it ends, it should have ended."""
Now = Callable[[], float]


class RunClock:
    """Told what is heard; `look`, once a second, says why the run counts as hung.

    Silence is counted in looks and not in seconds: while this process itself stood still, nobody looked.
    It stands still while the machine sleeps, as Locust does (time.monotonic).
    """

    def __init__(self, now: Now = time.monotonic) -> None:
        self._now = now
        self._wanted_s: float | None = None
        self._began_s: float | None = None
        self._heard_s = 0.0
        self._paused_since_s: float | None = None
        self._paused_s = 0.0
        self._silent = 0
        self._overtime = 0
        self._ending = False

    def begin(self, wanted_s: float | None) -> None:
        """The first users were asked for; None: there is no time after which it should end."""
        self._began_s = self._heard_s = self._now()
        self._wanted_s = wanted_s

    def heard(self) -> None:
        """Locust said something."""
        self._heard_s, self._silent = self._now(), 0

    def pause(self) -> None:
        """The run's time stands still."""
        self._paused_since_s = self._now() if self._paused_since_s is None else self._paused_since_s

    def resume(self) -> None:
        """It goes on."""
        if self._paused_since_s is not None:
            self._paused_s += self._now() - self._paused_since_s
            self._paused_since_s = None

    def ending(self) -> None:
        """It ends, or was asked to: from here on it is expected to."""
        self._ending = True

    @property
    def wanted_s(self) -> float | None:
        """How long it should run; None: until it is stopped."""
        return self._wanted_s

    @property
    def ran_s(self) -> float:
        """From its begin until it was heard last, without its pauses."""
        return 0.0 if self._began_s is None else self._ran_until(self._heard_s)

    def _ran_until(self, at_s: float) -> float:
        held_s = self._paused_s + (max(0.0, at_s - self._paused_since_s) if self._paused_since_s is not None else 0.0)
        return max(0.0, at_s - (self._began_s or at_s) - held_s)

    def look(self) -> str:
        """Why it counts as hung, or nothing."""
        if self._began_s is None:
            return ""
        self._silent += 1
        over = self._wanted_s is not None and self._ran_until(self._now()) >= self._wanted_s
        self._overtime = self._overtime + 1 if over or self._ending else 0
        if self._silent > SILENT_LOOKS:
            return f"it hung: nothing was heard of it for {SILENT_LOOKS} s"
        if self._overtime > OVERTIME_LOOKS:
            return f"it hung: it should have ended {OVERTIME_LOOKS} s ago"
        return ""
