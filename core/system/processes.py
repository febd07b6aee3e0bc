"""Processes of this machine: who one is, whether it still runs, and children that die with their parent."""

import asyncio
import contextlib
import ctypes
import os
import signal
import site
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from core.system.clock import boottime_s

LOOK_S = 0.05
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_STAT_START = 19
"""`starttime` is field 22 of /proc/PID/stat, the 20th after the name; proc(5)."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process and no other: its number, when it started (in the kernel's own ticks), and which boot that was.

    A number is used again after a while, and the wall clock can be set: neither alone says who is meant.
    """

    pid: int
    started: int
    boot: str

    def to_json(self) -> dict[str, object]:
        """As it is written down."""
        return {"pid": self.pid, "started": self.started, "boot": self.boot}

    @classmethod
    def from_json(cls, plain: Mapping[str, object]) -> "ProcessId":
        """Back from `to_json`; raises KeyError or ValueError for anything else."""
        return cls(int(str(plain["pid"])), int(str(plain["started"])), str(plain["boot"]))

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that has ended and was not waited for does not."""
        return process_id(self.pid) == self


@cache
def boot() -> str:
    """Which start of this machine this is."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{psutil.boot_time():.0f}"


def process_id(pid: int | None = None) -> ProcessId | None:
    """Who has this number now (None: this process); None where nobody has, or only somebody who has ended."""
    number = os.getpid() if pid is None else pid
    if sys.platform == "linux":
        found = _listed(number)
        return None if found is None or found[1] in "ZX" else found[0]
    try:
        process = psutil.Process(number)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return ProcessId(number, round(process.create_time() * 1000), boot())
    except psutil.Error:
        return None


def _listed(number: int) -> tuple[ProcessId, str] | None:
    """Who stands in the kernel's list under a number, and in which state."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name stands in brackets and may hold anything, brackets too.
    fields = stat[stat.rindex(")") + 2 :].split()
    return ProcessId(number, int(fields[_STAT_START]), boot()), fields[0]


def running_s() -> float:
    """For how long this process has been running, in seconds, to a hundredth: the kernel knows, our first line not."""
    me = process_id()
    if sys.platform == "linux" and me is not None:
        return max(0.0, boottime_s() - me.started / os.sysconf("SC_CLK_TCK"))
    return max(0.0, time.time() - psutil.Process().create_time())


def whoami() -> str:
    """This process as one word that other processes can read: machine, boot, number, start."""
    me = process_id()
    return "" if me is None else f"{socket.gethostname()}/{me.boot}/{me.pid}/{me.started}"


def has_gone(who: str) -> bool:
    """Whether the process that `whoami` named has ended. Of another machine's nobody here knows: False."""
    try:
        machine, boot_id, pid, started = who.split("/")
        named = ProcessId(int(pid), int(started), boot_id)
    except ValueError:
        return True
    return machine == socket.gethostname() and not named.alive


def send(process: ProcessId, number: signal.Signals) -> bool:
    """Send a signal to this very process; False when it has gone. A stopped one is woken to hear it."""
    if not process.alive:
        return False
    try:
        os.kill(process.pid, number)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            os.kill(process.pid, signal.SIGCONT)
    except ProcessLookupError:
        return False
    return True


async def ended(process: ProcessId) -> None:
    """Wait until a process has ended, whoever's child it is."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        # No such call here, or nobody with this number any more.
        while process.alive:  # noqa: ASYNC110  (nobody tells us)
            await asyncio.sleep(LOOK_S)
        return
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    try:
        listed = _listed(process.pid)
        # Its first thread may have ended before the others, which hold its ports still: the descriptor waits for all.
        if listed is not None and listed[0] == process:
            loop.add_reader(descriptor, gone.set)
            await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies; where it can't, the parent's next run does it."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def wake_when_parent_dies() -> None:
    """Ask the kernel to continue this process when its parent dies: what the parent had stopped must not stay so."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGCONT)


def how_it_ended(status: int) -> str:
    """A wait status or exit code in words; negative codes are signals."""
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def python(module: str, *arguments: str) -> list[str]:
    """The command line of a Python child of ours. `-P`: a module of the folder it runs in is never ours."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment(more: Mapping[str, str] | None = None, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """What such a child needs to find our packages, and one thread for each numeric library.

    `given` stands in for this process's environment, `more` goes over it.
    """
    base = os.environ if given is None else given
    home = str(Path(__file__).resolve().parents[2])
    # A relative entry would mean the folder that the child runs in.
    paths = [path for path in base.get("PYTHONPATH", "").split(os.pathsep) if Path(path).is_absolute() and path != home]
    # Where we are installed we are found; named here, that folder would come before the standard library.
    if home not in site.getsitepackages():
        paths.insert(0, home)
    ours = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return {**base, **ours, **(more or {})}
