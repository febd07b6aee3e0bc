"""Tasks that live as long as their owner: none ends in silence, and none outlives it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

CLOSE_S = 30.0
BACKOFF_S = (0.1, 0.5, 1.0, 5.0)
STEADY_S = 30.0
log = logging.getLogger("quarterdeck")


class TaskGuard:
    """Holds the tasks of one owner. `died` hears of each that ended by an error; it may end the owner."""

    def __init__(self, owner: str, died: Callable[[str, BaseException], None] | None = None) -> None:
        self.owner = owner
        self._died = died
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run something to its end; an error in it is logged and told."""
        task = asyncio.create_task(work, name=f"{self.owner}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, work: Callable[[], Awaitable[None]], name: str) -> asyncio.Task[Any]:
        """Run something for as long as the owner lives: where it ends by an error it is told and begins again."""
        return self.start(self._again(work, name), name)

    async def _again(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        loop, short_lives = asyncio.get_running_loop(), 0
        while True:
            begun_s = loop.time()
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self._tell(f"{self.owner}: {name}", error)
            short_lives = 0 if loop.time() - begun_s > STEADY_S else short_lives + 1
            await asyncio.sleep(BACKOFF_S[min(max(short_lives, 1), len(BACKOFF_S)) - 1])

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(task.get_name(), error)

    def _tell(self, name: str, error: BaseException) -> None:
        log.error("%s ended: %s: %s", name, type(error).__name__, error, exc_info=error)
        if self._died is not None:
            self._died(name, error)

    async def close(self, timeout_s: float = CLOSE_S) -> None:
        """End every task, and wait for that no longer than `timeout_s`."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
