"""A process that gets no CPU: it shares a core with others that have three hundred times its share each."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

SPINNERS = 4

idle_scheduling = pytest.mark.skipif(
    not hasattr(os, "SCHED_IDLE"), reason="the kernel gives no process the least of shares"
)


@contextmanager
def starved(pid: int) -> Iterator[None]:
    """One that hardly gets a turn for as long as this is open, and gets its core for itself after that."""
    process = psutil.Process(pid)
    cores = process.cpu_affinity()
    others = [psutil.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(SPINNERS)]
    try:
        for one in (process, *others):
            one.cpu_affinity([min(cores)])
        for thread in process.threads():
            os.sched_setscheduler(thread.id, os.SCHED_IDLE, os.sched_param(0))
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()
        if process.is_running():
            for thread in process.threads():
                os.sched_setscheduler(thread.id, os.SCHED_OTHER, os.sched_param(0))
            process.cpu_affinity(cores)
