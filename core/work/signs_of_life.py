"""Whether a child that says nothing still works. One that hangs says nothing and uses no CPU."""

import psutil

LOOK_S = 10.0
LOOKS = 3
"""A child that works says so every second or two. So many looks in a row: where this process itself was stopped for a
while, only one of them has found nothing."""
LEAST_CPU_S = 0.05


class SignsOfLife:
    """Of one child and all that it has started, since it said its last word."""

    def __init__(self) -> None:
        self._used_s: float | None = None
        self._silent = 0

    def missing(self, pid: int | None) -> str:
        """Look once more; gives what is wrong where none was seen in `LOOKS` looks. Of one that is gone others tell."""
        used_s = _cpu_s(pid)
        still = used_s is not None and self._used_s is not None and used_s - self._used_s < LEAST_CPU_S
        self._silent = self._silent + 1 if still else 1
        self._used_s = used_s
        hangs = used_s is not None and self._silent >= LOOKS
        return f"it hung: no word and no work for {LOOK_S * LOOKS:g} s" if hangs else ""


def _cpu_s(pid: int | None) -> float | None:
    """CPU seconds that a process and its children have used; None without it."""
    try:
        first = psutil.Process(pid) if pid is not None else None
        family = [] if first is None else [first, *first.children(recursive=True)]
        times = [process.cpu_times() for process in family]
    except psutil.Error:
        return None
    return sum(each.user + each.system for each in times) if times else None
