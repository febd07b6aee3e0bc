"""Starting children that die with their parent, and finding those that did not."""

import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies; where it can't, the parent's next run does it."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def remember(path: Path, pid: int) -> None:
    """Write down a child, with its start time, so that a later process doesn't take another's number for it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        path.write_text(json.dumps({"pid": pid, "started": psutil.Process(pid).create_time()}))


def end_orphan(path: Path) -> bool:
    """Kill the child written down at `path` if it still runs; says whether it did."""
    try:
        noted = json.loads(path.read_text())
        process = psutil.Process(noted["pid"])
        if abs(process.create_time() - noted["started"]) > 1 or process.status() == psutil.STATUS_ZOMBIE:
            return False
        process.kill()
        process.wait(timeout=5)
    except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
        return False
    finally:
        path.unlink(missing_ok=True)
    return True


def end(pid: int, number: signal.Signals) -> None:
    """Send a signal to a child that may have gone already; a stopped one is woken to hear it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        if number != signal.SIGKILL:
            os.kill(pid, signal.SIGCONT)


def how_it_ended(status: int) -> str:
    """A wait status or exit code in words; negative codes are signals."""
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def environment() -> dict[str, str]:
    """What a Python child of ours needs to find our packages, and one thread for each numeric library."""
    home = str(Path(__file__).resolve().parents[3])
    known = os.environ.get("PYTHONPATH", "")
    paths = [home, *[path for path in known.split(os.pathsep) if path and path != home]]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
