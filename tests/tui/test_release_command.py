"""`quarterdeck release`: when it ends, somebody steers what it has released."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from core.config.planner import Wishes
from core.config.scaffold import init
from core.domain.errors import Failed
from core.domain.strategies import all_at_once
from core.engine import leadership
from core.engine.project import Project
from core.system.processes import ProcessId, ended
from tests.environments import V1, Bridge, begin, rollout
from tui import release_command
from tui.headless import INTERRUPTED, watch_of


@pytest.mark.parametrize(("code", "followed"), [(0, True), (1, True), (INTERRUPTED, False)])
async def test_a_watch_that_dies_in_the_last_moments_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, followed: bool
) -> None:
    """Nobody looks any more: until the next call a host that dies would stay so."""
    project = Project(init(tmp_path / "late", sample="iris"))
    first: list[ProcessId] = []

    async def begun(*_: object) -> str:
        return "r1"

    @contextlib.asynccontextmanager
    async def driven(*_: object) -> AsyncIterator[None]:
        yield

    async def dies(work: Coroutine[Any, Any, int], *_: object) -> int:
        work.close()
        who = watch_of(project).place.who()
        assert who is not None
        first.append(who)
        os.kill(who.pid, signal.SIGKILL)
        await ended(who)
        return code

    monkeypatch.setattr(release_command, "begun", begun)
    monkeypatch.setattr(release_command, "driven", driven)
    monkeypatch.setattr(release_command, "interruptible", dies)
    said: list[str] = []
    try:
        assert await release_command.release(project, Wishes(), said.append) == code
        status = await watch_of(project).status(5)
        assert (status is not None) is followed
        assert status is None or status.pid != first[0].pid
    finally:
        await watch_of(project).stop()
    assert said == []


async def test_a_report_that_hangs_is_said_and_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_command, "REPORT_S", 0.05)
    monkeypatch.setattr(leadership, "SETTLE_S", 0.05)
    store, said = Bridge(tmp_path), list[str]()

    async def hangs(*_: object) -> Path:
        await asyncio.Event().wait()
        raise AssertionError

    store.write_site = lambda site: setattr(site, "report", hangs)
    with contextlib.closing(store.journal()) as journal:
        async with store.engine(journal, "ada") as engine:
            await engine.do(begin(V1, all_at_once((), rollout())))
            assert await release_command._follow(engine, {"late": "r1"}, 0, said.append) == 1
    assert said[-2:] == [
        "done: late v1 on late",
        "pending: its report is not written after 0.05 s; see 'quarterdeck status'",
    ]


async def test_a_report_that_can_not_be_written_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "SETTLE_S", 0.05)
    store, said = Bridge(tmp_path), list[str]()

    async def full(*_: object) -> Path:
        raise Failed("the report can't be written: No space left on device")

    store.write_site = lambda site: setattr(site, "report", full)
    with contextlib.closing(store.journal()) as journal:
        async with store.engine(journal, "ada") as engine:
            await engine.do(begin(V1, all_at_once((), rollout())))
            assert await release_command._follow(engine, {"late": "r1"}, 0, said.append) == 1
    assert "done: late v1 on late" in said
    assert any("No space left on device" in line and "pending" in line for line in said), said
