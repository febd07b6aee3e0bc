"""A process that gives no answer: whether it hangs or only gets no CPU, from figures and from processes that run."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from core.domain.errors import Unreachable
from core.domain.model import Level, Noted, ReplicaState
from core.system.unanswered import AnswerWatch, Suspicion, Unanswered, suspicion
from core.targets.local import replica_checks
from core.targets.local.member import Member
from core.targets.local.replica_checks import ReplicaChecks
from tests.starved import idle_scheduling, starved

SPINS = "while True: pass"
SLEEPS = "import time\nwhile True: time.sleep(60)"


@pytest.mark.parametrize(
    ("states", "used_s", "waited_s", "late_s", "found"),
    [
        ("SSS", None, 0.0, 0.0, Suspicion.BUSY),
        ("SSS", 0.4, 0.0, 0.0, Suspicion.BUSY),
        ("TTT", 0.4, 0.0, 0.0, Suspicion.BUSY),
        ("TTT", 0.0, 0.0, 0.0, Suspicion.SURE),
        ("STT", 0.0, 0.0, 9.0, Suspicion.SURE),
        ("SSS", 0.0, 0.0, 0.0, Suspicion.SURE),
        ("SSS", 0.001, 0.02, 0.02, Suspicion.SURE),
        ("SSS", 0.0, 0.0, 0.1, Suspicion.LIKELY),
        ("SSS", 0.0, 0.1, 0.0, Suspicion.LIKELY),
        ("SSS", 0.0, 0.3, 0.0, Suspicion.STARVED),
        ("SSS", 0.0, 0.0, 0.3, Suspicion.STARVED),
        ("SRS", 0.0, 0.0, 0.0, Suspicion.STARVED),
        ("SSD", 0.0, 0.0, 0.0, Suspicion.STARVED),
    ],
)
def test_what_the_figures_say(
    states: str, used_s: float | None, waited_s: float, late_s: float, found: Suspicion
) -> None:
    assert suspicion(Unanswered(states, used_s, waited_s, late_s)) is found


Start = Callable[[str], psutil.Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python on a program; each is ended with the test."""
    begun: list[psutil.Popen] = []

    def one(program: str) -> psutil.Process:
        begun.append(psutil.Popen([sys.executable, "-S", "-c", program], stdout=subprocess.DEVNULL))
        return begun[-1]

    yield one
    for process in begun:
        process.kill()
        process.wait()


def states(process: psutil.Process, *wanted: str) -> None:
    until_s = time.monotonic() + 30
    while process.status() not in wanted:
        assert time.monotonic() < until_s
        time.sleep(0.01)


def watched(process: psutil.Process, seconds: float) -> AnswerWatch:
    watch = AnswerWatch((process.pid, None))
    time.sleep(seconds)
    watch.look(seconds)
    return watch


def test_one_that_was_stopped_surely_hangs_however_busy_the_machine_is(start: Start) -> None:
    process = start(SPINS)
    process.suspend()
    states(process, psutil.STATUS_STOPPED)
    watch = watched(process, 0.1)
    assert suspicion(watch.seen()) is Suspicion.SURE
    assert not watch.starved


@idle_scheduling
def test_one_that_gets_no_cpu_does_not_hang(start: Start) -> None:
    process = start(SPINS)
    with starved(process.pid):
        assert watched(process, 0.5).starved


class Slot:
    """As much of a pool as is asked, with replicas that sleep."""

    def __init__(self, *processes: psutil.Process) -> None:
        self.slot = "blue"
        self.killed: list[str] = []
        self.ready: list[Member] = []
        for number, process in enumerate(processes, 1):
            live: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            live.set_result(True)
            ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            child = SimpleNamespace(process=process, worker=None, live=live, ended=ended)
            self.ready.append(Member(f"blue-{number}", ReplicaState.READY, child=child))  # type: ignore[arg-type]

    def resting(self, member: Member) -> bool:
        return False

    def kill(self, member: Member, why: str) -> None:
        self.killed.append(member.name)


async def rounds(checks: ReplicaChecks, slot: Slot, count: int = 1) -> None:
    """So often each replica is asked, three questions a time."""
    for _ in range(count):
        checks.check([slot])  # type: ignore[list-item]
        await asyncio.gather(*checks._checked.values())


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Callable[[Suspicion], None]:
    """No replica answers, and this is what is seen of each."""

    async def ask(*_: Any, **__: Any) -> None:
        raise Unreachable("no answer")

    monkeypatch.setattr(replica_checks, "ask", ask)
    monkeypatch.setattr(replica_checks, "ASK_S", 0.01)
    return lambda found: monkeypatch.setattr(replica_checks, "suspicion", lambda _: found)


@pytest.mark.parametrize(
    ("found", "killed"),
    [
        (Suspicion.BUSY, []),
        (Suspicion.STARVED, []),
        (Suspicion.LIKELY, ["blue-1"]),
        (Suspicion.SURE, ["blue-1", "blue-2"]),
    ],
)
async def test_of_two_that_fall_silent_at_once(
    start: Start, silent: Callable[[Suspicion], None], found: Suspicion, killed: list[str]
) -> None:
    silent(found)
    slot = Slot(start(SLEEPS), start(SLEEPS))
    await rounds(ReplicaChecks(lambda _: None), slot)
    assert slot.killed == killed


async def test_the_next_one_is_replaced_once_the_first_is_back(
    start: Start, silent: Callable[[Suspicion], None]
) -> None:
    silent(Suspicion.LIKELY)
    slot = Slot(start(SLEEPS), start(SLEEPS))
    checks = ReplicaChecks(lambda _: None)
    await rounds(checks, slot)
    first = slot.ready.pop(0)
    await rounds(checks, slot, 2)
    assert slot.killed == ["blue-1"]
    first.turn(ReplicaState.STARTING)
    await rounds(checks, slot)
    assert slot.killed == ["blue-1"]
    first.turn(ReplicaState.READY)
    await rounds(checks, slot)
    assert slot.killed == ["blue-1", "blue-2"]


async def test_of_one_that_gets_no_cpu_it_is_said_once(start: Start, silent: Callable[[Suspicion], None]) -> None:
    silent(Suspicion.STARVED)
    said: list[Noted] = []
    await rounds(ReplicaChecks(said.append), Slot(start(SLEEPS)), 3)
    (noted,) = said
    assert (noted.level, noted.slot, noted.source) == (Level.WARNING, "blue", "blue-1")
    assert "this machine has no CPU for it; it is left alone" in noted.text
