"""What the tests of killed processes share: a project run by the real command, its processes by role, its users."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from core.domain.errors import Unreachable
from core.domain.plan import Hold, Shift, title
from core.journal.journal import Journal
from core.state.fold import fold
from core.state.snapshot import Release, Snapshot
from core.targets.local.http import Connection

DEADLINE_S = 60.0
LOOK_S = 0.01
QUICK = (
    "train.n_iter=2",
    "train.cv_folds=2",
    "release.steps=[10,100]",
    "release.hold_s=2",
    "release.background.users=0",
    "load.users=10",
    "load.spawn_rate=10",
    "load.duration_s=2",
)
"""The tests bring users of their own: starting Locust for each hold costs seconds."""
ROW = b'{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'
MARK = "SCENE_OF_THIS_TEST"
ROLES = {
    "core.watch.main": "watch",
    "core.work.worker": "work",
    "core.targets.local.host": "host",
    "core.targets.local.zygote": "replica",
    "locust": "locust",
}


def wait_for(true: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Poll until something is true; what it was is given."""
    until_s = time.monotonic() + deadline_s
    while not (found := true()):
        if time.monotonic() > until_s:
            raise AssertionError(f"did not come within {deadline_s:g} s: {what}")
        time.sleep(LOOK_S)
    return found


@dataclass(slots=True)
class Call:
    """One `quarterdeck` in another process, its lines as they come."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None

    @property
    def text(self) -> str:
        """Everything it said."""
        return "\n".join(self.lines)

    def ends(self, deadline_s: float = DEADLINE_S) -> int:
        """Its exit code."""
        try:
            code = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline_s:g} s:\n{self.text}") from None
        if self.reader is not None:
            self.reader.join(deadline_s)
        return code

    def says(self, part: str, deadline_s: float = DEADLINE_S) -> str:
        """Wait for a line with this in it."""

        def found() -> str | None:
            return next((line for line in list(self.lines) if part in line), None)

        return str(wait_for(found, f"{part!r} among\n{self.text}", deadline_s))

    def read(self) -> None:
        """Take its lines until it has ended."""
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for line in stdout:
                self.lines.append(line.rstrip())


class Scene:
    """A project of iris in a folder. `with` ends every process that was started for it."""

    def __init__(self, folder: Path, sets: Sequence[str] = QUICK) -> None:
        self.folder = folder
        self.sets = tuple(sets)
        self.mark = uuid.uuid4().hex
        self.calls: list[Call] = []
        self._journal: Journal | None = None
        self._snapshot = Snapshot()

    def __enter__(self) -> Self:
        code = self.call("init", str(self.folder), "--sample", "iris", cwd=self.folder.parent, sets=()).ends()
        assert code == 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()
        for process in self.processes():
            kill(process)
        for call in self.calls:
            call.ends()

    # The command

    def call(self, *arguments: str, cwd: Path | None = None, sets: Sequence[str] | None = None) -> Call:
        """Start a command."""
        given = self.sets if sets is None else sets
        flags = [part for one in given for part in ("--set", one)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tui.cli", *arguments, *flags],
            cwd=cwd or self.folder,
            env={**os.environ, MARK: self.mark, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        call = Call(process)
        call.reader = threading.Thread(target=call.read, daemon=True)
        call.reader.start()
        self.calls.append(call)
        return call

    def run(self, *arguments: str, deadline_s: float = DEADLINE_S) -> Call:
        """Run a command to its end."""
        call = self.call(*arguments)
        call.ends(deadline_s)
        return call

    # What is true

    @property
    def snapshot(self) -> Snapshot:
        """The journal, folded as far as it goes."""
        if self._journal is None:
            self._journal = Journal(self.folder / ".quarterdeck" / "journal.db", read_only=True)
        while batch := self._journal.read(self._snapshot.seq):
            for event in batch:
                self._snapshot = fold(self._snapshot, event)
        return self._snapshot

    @property
    def release(self) -> Release:
        """The newest."""
        return list(self.snapshot.releases.values())[-1]

    @property
    def at(self) -> str:
        """The step that the release under way is in, with the traffic it has: `hold 10`; empty without one."""
        live = self.snapshot.live_release("iris")
        if live is None or live.current is None or live.current.started_at is None:
            return ""
        return named(live)

    def reaches(self, step: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until the release under way is in a step."""
        wait_for(lambda: self.at == step, f"{step}; now at {self.at!r}", deadline_s)

    @property
    def port(self) -> int:
        """Where the endpoint answers."""
        return int(str(self.snapshot.endpoints["iris"].url).rsplit(":", 1)[1])

    def whole(self) -> int:
        """The journal is sound and every event folds; gives how many there are."""
        database = sqlite3.connect(self.folder / ".quarterdeck" / "journal.db", timeout=10)
        try:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
            count = int(database.execute("select count(*) from events").fetchone()[0])
        finally:
            database.close()
        journal = Journal(self.folder / ".quarterdeck" / "journal.db", read_only=True)
        try:
            snapshot, folded = Snapshot(), 0
            while batch := journal.read(snapshot.seq):
                for event in batch:
                    snapshot, folded = fold(snapshot, event), folded + 1
        finally:
            journal.close()
        assert folded == count
        return count

    # Processes

    def processes(self) -> list[psutil.Process]:
        """Every process that was started for this scene, however far down."""
        return [process for process in psutil.process_iter() if environment(process).get(MARK) == self.mark]

    def roles(self) -> Mapping[str, list[psutil.Process]]:
        """They, by what they are for. A replica is a child of the one that forks them."""
        found: dict[str, list[psutil.Process]] = {}
        for process in self.processes():
            try:
                words, parent = process.cmdline(), process.parent()
                role = next((role for word, role in ROLES.items() if any(word in part for part in words)), "")
                if "envoy" in process.name():
                    role = "router"
                elif role == "replica" and (parent is None or "zygote" not in " ".join(parent.cmdline())):
                    role = "zygote"
            except psutil.Error:
                continue
            found.setdefault(role or f"command {words[3] if len(words) > 3 else words}", []).append(process)
        return found

    def left(self, *expected: str) -> list[str]:
        """What runs besides these roles, once those that are ending have ended."""
        until_s = time.monotonic() + 10
        while True:
            over = [f"{role} {[p.pid for p in some]}" for role, some in self.roles().items() if role not in expected]
            if not over or time.monotonic() > until_s:
                return over
            time.sleep(0.1)


def named(release: Release) -> str:
    """Where a release is: its step's title, with the share of a shift and of the hold after it."""
    if release.current is None:
        return "end"
    step = release.current.step
    if not isinstance(step, Shift | Hold):
        return title(step)
    reached = [one.percent for one in release.plan.steps[: release.index + 1] if isinstance(one, Shift)]
    return f"{title(step)} {reached[-1]:g}"


def environment(process: psutil.Process) -> Mapping[str, str]:
    """Of another process; empty when it has ended or is not ours to see."""
    try:
        return process.environ() if process.status() != psutil.STATUS_ZOMBIE else {}
    except (psutil.Error, OSError):
        return {}


def kill(process: psutil.Process | subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process that may have ended already."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's end."""

    at: float
    why: str
    version: str


class Users:
    """Some users at a port, on a thread of their own; each asks again a moment after it was answered."""

    def __init__(self, port: int, users: int = 6, pause_s: float = 0.02) -> None:
        self.port = port
        self.users = users
        self.pause_s = pause_s
        self.answers: list[Answer] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def failed(self, since: float = 0.0) -> list[Answer]:
        """The requests that were not answered by a prediction."""
        return [answer for answer in list(self.answers) if answer.why and answer.at >= since]

    def back(self, since: float, answers: int = 50, deadline_s: float = DEADLINE_S) -> float:
        """Wait for so many good answers in a row after a moment; how long after it the last failure came, in s."""

        def good() -> bool:
            new = [answer for answer in list(self.answers) if answer.at >= since]
            return len(new) >= answers and not any(answer.why for answer in new[-answers:])

        wait_for(good, f"answers; the last {self.answers[-3:]}", deadline_s)
        return max((answer.at - since for answer in self.failed(since)), default=0.0)

    def _run(self) -> None:
        self._loop.run_until_complete(self._all())
        self._loop.close()

    async def _all(self) -> None:
        tasks = [asyncio.create_task(self._user()) for _ in range(self.users)]
        await self._stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # A connection that was hung up is closed at the next turn.

    async def _user(self) -> None:
        lines: list[Connection] = []
        try:
            await self._ask(lines)
        finally:
            for line in lines:
                line.close()

    async def _ask(self, lines: list[Connection]) -> None:
        """Again and again, over one connection as long as it lasts."""
        while True:
            version, why = "", ""
            try:
                async with asyncio.timeout(5):
                    if not lines:
                        lines.append(await Connection.open(("127.0.0.1", self.port)))
                    answer = await lines[0].ask("/predict", {"content-type": "application/json"}, "POST", ROW)
                if answer.status == 200:
                    version = answer.headers.get("x-model-version", "")
                else:
                    why = f"{answer.status} {answer.body.decode()[:60]}"
                over = answer.headers.get("connection") == "close"
            except (OSError, Unreachable, TimeoutError) as error:
                why, over = f"{type(error).__name__} {error}", True
            self.answers.append(Answer(time.time(), why, version))
            if over and lines:
                lines.pop().close()
            await asyncio.sleep(self.pause_s)
