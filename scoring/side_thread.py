"""What waits for another process is asked in a thread, so that pages and probes are answered meanwhile."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeAlias

Work: TypeAlias = Callable[[], Any]
Then: TypeAlias = Callable[[Any, BaseException | None], None]


class SideThread:
    """One thread, for one thing after the other."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = ThreadPoolExecutor(1, "model")

    def run(self, work: Work, then: Then) -> None:
        """Do it there, and call `then` in the loop with what it gave or raised."""
        self._thread.submit(self._do, work, then)

    def _do(self, work: Work, then: Then) -> None:
        found, failure = None, None
        try:
            found = work()
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):
            # A service that has ended waits for no answer.
            self._loop.call_soon_threadsafe(then, found, failure)
