"""How many cores training may use."""

import os
import sys
import threading


def threads() -> int:
    """The cores that this process may use; one where it is traced, as for coverage: CPython 3.11 can then hang in
    threads that come back from OpenMP."""
    if sys.gettrace() is not None or threading.gettrace() is not None:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
