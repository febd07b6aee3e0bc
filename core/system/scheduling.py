"""What the kernel says of a process that should run: in which state it is, how long it ran and how long it waited."""

import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

_LETTERS = {
    psutil.STATUS_RUNNING: "R",
    psutil.STATUS_SLEEPING: "S",
    psutil.STATUS_DISK_SLEEP: "D",
    psutil.STATUS_STOPPED: "T",
    psutil.STATUS_TRACING_STOP: "t",
}


def state_of(pid: int) -> str:
    """Its first thread's state, a letter of ps: R has a CPU or wants one, T was stopped. Empty where it has gone."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return ""
        # The name stands in brackets and may hold anything, brackets too.
        return stat[stat.rindex(")") + 2 :][:1]
    try:
        return _LETTERS.get(psutil.Process(pid).status(), "S")
    except psutil.Error:
        return ""


@dataclass(frozen=True, slots=True)
class CpuTurns:
    """How long a process's first thread ran, and how long it was ready and did not, in seconds since it began."""

    ran_s: float
    waited_s: float


def cpu_turns(pid: int) -> CpuTurns | None:
    """As the kernel counts; None where it does not, or the process has gone.

    A wait that goes on is not in it yet: meanwhile the state is R.
    """
    try:
        ran, waited, *_ = Path(f"/proc/{pid}/schedstat").read_text().split()
        return CpuTurns(int(ran) / 1e9, int(waited) / 1e9)
    except (OSError, ValueError):
        return None
