"""How much CPU time a process has used."""

import sys
import time
from typing import TypeAlias

Family: TypeAlias = tuple[int, int | None]
"""A process and the one that works for it, where it has one."""


def family_seconds(family: Family) -> float | None:
    """CPU time that both have used; None once the first has gone."""
    own_s = cpu_seconds(family[0])
    if own_s is None or family[1] is None:
        return own_s
    return own_s + (cpu_seconds(family[1]) or 0.0)


def cpu_seconds(pid: int) -> float | None:
    """CPU time that a process has used, over all its threads; None once it has gone."""
    if sys.platform == "linux":
        try:
            # The kernel's clock of another process, in nanoseconds; /proc counts in steps of 10 ms.
            return time.clock_gettime((~pid << 3) | 2)
        except OSError:
            return None
    import psutil  # noqa: PLC0415  (the zygote does without it where the kernel has a clock)

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)
