"""How a load ended is part of what it came to: Locust says of each of these that all is well."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from core.config.profiles import profile
from core.domain.gates import Gate, GateResult
from core.load import run_clock
from core.load.child import LoadRun
from core.load.command import LocustSettings, new_folder
from core.load.load import LoadResult
from core.load.verdicts import verdicts
from tests.load.conftest import Serve
from tests.load.test_run import until

LIMITS = (Gate("failed_percent", "<", 1.0, at_least=1),)
USER = """
from locust import FastHttpUser, LoadTestShape, constant, events, task

class Someone(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def ask(self):
        self.client.get("/ask")
"""


def locustfile(folder: Path, more: str = "", user: str = USER) -> Path:
    """A stranger's file."""
    file = folder / "theirs.py"
    file.write_text(user + more)
    return file


async def ended(run: LoadRun) -> LoadResult:
    """What it came to; every end here comes by itself."""
    async with asyncio.timeout(60):
        return await run.wait()


def outcome(result: LoadResult) -> tuple[str, str]:
    """What its end is worth, and why."""
    complete = verdicts(result, LIMITS)[0]
    assert complete.gate.name == "complete"
    return complete.outcome.value, complete.why


async def busy(run: LoadRun) -> int:
    """Its process, once it has sent something."""
    await until(run, run.samples(), lambda sample: sample.requests > 0)
    assert run.pid is not None
    return run.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_a_locust_that_is_killed_before_its_time_fails(number: signal.Signals, serve: Serve, rows: Path) -> None:
    settings = LocustSettings(serve(), rows.parent / "run", rows)
    async with LoadRun(profile("steady", users=5, duration_s=60), settings) as run:
        os.kill(await busy(run), number)
        result = await ended(run)
    assert result.how == "killed"
    assert number.name in result.why
    assert (result.total.failures, result.wanted_s) == (0, 60)
    assert result.ran_s < 30
    word, why = outcome(result)
    assert (word, why.split(":")[0]) == ("FAIL", f"{result.ran_s:.0f} of 60 s")


async def test_a_locust_that_hangs_is_killed_and_fails(
    serve: Serve, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_clock, "SILENT_LOOKS", 3)
    settings = LocustSettings(serve(), rows.parent / "run", rows, processes=1)
    async with LoadRun(profile("steady", users=5, duration_s=None), settings) as run:
        pid = await busy(run)
        os.kill(pid, signal.SIGSTOP)
        result = await ended(run)
    assert (result.how, result.why) == ("hung", "it hung: nothing was heard of it for 3 s")
    assert not psutil.pid_exists(pid)
    assert outcome(result)[0] == "FAIL"


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_worker_that_dies_or_hangs_ends_the_run(number: signal.Signals, serve: Serve, rows: Path) -> None:
    settings = LocustSettings(serve(), rows.parent / "run", rows, processes=2)
    async with LoadRun(profile("steady", users=4, spawn_rate=10, duration_s=60), settings) as run:
        worker = psutil.Process(await busy(run)).children()[0]
        worker.send_signal(number)
        result = await ended(run)
    assert (result.how, result.why) == ("killed", "a worker of Locust's died or hung")
    assert outcome(result)[0] == "FAIL"
    # A process that was told to end is there for a moment more.
    _, left = await asyncio.to_thread(psutil.wait_procs, [worker], 10)
    assert all(one.status() == psutil.STATUS_ZOMBIE for one in left)


async def test_a_locustfile_that_is_not_content_fails_a_run_that_was_quick_and_whole(
    serve: Serve, tmp_path: Path
) -> None:
    unhappy = "\n@events.quitting.add_listener\ndef judge(environment, **_):\n    environment.process_exit_code = 3\n"
    settings = LocustSettings(serve(), tmp_path / "run", locustfile=locustfile(tmp_path, unhappy))
    async with LoadRun(profile("steady", users=2, duration_s=1.5), settings) as run:
        result = await ended(run)
    assert (result.how, result.exit_code) == ("finished", 3)
    word, why = outcome(result)
    assert word == "FAIL"
    assert why.endswith("of 1.5 s; Locust ended with exit code 3")


async def test_a_locustfile_that_ends_the_run_early_fails(serve: Serve, tmp_path: Path) -> None:
    quits = (
        "\nimport gevent\n@events.test_start.add_listener\ndef quit(environment, **_):\n"
        "    gevent.spawn_later(1.5, environment.runner.quit)\n"
    )
    settings = LocustSettings(serve(), tmp_path / "run", locustfile=locustfile(tmp_path, quits))
    async with LoadRun(profile("steady", users=2, duration_s=60), settings) as run:
        result = await ended(run)
    assert (result.how, result.why) == ("exited", "the locustfile ended it")
    assert outcome(result)[0] == "FAIL"


async def test_a_shape_that_breaks_fails(serve: Serve, tmp_path: Path) -> None:
    shape = (
        "\nclass Broken(LoadTestShape):\n    def tick(self):\n"
        "        return (2, 2) if self.get_run_time() < 1 else {}['x']\n"
    )
    settings = LocustSettings(serve(), tmp_path / "run", locustfile=locustfile(tmp_path, shape))
    async with LoadRun(profile("steady"), settings) as run:
        result = await ended(run)
    assert (result.how, result.why) == ("exited", "the shape Broken broke: KeyError: 'x'")
    assert outcome(result)[0] == "FAIL"


async def test_exceptions_of_user_code_are_counted_by_kind_and_fail(serve: Serve, tmp_path: Path) -> None:
    raises = "\n    @task(5)\n    def stumble(self):\n        raise KeyError('\\x1b[2Jno\\u202ebody')\n"
    settings = LocustSettings(serve(), tmp_path / "run", locustfile=locustfile(tmp_path, raises))
    async with LoadRun(profile("steady", users=10, spawn_rate=10, duration_s=2), settings) as run:
        result = await ended(run)
    assert result.total.failures == 0
    (kind,) = result.total.errors
    assert kind.isprintable()
    assert kind.startswith("KeyError: ")
    judged = {verdict.gate.name: verdict for verdict in verdicts(result, LIMITS)}
    assert {name: verdict.outcome for name, verdict in judged.items()} == {
        "complete": GateResult.PASS,
        "errors": GateResult.PASS,
        "exceptions": GateResult.FAIL,
    }
    assert kind in judged["exceptions"].why


def test_two_runs_of_one_second_share_no_folder(tmp_path: Path) -> None:
    folders = [new_folder(tmp_path / "load", "20260101-000000-test") for _ in range(3)]
    assert [folder.name.removeprefix("20260101-000000-test") for folder in folders] == ["", "-2", "-3"]
