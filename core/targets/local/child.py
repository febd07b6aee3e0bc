"""One forked replica, whoever has forked it: whether it serves, and how it ended."""

import asyncio
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from core.system.processes import ProcessId, ended, send


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class Child:
    """One forked replica: `live` comes true once it serves, `ended` says how it ended.

    `worker` is the process that holds a model of somebody else's for it.
    """

    name: str
    port: int
    restarts: int = 0
    process: ProcessId | None = None
    worker: int | None = None
    live: "asyncio.Future[bool]" = field(default_factory=_future)
    ended: "asyncio.Future[str]" = field(default_factory=_future)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Child":
        """As a parent or a record tells of it."""
        child = cls(plain["name"], plain["port"], plain["restarts"])
        with suppress(KeyError, TypeError, ValueError):
            child.process = ProcessId.from_json(plain["process"])
        child.worker = plain.get("worker")
        if plain.get("live"):
            child.live.set_result(True)
        return child

    async def begun(self) -> None:
        """Wait until it serves or has ended."""
        either: set[asyncio.Future[bool] | asyncio.Future[str]] = {self.live, self.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)

    def end(self, why: str) -> None:
        """It has ended."""
        if not self.ended.done():
            self.ended.set_result(why)

    def kill(self) -> None:
        """End it at once, whether or not its parent lives."""
        if self.process is not None:
            send(self.process, signal.SIGKILL)

    async def follow(self) -> None:
        """Wait for its end without the help of a parent."""
        if self.process is not None:
            await ended(self.process)
        self.end("it ended after its parent had")
