"""How many cores training may use."""

import sys
import threading

from core.system.cores import usable


def threads() -> int:
    """The cores that this process may use; one where it is traced, as for coverage: CPython 3.11 can then hang in
    threads that come back from OpenMP."""
    if sys.gettrace() is not None or threading.gettrace() is not None:
        return 1
    return usable()
