"""Locust for real, against a real server, steered and watched from outside."""

import asyncio
import csv
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import psutil
import pytest

from core.config.profiles import profile
from core.domain.errors import BadInput, Refused
from core.domain.load_profile import LoadStage
from core.domain.sample import Sample
from core.load.child import LoadRun, start
from core.load.command import ARTIFACTS, LOG, OUTPUT, LocustSettings
from core.load.load import RunningLoad
from tests.load.conftest import Serve

STRANGER = Path(__file__).with_name("stranger.py")


async def until(run: RunningLoad, samples: AsyncIterator[Sample], seen: Callable[[Sample], bool]) -> Sample:
    """The first sample that shows it."""
    async with asyncio.timeout(60):
        async for sample in samples:
            if seen(sample):
                return sample
        result = await run.wait()
    raise AssertionError(f"the run ended before that was seen: {result.how}, {result.why}")


async def total(run: LoadRun) -> Sample:
    """All samples of a run, added up one by one."""
    return sum([sample async for sample in run.samples()], start=Sample(None, at=0.0, seconds=0.0))


def counts(folder: Path) -> tuple[int, int]:
    """Requests and failures as Locust's own file has them."""
    with (folder / ARTIFACTS[1]).open() as file:
        row = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    return int(row["Request Count"]), int(row["Failure Count"])


def gone(pid: int) -> bool:
    """The process and all that it started have ended."""
    try:
        psutil.Process(pid).wait(timeout=10)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


async def test_every_request_is_in_the_samples_and_in_locusts_own_files(
    serve: Serve, rows: Path, tmp_path: Path
) -> None:
    url, folder = serve(key="s3cret", break_every=10), tmp_path / "run"
    settings = LocustSettings(url, folder, rows, key="s3cret", headers={"x-slot": "green"})
    async with LoadRun(profile("steady", users=20, spawn_rate=20, duration_s=2.5), settings) as run:
        summed = await total(run)
        result = await run.wait()

    assert (summed.requests, summed.failures) == counts(folder) == (result.total.requests, result.total.failures)
    assert summed.requests > 150
    assert summed.failed == {"HTTP 500": summed.requests // 10}
    assert summed.mix == {"version:7": summed.ok, "label:late": summed.ok, "version:8": summed.failures}
    assert summed.latency.count == summed.requests
    assert (result.how, result.why) == ("finished", "it ran its 2.5 s")
    assert (result.exit_code, result.wanted_s) == (0, 2.5)
    assert result.ran_s > 2.4
    assert [file.name for file in result.artifacts] == list(ARTIFACTS)
    assert "s3cret" not in "".join(file.read_text() for file in folder.iterdir())
    assert "s3cret" not in repr(settings)


async def test_it_is_steered_while_it_runs_and_locusts_own_page_is_open(
    serve: Serve, rows: Path, tmp_path: Path
) -> None:
    settings = LocustSettings(serve(), tmp_path, rows, web=True)
    run = await start(profile("steady", users=3, spawn_rate=50, duration_s=None), settings)
    try:
        samples = run.samples()
        await until(run, samples, lambda sample: sample.users == 3)
        assert run.web_url is not None
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(run.web_url)).status_code == 200
        await run.users(9, 50)
        await until(run, samples, lambda sample: sample.users == 9)
        await run.pause()
        await run.pause()
        await until(run, samples, lambda sample: sample.users == 0)
        await run.users(6)
        await run.resume()
        await until(run, samples, lambda sample: sample.users == 6)
        with pytest.raises(BadInput, match="can't be had"):
            await run.users(-1)
        await run.reset()
        await run.stop()
        result = await run.wait()
        with pytest.raises(Refused, match="does not run"):
            await run.pause()
        await run.stop()
    finally:
        await run.close()

    assert (result.how, result.why) == ("stopped", "it was stopped")
    assert counts(tmp_path) == (result.total.requests, 0)
    assert result.total.requests < (await total(run)).requests
    assert result.artifacts[0].stat().st_size > 100_000


async def test_a_strangers_locustfile_with_a_shape_runs_unchanged(serve: Serve, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "core").mkdir(parents=True)
    (theirs / "core" / "__init__.py").write_text('HELLO = "hello from the stranger"\n')
    shutil.copy(STRANGER, theirs / "locustfile.py")
    settings = LocustSettings(serve(break_every=7), tmp_path / "run", locustfile=theirs / "locustfile.py")
    async with LoadRun(profile("steady", duration_s=1), settings) as run:
        with pytest.raises(Refused, match="the shape Stairs of the locustfile decides"):
            await run.users(50)
        samples = [sample async for sample in run.samples()]
        result = await run.wait()

    assert (result.total.requests, result.total.failures) == counts(tmp_path / "run")
    assert set(result.total.failed) == {"HTTP 500", "the score is missing"}
    assert result.total.errors.keys() == {"KeyError: 'nobody'"}
    assert result.total.latency.count < result.total.requests, "what is not timed is counted all the same"
    assert {4, 8} <= {sample.users for sample in samples}
    assert (result.how, result.why) == ("shape ended", "the shape Stairs came to its end")
    assert result.wanted_s is None
    output = (tmp_path / "run" / OUTPUT).read_text()
    assert output.startswith("hello from the stranger\nstopped at")


async def test_workers_lose_nothing_and_follow(serve: Serve, rows: Path, tmp_path: Path) -> None:
    settings = LocustSettings(serve(break_every=10), tmp_path, rows, processes=2)
    async with LoadRun(profile("steady", users=10, spawn_rate=2, duration_s=None), settings) as run:
        samples = run.samples()
        await until(run, samples, lambda sample: (sample.users or 0) >= 2)
        await run.users(16, 100)
        await until(run, samples, lambda sample: sample.users == 16)
        await run.users(4, 100)
        await until(run, samples, lambda sample: sample.users == 4)
        await run.stop()
        summed, result = await total(run), await run.wait()

    assert (summed.requests, summed.failures) == counts(tmp_path) == (result.total.requests, result.total.failures)
    assert summed.latency.count == summed.requests
    assert summed.mix["version:7"] == summed.ok
    assert result.exit_code == 0, (tmp_path / LOG).read_text()


async def test_a_step_profile_climbs_and_a_high_load_sends_batches(serve: Serve, rows: Path, tmp_path: Path) -> None:
    steps = (LoadStage(0, 2, 50), LoadStage(1.2, 7, 50))
    climb = profile("steps", stages=steps, duration_s=2.6, user_classes=("HighLoadUser",))
    async with LoadRun(climb, LocustSettings(serve(), tmp_path, rows)) as run:
        samples = [sample async for sample in run.samples()]
        result = await run.wait()
    assert samples[0].users == 2
    assert max(sample.users or 0 for sample in samples) == 7
    assert (result.total.requests, 0) == counts(tmp_path)
    assert result.total.rps > 300
    assert '"HighLoadUser": 7' in (tmp_path / LOG).read_text()


async def test_a_locust_that_is_killed_is_named_and_leaves_no_workers(serve: Serve, rows: Path, tmp_path: Path) -> None:
    settings = LocustSettings(serve(), tmp_path, rows, processes=2)
    async with LoadRun(profile("steady", users=2, duration_s=None), settings) as run:
        await until(run, run.samples(), lambda sample: sample.requests > 0)
        assert run.pid is not None
        workers = psutil.Process(run.pid).children()
        assert len(workers) == 2
        os.kill(run.pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            result = await run.wait()
        assert result.how == "killed"
        assert re.match(r"Locust was killed by SIGKILL; its last words: .*load_test_log\.txt", result.why)
        assert all(gone(worker.pid) for worker in workers)
        assert [sample async for sample in run.samples()]


async def test_it_is_cut_off_at_once_when_its_owner_is_cancelled(serve: Serve, rows: Path, tmp_path: Path) -> None:
    run = LoadRun(profile("steady", duration_s=None), LocustSettings(serve(), tmp_path, rows))

    async def own() -> None:
        async with run:
            await run.wait()

    owner = asyncio.create_task(own())
    await asyncio.wait_for(asyncio.shield(run.begun()), 30)
    assert run.pid is not None
    owner.cancel()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await owner
    assert gone(run.pid)


async def test_a_locustfile_that_will_not_stop_is_made_to(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.load.child.STOP_S", 0.3)
    monkeypatch.setattr("core.load.child.INTERRUPT_S", 0.3)
    stubborn = tmp_path / "stubborn.py"
    stubborn.write_text(
        "import signal\nfrom locust import User, task, constant, events\n"
        "class Idle(User):\n    wait_time = constant(0.1)\n    @task\n    def idle(self): pass\n"
        "@events.test_start.add_listener\ndef on_start(**_): signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "@events.test_stop.add_listener\ndef on_stop(**_):\n    while True: pass\n"
    )
    settings = LocustSettings(serve(), tmp_path / "run", locustfile=stubborn)
    async with LoadRun(profile("steady", duration_s=None), settings) as run:
        await run.stop()
        result = await run.wait()
    assert (result.how, result.why) == ("hung", "it did not stop within 0.3 s and was sent SIGKILL")


def test_it_dies_with_its_parent(serve: Serve, rows: Path, tmp_path: Path) -> None:
    engine = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom core.load.child import *\n"
        "from core.config.profiles import profile\n"
        "async def main():\n"
        "    settings = LocustSettings(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))\n"
        "    async with LoadRun(profile('steady', users=2, duration_s=None), settings) as run:\n"
        "        print(run.pid, flush=True)\n"
        "        await run.wait()\n"
        "asyncio.run(main())\n"
    )
    call = [sys.executable, "-c", engine, serve(), str(tmp_path / "run"), str(rows)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait(timeout=10)
    assert gone(pid)
