"""Large requests: scored one after the other, a slice of rows at a time, so that small ones go between.

Of those that wait only the bytes are kept, up to a bound; one alone is in memory as rows.
"""

import os
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from scoring.pace import Pace
from scoring.side_thread import SideThread, Work

LargeJob: TypeAlias = Generator[Work | None, Any, None]
"""A request: each step is one slice, or asks for work beside the loop and goes on with what came of it."""

SMALL_BYTES = 8 << 10
"""Up to here a request is scored together with the others of its turn."""
WAITING_BYTES = 32 << 20
"""So much of large requests may wait; what comes beyond it is told to come again."""
GIVES_WAY = 10
"""A slice waits so many turns of the loop for small requests, which are scored within fewer, and no longer."""


class OneByOne:
    """The large requests that wait. All of it runs in the loop's thread."""

    def __init__(
        self, loop: AbstractEventLoop, others_wait: Callable[[], bool], pace: Pace, beside: SideThread | None = None
    ) -> None:
        self._loop = loop
        self._others_wait = others_wait
        self._pace = pace
        self._beside = beside
        self._jobs: deque[LargeJob] = deque()
        self._came: tuple[Any, BaseException | None] = (None, None)
        self._held = 0
        self._gave_way = 0

    def hold(self, size: int) -> bool:
        """Take room for so many bytes; False where there is none. What alone is too large for all room is taken."""
        if self._held and self._held + size > WAITING_BYTES:
            return False
        self._held += size
        return True

    def free(self, size: int) -> None:
        """Give the room back."""
        self._held -= size

    def add(self, job: LargeJob) -> None:
        """Have a request scored in its turn; the last step answers it."""
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        if self._others_wait() and self._gave_way < GIVES_WAY:
            self._gave_way += 1
            self._loop.call_soon(self._turn)
            return
        self._gave_way = 0
        if (wait_s := self._pace.wait_s()) > 0:
            self._loop.call_later(wait_s, self._turn)
            return
        over, work = True, None
        try:
            work = self._go_on()
            over = False
        except StopIteration:
            pass
        finally:
            self._pace.paid()
            # One that fails must not hold up those behind it.
            if over:
                self._jobs.popleft()
            if work is not None and self._beside is not None:
                self._beside.run(work, self._back)
            elif self._jobs:
                self._loop.call_soon(self._turn)
        # The server's threads hand over what has arrived meanwhile.
        os.sched_yield()

    def _go_on(self) -> Work | None:
        """The first one's next step; raises StopIteration behind the last."""
        (found, failure), self._came = self._came, (None, None)
        return self._jobs[0].send(found) if failure is None else self._jobs[0].throw(failure)

    def _back(self, found: Any, failure: BaseException | None) -> None:
        self._came = (found, failure)
        self._turn()
