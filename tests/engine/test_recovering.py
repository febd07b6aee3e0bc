"""A driver ends what one before it had begun at the target, release or not."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.domain.errors import Unreachable
from core.engine import recovering
from core.targets.fake.client import FakeTarget
from core.targets.kubernetes.client import KubernetesTarget
from core.targets.protocol import Recoverable, Target


class HalfDone(FakeTarget):
    """A place that answers from the third time on."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: asyncio.Queue[int] = asyncio.Queue()
        self.times = 0

    async def recover(self) -> None:
        """End it."""
        self.times += 1
        self.tries.put_nowait(self.times)
        if self.times < 3:
            raise Unreachable("no answer from there")


@asynccontextmanager
async def _recovering(target: Target, synced: asyncio.Event) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(recovering.recover(target, "iris", synced))
    yield task
    task.cancel()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovering, "FIRST_S", 0.0)
    monkeypatch.setattr(recovering, "EVERY_S", 0.0)


async def test_what_is_left_is_ended_once_all_is_told_and_what_stands_in_the_way_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What another test has made of the project's own log is no matter of this one.
    monkeypatch.setattr(recovering, "log", logging.getLogger("what is left"))
    target, synced = HalfDone(), asyncio.Event()
    async with _recovering(target, synced):
        await asyncio.sleep(0)
        assert target.times == 0
        synced.set()
        for number in range(1, 5):
            assert await target.tries.get() == number
    assert [record.getMessage() for record in caplog.records if record.name == "what is left"] == [
        "iris: what an earlier driver had begun: no answer from there"
    ]


async def test_a_place_that_leaves_nothing_half_done_is_not_asked() -> None:
    async with _recovering(FakeTarget(), asyncio.Event()) as task:
        # It ends though nobody ever says that all is told.
        async with asyncio.timeout(5):
            assert await task is None  # type: ignore[func-returns-value]


def test_a_cluster_is_such_a_place() -> None:
    assert issubclass(KubernetesTarget, Recoverable)
