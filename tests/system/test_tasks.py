"""Tasks that are guarded."""

import asyncio

import pytest

from core.system import tasks
from core.system.tasks import TaskGuard


async def test_an_error_is_told_and_what_must_live_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "BACKOFF_S", (0.0,))
    told: list[str] = []
    twice, begun = asyncio.Event(), 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise ValueError("odd answer")
        twice.set()
        await asyncio.Event().wait()

    guard = TaskGuard("host", lambda name, error: told.append(f"{name}: {error}"))
    guard.keep(work, "sampling")
    async with asyncio.timeout(10):
        await twice.wait()
    assert told == ["host: sampling: odd answer"]
    await guard.close()


async def test_closing_ends_every_task_and_tells_of_none() -> None:
    told: list[str] = []
    guard = TaskGuard("deck", lambda name, _: told.append(name))
    running = [guard.start(asyncio.Event().wait(), "a"), guard.keep(asyncio.Event().wait, "b")]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await guard.close()
    assert all(task.cancelled() for task in running)
    assert told == []
