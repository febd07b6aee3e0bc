"""The child process as the engine sees it: what it says, how it dies, and that it never outlives its parent."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from core.domain.errors import BadData, Failed, Killed
from core.work import signs_of_life
from core.work.child import Done, Job, Progress, WorkChild
from core.work.signs_of_life import SignsOfLife
from tests.work.conftest import settings, work

DEADLINE_S = 60


def job(folder: Path, do: str, step: str = "odd", **changes: object) -> Job:
    return Job(step, folder / "r1", settings(folder, **changes), "r1", {"do": do})


@pytest.fixture
async def child(odd: WorkChild) -> AsyncIterator[WorkChild]:
    async with asyncio.timeout(DEADLINE_S):
        yield odd
        await odd.close()


async def gone(pid: int) -> None:
    """Wait until a process is no more."""
    async with asyncio.timeout(DEADLINE_S):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_library_that_prints_never_disturbs_the_protocol(child: WorkChild, tmp_path: Path) -> None:
    worked = await work(child, job(tmp_path, "print"))
    assert worked.result == {"numpy": 0.5}
    await child.close()  # stderr has a pipe of its own: what it holds may come after the end
    stray = {"printed by a library", "printed by Python", "complained"}
    assert stray <= set((tmp_path / "r1" / "work.log").read_text().splitlines())


async def test_a_warning_is_in_the_log_alone(child: WorkChild, tmp_path: Path) -> None:
    worked = await work(child, job(tmp_path, "warn"))
    await child.close()
    assert worked.lines == ["done by hand"]
    assert "FutureWarning: old spelling" in (tmp_path / "r1" / "work.log").read_text()


async def test_stdin_is_the_protocols(child: WorkChild, tmp_path: Path) -> None:
    assert (await work(child, job(tmp_path, "read"))).result == {"read": ""}


async def test_bad_data_is_bad_data_here_too(child: WorkChild, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"^late: no such column$"):
        await work(child, job(tmp_path, "bad data"))
    assert (await work(child, job(tmp_path, "where"))).done, "the child goes on after an error"


@pytest.mark.parametrize(
    ("do", "says"),
    [
        ("bug", "odd: KeyError: 'a slip of ours'"),
        ("no memory", "odd: out of memory; take fewer rows (data.rows)"),
        ("no file", "odd: No such file or directory: "),
    ],
)
async def test_whatever_goes_wrong_is_one_line(child: WorkChild, tmp_path: Path, do: str, says: str) -> None:
    with pytest.raises(Failed) as failed:
        await work(child, job(tmp_path, do))
    assert str(failed.value).startswith(says)
    assert "\n" not in str(failed.value)


async def test_a_child_that_dies_says_why_and_the_next_run_has_another(child: WorkChild, tmp_path: Path) -> None:
    first = (await work(child, job(tmp_path, "where"))).result["pid"]
    with pytest.raises(Failed, match="odd: the work process ended, killed by SIGKILL: the last words"):
        await work(child, job(tmp_path, "die"))
    with pytest.raises(Failed, match="odd: the work process ended, exit code 7 without a word"):
        await work(child, job(tmp_path, "die in silence"))
    assert (await work(child, job(tmp_path, "where"))).result["pid"] != first


async def test_cancel_kills_it_and_all_that_it_started_at_once(child: WorkChild, tmp_path: Path) -> None:
    saying = child.run(job(tmp_path, "fork"))
    async for said in saying:
        assert isinstance(said, Progress)
        grandchild = int(said.figures["child"])
        break
    async with asyncio.timeout(20):
        cancelling = asyncio.create_task(child.cancel())
        with pytest.raises(Failed, match=r"^odd: stopped$"):
            await anext(saying)
        await cancelling
        await gone(grandchild)


async def test_one_that_takes_long_to_end_keeps_nobody_waiting(
    child: WorkChild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = int((await work(child, job(tmp_path, "where"))).result["pid"])
    with monkeypatch.context() as patched:
        patched.setattr("core.work.child.KILL_DEADLINE_S", 0.0)
        await child.cancel()
    assert (await work(child, job(tmp_path, "where"))).result["pid"] != first
    await gone(first)


async def test_one_that_is_stopped_is_ended_and_may_be_begun_again(
    child: WorkChild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signs_of_life, "LOOK_S", 1.5)
    saying = child.run(job(tmp_path, "hang"))
    said = await anext(saying)
    assert isinstance(said, Progress)
    pid = int(said.figures["pid"])
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(Killed, match=r"^odd: the work process was ended, it hung: no word and no work for 4\.5 s$"):
        await anext(saying)
    await gone(pid)
    assert (await work(child, job(tmp_path, "where"))).result["pid"] != pid


async def test_one_whose_clock_alone_goes_on_is_ended_too(
    child: WorkChild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that wait for each other without end: the one that says for how long it goes on is none of them."""
    monkeypatch.setattr(signs_of_life, "LOOK_S", 1.5)
    with pytest.raises(Killed, match=r"^odd: the work process was ended, it hung: no word and no work for"):
        await work(child, job(tmp_path, "hang"))


def test_a_step_that_waits_for_others_lives_as_long_as_its_clock() -> None:
    inside, outside = SignsOfLife("train", 0.0), SignsOfLife("data", 0.0)
    for signs in (inside, outside):
        signs.spoke(5.0, again=True)
    assert (inside.due_s, outside.due_s) == (signs_of_life.LOOK_S, 5.0 + signs_of_life.LOOK_S)


async def test_one_that_says_nothing_while_it_works_is_waited_for(
    child: WorkChild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signs_of_life, "LOOK_S", 2.0)
    assert (await work(child, job(tmp_path, "compute"))).result["silent"] is True


async def test_who_stops_listening_kills_it(child: WorkChild, tmp_path: Path) -> None:
    async with contextlib.aclosing(child.run(job(tmp_path, "hang"))) as saying:  # type: ignore[type-var]
        async for said in saying:
            assert isinstance(said, Progress)
            pid = int(said.figures["pid"])
            break
    assert child.pid is None
    await gone(pid)


async def test_a_cancelled_task_kills_it(child: WorkChild, tmp_path: Path) -> None:
    hanging = asyncio.Event()

    async def listen() -> None:
        async for said in child.run(job(tmp_path, "hang")):
            if isinstance(said, Progress):
                hanging.set()

    task = asyncio.create_task(listen())
    await hanging.wait()
    task.cancel()
    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert child.pid is None


async def test_who_has_heard_the_end_may_ask_for_the_next_step_at_once(child: WorkChild, tmp_path: Path) -> None:
    async def figure() -> str:
        async for said in child.run(job(tmp_path, "where")):
            if isinstance(said, Done):
                return said.figure
        raise AssertionError("it ended without a result")

    first, pid = await figure(), child.pid
    assert (first, await figure(), child.pid) == ("here", "here", pid)


async def test_a_child_that_died_while_idle_is_replaced(child: WorkChild, tmp_path: Path) -> None:
    await work(child, job(tmp_path, "where"))
    pid, (words, _) = child.pid, child._pumps
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await words
    assert (await work(child, job(tmp_path, "where"))).result["pid"] != pid


async def test_two_starts_at_once_make_one_child(child: WorkChild, tmp_path: Path) -> None:
    before = len(psutil.Process().children())
    await asyncio.gather(child.start(), child.start())
    assert len(psutil.Process().children()) == before + 1


async def test_one_step_at_a_time(child: WorkChild, tmp_path: Path) -> None:
    async with contextlib.aclosing(child.run(job(tmp_path, "hang"))) as saying:  # type: ignore[type-var]
        async for _ in saying:
            with pytest.raises(RuntimeError, match="busy"):
                await work(child, job(tmp_path, "where"))
            break


async def test_training_past_its_deadline_is_stopped(child: WorkChild, tmp_path: Path) -> None:
    train = {"n_iter": 2, "cv_folds": 2, "deadline_s": 0.5}
    await child.start()
    with pytest.raises(Failed, match=r"train: not done within 0.5 s, so it was stopped"):
        await work(child, job(tmp_path, "hang", "train", train=train))
    assert child.pid is None


async def test_a_folder_that_cant_be_written_is_one_line(child: WorkChild, tmp_path: Path) -> None:
    (tmp_path / "r1").write_text("in the way")
    with pytest.raises(Failed, match=r"odd: .*File exists.*r1"):
        await work(child, job(tmp_path, "where"))


async def test_a_projects_own_pandas_py_is_not_taken_for_the_library(
    child: WorkChild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("raise SystemExit('the wrong core')")
    monkeypatch.chdir(tmp_path)
    assert "wrong" not in (await work(child, job(tmp_path, "where"))).result["core"]


async def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom core.work.child import WorkChild\n"
        "async def main():\n"
        "    child = WorkChild(); child.module = 'tests.work.odd'; await child.start()\n"
        "    print(child.pid, flush=True); await asyncio.sleep(60)\nasyncio.run(main())"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    try:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
    finally:
        parent.kill()
        parent.wait(DEADLINE_S)
        assert parent.stdout is not None
        parent.stdout.close()
    await gone(pid)


def test_a_child_whose_parent_is_gone_already_ends() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "core.work.worker", "1"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.strip() == "the parent is gone"


def test_the_engines_side_loads_nothing_heavy() -> None:
    script = (
        "import sys, core.work.child; "
        "print([name for name in ('mlflow', 'xgboost', 'sklearn', 'pandas', 'numpy', 'scipy') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert loaded.stdout.strip() == "[]"
