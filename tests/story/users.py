"""Users of an endpoint, for tests: each asks again and again, and every end of a request is kept."""

import asyncio
import http.client
import threading
import time
from dataclasses import dataclass
from typing import Self

from core.domain.errors import Unreachable
from core.targets.local.http import Connection
from tests.story.kills_scene import DEADLINE_S, wait_for

LABEL = "setosa"
ROW = b'{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'
"""A flower that any model knows: its label stands above."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's end, and how long it took; `label` where what was predicted is one."""

    at: float
    why: str
    version: str
    label: str = ""
    took_ms: float = 0.0


class Users:
    """Some users at a port, on a thread of their own; each asks again a moment after it was answered."""

    def __init__(self, port: int, users: int = 6, pause_s: float = 0.02, body: bytes = ROW) -> None:
        self.port = port
        self.users = users
        self.pause_s = pause_s
        self.body = body
        self.answers: list[Answer] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def failed(self, since: float = 0.0) -> list[Answer]:
        """The requests that were not answered by a prediction."""
        return [answer for answer in list(self.answers) if answer.why and answer.at >= since]

    def back(self, since: float, answers: int = 50, deadline_s: float = DEADLINE_S) -> float:
        """Wait for so many good answers in a row after a moment; how long after it the last failure came, in s."""

        def good() -> bool:
            new = [answer for answer in list(self.answers) if answer.at >= since]
            return len(new) >= answers and not any(answer.why for answer in new[-answers:])

        wait_for(good, f"answers; the last {self.answers[-3:]}", deadline_s)
        return max((answer.at - since for answer in self.failed(since)), default=0.0)

    def forget(self) -> None:
        """Begin to count anew."""
        self.answers = []

    def _run(self) -> None:
        self._loop.run_until_complete(self._all())
        self._loop.close()

    async def _all(self) -> None:
        tasks = [asyncio.create_task(self._user()) for _ in range(self.users)]
        await self._stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # A connection that was hung up is closed at the next turn.

    async def _user(self) -> None:
        lines: list[Connection] = []
        try:
            await self._ask(lines)
        finally:
            for line in lines:
                line.close()

    async def _ask(self, lines: list[Connection]) -> None:
        """Again and again, over one connection as long as it lasts."""
        while True:
            version = why = label = ""
            began_s = time.monotonic()
            try:
                async with asyncio.timeout(5):
                    if not lines:
                        lines.append(await Connection.open(("127.0.0.1", self.port)))
                    answer = await lines[0].ask("/predict", {"content-type": "application/json"}, "POST", self.body)
                if answer.status == 200:
                    version, label = answer.headers.get("x-model-version", ""), answer.headers.get("x-label", "")
                else:
                    why = f"{answer.status} {answer.body.decode()[:60]}"
                over = answer.headers.get("connection") == "close"
            except (OSError, Unreachable, TimeoutError) as error:
                why, over = f"{type(error).__name__} {error}", True
            self.answers.append(Answer(time.time(), why, version, label, 1000 * (time.monotonic() - began_s)))
            if over and lines:
                lines.pop().close()
            await asyncio.sleep(self.pause_s)


def served(port: int, answers: int = 40) -> set[str]:
    """The versions that users are answered by from now on, once no request fails any more."""
    with Users(port) as users:
        users.back(time.time(), answers)
        return {answer.version for answer in users.answers[-answers:]}


class Strangers:
    """Somebody who asks for one path so many times a second, on a thread; counts what was answered in any way."""

    def __init__(self, port: int, path: str, a_second: float) -> None:
        self.answered = 0
        self._port, self._path, self._pause_s = port, path, 1 / a_second
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(20)

    def _ask(self) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        while not self._over.wait(self._pause_s):
            try:
                line.request("GET", self._path)
                line.getresponse().read()
                self.answered += 1
            except (OSError, http.client.HTTPException):
                line.close()
        line.close()
