"""The clock that nobody sets: it counts while the machine sleeps too. What is shown to people is the wall's."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime_s() -> float:
    """Seconds since this machine started, its sleep included; one clock for all of its processes.

    Source: CLOCK_BOOTTIME of clock_gettime(2). Where a system has none, CLOCK_MONOTONIC, which on macOS counts sleep.
    """
    return time.clock_gettime(_CLOCK)
