"""How fast large requests may be scored where CPU time is limited, so that small ones always find some of it.

Whoever holds such a limit stops a process that has used up its share, for tens of milliseconds. Large work alone
never uses it up. Sleeps nowhere and stops nothing.
"""

import time
from collections.abc import Callable

LIMIT_S = 0.1
"""Limits count by so long: a share of .25 is 25 ms in every 100."""
LARGE = 0.8
"""Of the share, so much for everything together as long as large requests wait; the rest is for small ones."""
LEAST = 0.25
"""And so much for large ones whatever the small ones use: they must come to their end."""
AT_ONCE = 0.3
"""Of what a limit allows in one go, so much for large ones after a rest."""


class Pace:
    """The CPU time that large requests may use. `cores` is the limit, None without one: then they never wait."""

    def __init__(
        self,
        cores: Callable[[], float | None],
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.process_time,
    ) -> None:
        self._cores = cores
        self._clock = clock
        self._used = used
        self._saved_s = 0.0
        self._at_s, self._used_s = clock(), used()

    def wait_s(self) -> float:
        """Seconds until a slice may begin; 0 where it may now. What others have used since the last one counts."""
        cores = self._cores()
        now_s, used_s = self._clock(), self._used()
        gone_s, others_s = now_s - self._at_s, used_s - self._used_s
        self._at_s, self._used_s = now_s, used_s
        if cores is None:
            self._saved_s = 0.0
            return 0.0
        self._saved_s += max(cores * gone_s * LARGE - others_s, cores * gone_s * LEAST)
        self._saved_s = min(self._saved_s, cores * LIMIT_S * AT_ONCE)
        return max(0.0, -self._saved_s) / (cores * LARGE)

    def paid(self) -> None:
        """A slice has run since then."""
        used_s = self._used()
        self._saved_s -= used_s - self._used_s
        self._used_s = used_s
