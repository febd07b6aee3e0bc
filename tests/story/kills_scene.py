"""What the tests of killed processes share: a project run by the real command, what is true in it, what runs for it."""

import contextlib
import os
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

from core.domain.plan import Hold, Shift, title
from core.journal.journal import Journal
from core.state.events import Event
from core.state.fold import fold
from core.state.release import Release
from core.state.snapshot import Snapshot
from tests.story.roles import MARK, by_role, kill, marked, of_slot

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
COMMAND = Path(sys.executable).with_name("quarterdeck")
"""The command as it is installed: `python -m` would put the project's folder first on the path of modules."""


def wait_for(true: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S, look_s: float = LOOK_S) -> Any:
    """Poll until something is true; what it was is given."""
    until_s = time.monotonic() + deadline_s
    while not (found := true()):
        if time.monotonic() > until_s:
            raise AssertionError(f"did not come within {deadline_s:g} s: {what}")
        time.sleep(look_s)
    return found


@dataclass(slots=True)
class Call:
    """One `quarterdeck` in another process, its lines as they come."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None
    terminal: int | None = None

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
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None
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

    def __init__(self, folder: Path, sets: Sequence[str] = QUICK, registry: Path | None = None) -> None:
        self.folder = folder
        self.registry = registry or folder / ".quarterdeck" / "mlflow.db"
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

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of whatever is started for this scene; an empty variable is not there at all."""
        paths = {
            "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        given = {**os.environ, **paths, MARK: self.mark, "COLUMNS": "200", **more}
        return {name: value for name, value in given.items() if value}

    def named_registry(self) -> dict[str, str]:
        """The variable by which a shell names the registry, where it is not the project's own."""
        return {"MLFLOW_TRACKING_URI": f"sqlite:///{self.registry}"}

    def flags(self, sets: Sequence[str] | None = None) -> list[str]:
        """The settings of the scene as the command takes them."""
        return [part for one in (self.sets if sets is None else sets) for part in ("--set", one)]

    def call(
        self,
        *arguments: str,
        cwd: Path | None = None,
        sets: Sequence[str] | None = None,
        terminal: bool = False,
        **env: str,
    ) -> Call:
        """Start a command; one that hears a `terminal` may ask, and waits for who answers elsewhere."""
        theirs, ours = os.openpty() if terminal else (None, subprocess.DEVNULL)
        process = subprocess.Popen(
            [str(COMMAND), *arguments, *self.flags(sets)],
            cwd=cwd or self.folder,
            env=self.environ(PYTHONUNBUFFERED="1", **env),
            stdin=ours,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if terminal:
            os.close(ours)
        call = Call(process, terminal=theirs)
        call.reader = threading.Thread(target=call.read, daemon=True)
        call.reader.start()
        self.calls.append(call)
        return call

    def run(self, *arguments: str, deadline_s: float = DEADLINE_S, **env: str) -> Call:
        """Run a command to its end."""
        call = self.call(*arguments, cwd=None, sets=None, terminal=False, **env)
        call.ends(deadline_s)
        return call

    def end_calls(self) -> None:
        """Kill the commands that a failed test left running: the next one must not meet them."""
        for call in self.calls:
            if call.process.poll() is None:
                kill(call.process)
                call.ends()

    def shell(self, script: str, deadline_s: float = DEADLINE_S) -> subprocess.CompletedProcess[str]:
        """Run a line of bash in the project's folder, `$SETS` being its settings; its code is the command's own."""
        return subprocess.run(
            ["bash", "-c", f"{script}\nexit ${{PIPESTATUS[0]}}"],
            check=False,
            cwd=self.folder,
            env=self.environ(SETS=" ".join(self.flags())),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=deadline_s,
        )

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

    def saw(self, kind: type[object], after: int) -> int:
        """How many events of a kind came after a place in the journal."""
        return sum(isinstance(event.body, kind) for event in self.events(after))

    def events(self, after: int = 0) -> list[Event]:
        """All that is in the journal after a place."""
        found: list[Event] = []
        with contextlib.closing(Journal(self.folder / ".quarterdeck" / "journal.db", read_only=True)) as journal:
            while batch := journal.read(after):
                found += batch
                after = batch[-1].seq
        return found

    def settles(self, deadline_s: float = DEADLINE_S) -> None:
        """Wait until no release is under way."""
        wait_for(lambda: self.snapshot.live_release("iris") is None, "the end of what is under way", deadline_s)

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
        path = self.folder / ".quarterdeck" / "journal.db"
        snapshot, folded = Snapshot(), 0
        with contextlib.closing(Journal(path, read_only=True)) as journal:
            while batch := journal.read(snapshot.seq):
                for event in batch:
                    snapshot, folded = fold(snapshot, event), folded + 1
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
            # Somebody may be writing on.
            count = database.execute("select count(*) from events where seq <= ?", (snapshot.seq,)).fetchone()
        assert (folded,) == count
        return folded

    # Processes

    def processes(self) -> list[psutil.Process]:
        """Every process that was started for this scene, however far down."""
        return marked(self.mark)

    def roles(self) -> Mapping[str, list[psutil.Process]]:
        """They, by what they are for. A replica is a child of the one that forks them."""
        return by_role(self.processes())

    def standby(self) -> list[psutil.Process]:
        """The processes of the slot that takes no traffic: the parent of its replicas, and they."""
        weights = self.snapshot.endpoints["iris"].weights
        idle = next(slot for slot in self.snapshot.endpoints["iris"].slots if not weights.get(slot))
        return of_slot(self.roles().get("zygote", []), idle)

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
