"""`quarterdeck load`: its lines, its verdicts, its exit code; wrong usage is found before anything begins."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.config.scaffold import init
from core.domain.errors import BadInput
from core.domain.load_profile import LoadOutcome, LoadProfile
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import events as ev
from core.system.processes import child_environment, python, whoami
from tests.environments import Bridge, FakeLoad, bodies, sample, serve, until
from tui import load_command
from tui.headless import INTERRUPTED

PROFILE = LoadProfile("steady", 5, 5.0, 20.0)
DEADLINE_S = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that serves nothing yet, with what people hand over by mistake."""
    path = tmp_path_factory.mktemp("load") / "flights"
    init(path, "flights", None, None)
    (path / "none.py").write_text("import json\n")
    (path / "raises.py").write_text("raise ValueError('no \\x1b[31mlicence')\n")
    (path / "leaves.py").write_text("import sys\nsys.exit('no licence today')\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--profile", "stedy"), "load profile 'stedy' is none of "),
        (("--users", "0"), "users is 0; it takes 1 or more"),
        (("--seconds", "-3"), "duration_s is -3; it takes more than 0, or none"),
        (("--locustfile", "gone.py"), "/gone.py: there is no such locustfile"),
        (("--locustfile", "none.py"), "/none.py: no user class in it"),
        (("--locustfile", "raises.py"), "/raises.py:1: ValueError: no licence"),
        (("--locustfile", "leaves.py"), "its last words: no licence today"),
        (("--attach", "http://127.0.0.1:9"), "http://127.0.0.1:9: Locust's page does not answer"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_no_verdict(folder: Path, arguments: tuple[str, ...], says: str) -> None:
    told = subprocess.run(
        [*python("tui.start"), "load", *arguments],
        env=child_environment(),
        cwd=folder,
        check=False,
        timeout=DEADLINE_S,
        capture_output=True,
        text=True,
    )
    assert (told.returncode, told.stdout) == (2, "")
    assert says in told.stderr
    assert told.stderr.count("\n") == 1
    assert "\x1b" not in told.stderr
    assert not (folder / ".quarterdeck" / "journal.db").exists(), "nothing was begun"


class Terminal:
    """The command in this process, over a place where the model serves and a load that the test speaks for."""

    def __init__(self, folder: Path, store: Bridge, engine: Engine) -> None:
        self.project = Project(folder)
        self.store = store
        self.engine = engine
        self.lines: list[str] = []

    def call(self, stay: bool = False, profile: LoadProfile = PROFILE) -> asyncio.Task[int]:
        """As it is called."""
        source = load_command.source_of(self.project.settings, "", "", False)
        work = load_command.load(self.project, profile, source, self.lines.append, stay)
        return asyncio.create_task(work)

    async def load(self) -> FakeLoad:
        """The load that was begun, once it is being followed."""
        async with asyncio.timeout(10):
            while not (found := [load for site in self.store.sites for load in site.loads]):
                await self.engine.change(0.1)
            found[-1].wanted_s = found[-1].profile.duration_s
            found[-1].push(sample(None))
            while not any("requests a second" in line for line in self.lines):
                await self.engine.change(0.1)
        return found[-1]

    def verdicts(self) -> list[str]:
        """The lines with a verdict, cut to glyph and gate."""
        return [" ".join(line.split()[:2]) for line in self.lines if line[0] in "✔✖?!"]


@pytest.fixture
async def terminal(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Terminal]:
    store = Bridge(tmp_path)
    journal = store.journal()
    monkeypatch.setattr(load_command, "endpoint_name", lambda _: "late")

    async def no_watch(*_: object) -> None:
        return

    async with store.engine(journal) as engine:
        await serve(engine)

        @contextlib.asynccontextmanager
        async def opened(_: Project) -> AsyncIterator[Engine]:
            yield engine

        monkeypatch.setattr(load_command, "opened", opened)
        monkeypatch.setattr(load_command, "have_watch", no_watch)
        yield Terminal(folder, store, engine)
    journal.close()


async def test_a_load_that_ran_its_time_within_the_limits_is_exit_code_0(terminal: Terminal) -> None:
    called = terminal.call()
    load = await terminal.load()
    for _ in range(19):
        load.push(sample(None))
    load.end()
    assert await called == 0
    assert terminal.verdicts() == ["✔ complete", "✔ errors", "✔ p50", "✔ p95", "✔ exceptions"]
    (began,) = bodies(terminal.engine._journal, ev.LoadStarted)
    assert began.by == whoami()
    assert [gate.metric for gate in began.limits] == ["failed_percent", "p50_ms", "p95_ms"]
    assert began.source.processes == 1, "what the project says now goes along"


@pytest.mark.parametrize("how", ["killed", "hung", "exited", "gone"])
async def test_a_load_that_ended_before_its_time_never_passes(terminal: Terminal, how: str) -> None:
    called = terminal.call()
    load = await terminal.load()
    for _ in range(3):
        load.push(sample(None))
    load.how, load.why = LoadOutcome(how), f"Locust was {how}"
    load.end()
    assert await called == 1
    assert f"✖ complete 4 of 20 s: Locust was {how}" in terminal.lines


async def test_exceptions_and_kinds_of_failure_are_in_its_lines_and_its_verdict(terminal: Terminal) -> None:
    called = terminal.call()
    load = await terminal.load()
    for _ in range(19):
        load.push(replace(sample(None, 99, 1), errors={"KeyError: 'nobody'": 400}))
    load.end()
    assert await called == 1
    assert terminal.verdicts() == ["✔ complete", "✔ errors", "✔ p50", "✔ p95", "✖ exceptions"]
    said = "\n".join(terminal.lines)
    assert ", 400 exceptions, p95" in said
    assert "7,600 exceptions: KeyError: 'nobody' (7,600)" in said
    assert "19 failed: 500 (19)" in said


async def test_ctrl_c_ends_it_in_good_order_and_a_test_that_was_stopped_is_no_pass(terminal: Terminal) -> None:
    called = terminal.call()
    load = await terminal.load()
    os.kill(os.getpid(), signal.SIGINT)
    assert await called == 1
    assert ("stop",) in load.asked
    assert "? complete 1 of 20 s: stopped by ada" in terminal.lines


async def test_without_a_time_of_its_own_a_stop_is_its_end(terminal: Terminal) -> None:
    called = terminal.call(profile=replace(PROFILE, duration_s=None))
    await terminal.load()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await called == 0
    assert "✔ complete 1 s: stopped by ada" in terminal.lines


async def test_a_second_ctrl_c_leaves_at_once(terminal: Terminal) -> None:
    called = terminal.call()
    load = await terminal.load()
    load.end = lambda: None  # type: ignore[method-assign]
    os.kill(os.getpid(), signal.SIGINT)
    await until(terminal.engine, lambda s: s.endpoints["late"].load.stop)  # type: ignore[union-attr]
    assert not called.done()
    os.kill(os.getpid(), signal.SIGINT)
    assert await called == INTERRUPTED


async def test_one_that_is_to_stay_goes_on_and_is_ended_by_its_own_command(terminal: Terminal) -> None:
    called = terminal.call(stay=True, profile=replace(PROFILE, duration_s=None))
    load = await terminal.load()
    os.kill(os.getpid(), signal.SIGHUP)
    assert await called == INTERRUPTED
    assert terminal.lines[-1] == f"the load goes on; 'X' on the deck or {terminal.project.typed('load --stop')} ends it"
    assert not load.closed
    assert await load_command.stop(terminal.project, terminal.lines.append) == 0
    await until(terminal.engine, lambda s: not s.endpoints["late"].load.running)  # type: ignore[union-attr]
    assert load.closed


async def test_a_load_that_nobody_drives_any_more_is_driven_again(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_command, "LOOK_S", 0.05)
    called = terminal.call()
    await terminal.load()
    killed = terminal.engine.leadership.drivers.pop("late")
    killed.task.cancel()
    await asyncio.wait({killed.task})
    terminal.engine._journal.let_go(killed.driver.lease)
    async with asyncio.timeout(10):
        while sum(len(site.loads) for site in terminal.store.sites) < 2:
            await terminal.engine.change(0.1)
    (load,) = terminal.store.sites[-1].loads
    for _ in range(20):
        load.push(sample(None))
    load.end()
    assert await called == 0
    assert "manual load begins again: who sent it had gone" in "\n".join(terminal.lines)


async def test_what_turns_out_wrong_only_when_it_begins_is_wrong_usage_too(terminal: Terminal) -> None:
    terminal.store.sites[-1].faults["load"] = [BadInput("rows.jsonl: there is no such file of rows")]
    assert await terminal.call() == 2
    assert terminal.verdicts() == []
