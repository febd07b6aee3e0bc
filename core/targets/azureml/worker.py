"""The one thread that makes all calls that change something: one after the other, and traffic before all else.

No call has a precondition there: two at once could land in any order. A way back is the next after the one in flight.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import Any, TypeVar

from core.domain.errors import Refused

T = TypeVar("T")


class Urgency(IntEnum):
    """Which call is next of those that wait."""

    TRAFFIC = 0
    REST = 1


class ChangeThread:
    """Changes of one endpoint. Whoever asks waits in a thread of its own; each call ends by its own timeout."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._news = threading.Condition()
        self._waiting: list[tuple[int, int, Callable[[], Any], Future[Any]]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def do(self, urgency: Urgency, work: Callable[[], T]) -> T:
        """What the work returns or raises, once it was its turn; raises Refused where this was closed before."""
        done: Future[T] = Future()
        with self._news:
            if self._closed:
                raise Refused(f"{self._name}: this target is closed")
            heapq.heappush(self._waiting, (int(urgency), next(self._numbers), work, done))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"azureml {self._name}", daemon=True)
                self._thread.start()
            self._news.notify_all()
        return done.result()

    def close(self) -> None:
        """Make no call more; the one in flight ends by itself, and nobody waits for it."""
        with self._news:
            self._closed = True
            for *_, done in self._waiting:
                done.set_exception(Refused(f"{self._name}: this target is closed"))
            self._waiting.clear()
            self._news.notify_all()

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._waiting and not self._closed:
                    self._news.wait()
                if self._closed:
                    return
                *_, work, done = heapq.heappop(self._waiting)
            try:
                done.set_result(work())
            except BaseException as error:  # it is raised where it is waited for
                done.set_exception(error)
