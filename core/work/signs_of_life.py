"""Whether a child that says nothing still works. One that hangs says nothing and uses no CPU."""

import psutil

LOOK_S = 10.0
LOOKS = 3
"""A child that works says so every second or two. So many looks in a row: where this process itself was stopped for a
while, only one of them has found nothing."""
PATIENT_LOOKS = 6
"""Of one whose clock goes on while its step says nothing: it may wait for a registry that is slow."""
OUTSIDE = frozenset({"data", "register", "fetch", "alias", "promote", "restore", "look"})
"""Steps that may wait for others as long as they like, a database or a registry: their clock is sign enough."""
LEAST_CPU_S = 0.05


class SignsOfLife:
    """Of one child and all that it has started, since its step said its last word. `due_s` is the next look's time."""

    def __init__(self, step: str, now_s: float) -> None:
        self._outside = step in OUTSIDE
        self.spoke(now_s)

    def spoke(self, now_s: float, again: bool = False) -> None:
        """A word came; one that the clock said is none of the step's own."""
        if again and not self._outside:
            self._clock = True
            return
        self._used_s: float | None = None
        self._silent, self._clock = 0, False
        self.due_s = now_s + LOOK_S

    def missing(self, pid: int | None, now_s: float) -> str:
        """Look once more; gives what is wrong where none was seen in so many looks. Of one that is gone others tell."""
        looks, self._clock = PATIENT_LOOKS if self._clock else LOOKS, False
        self.due_s = now_s + LOOK_S
        used_s = _cpu_s(pid)
        still = used_s is not None and self._used_s is not None and used_s - self._used_s < LEAST_CPU_S
        self._silent = self._silent + 1 if still else 1
        self._used_s = used_s
        hangs = used_s is not None and self._silent >= looks
        return f"it hung: no word and no work for {LOOK_S * self._silent:g} s" if hangs else ""


def _cpu_s(pid: int | None) -> float | None:
    """CPU seconds that a process and its children have used; None without it."""
    try:
        first = psutil.Process(pid) if pid is not None else None
        family = [] if first is None else [first, *first.children(recursive=True)]
        times = [process.cpu_times() for process in family]
    except psutil.Error:
        return None
    return sum(each.user + each.system for each in times) if times else None
