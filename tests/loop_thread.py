"""An event loop in a thread of its own, which tests call from theirs."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
TURNS = 10
"""A connection that was accepted at the very end is there some turns later, and closed at the turn after its end."""


class LoopThread:
    """It runs from `begin` to `end`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)

    def begin(self) -> None:
        """Run from now on."""
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """From another thread: do it on the loop and wait, a minute at most."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def do(self, function: Callable[[], T]) -> T:
        """From another thread: call it on the loop."""

        async def called() -> T:
            return function()

        return self.run(called())

    def end(self) -> None:
        """Cancel what still waits, hang up, and run no more."""
        try:
            self.run(_cancelled())
            self.run(self._hung_up())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    async def _hung_up(self) -> None:
        """A client that never answers a farewell would leave its connection to whatever runs after this."""
        for _ in range(TURNS):
            for transport in [*getattr(self._loop, "_transports", {}).values()]:
                transport.abort()
            await asyncio.sleep(0)


async def _cancelled() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
