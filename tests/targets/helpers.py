"""What tests of targets share: somebody who watches, and a light load that counts every answer."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from core.domain.errors import Unreachable
from core.domain.model import Noted, Observation, ReplicaState, Slot, Synced, Version
from core.targets.local.http import Connection
from core.targets.local.spec import EndpointSpec
from core.targets.protocol import Address, Report, Target

DEADLINE_S = 60.0
ONE, TWO = Version("late", "1", "run1", "models:/late/1"), Version("late", "2", "run2", "models:/late/2")

T = TypeVar("T")


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(talk: Talk, path: Path | None = None) -> AsyncIterator[tuple[str, int]]:
    """Somebody who answers on a socket or a port; at the end all their talks have ended."""
    talks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = (
        await asyncio.start_server(one, "127.0.0.1", 0)
        if path is None
        else await asyncio.start_unix_server(one, str(path))
    )
    async with server:
        yield server.sockets[0].getsockname()[:2]
        if talks:
            _, late = await asyncio.wait(talks, timeout=5)
            assert not late


class Watcher:
    """Reads a watch and keeps everything; waits for what should come."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.reports: list[Report] = []
        self.slots: dict[Slot, Observation] = {}
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Read until the watch ends."""
        async for report in self.target.watch():
            self.reports.append(report)
            if isinstance(report, Observation):
                self.slots[report.slot] = report
            self._news.set()

    async def until(self, true: Callable[[], T | None], deadline_s: float = DEADLINE_S) -> T:
        """Wait until something is true; what it was is given."""
        try:
            async with asyncio.timeout(deadline_s):
                while not (found := true()):
                    self._news.clear()
                    await self._news.wait()
                return found
        except TimeoutError:
            raise AssertionError(f"did not come; slots {self.slots}, notes {self.notes()}") from None

    async def ready(self, slot: Slot, count: int, version: Version | None = None) -> Observation:
        """Wait until a slot has exactly so many ready replicas."""
        return await self.until(
            lambda: next(
                (
                    seen
                    for seen in [self.slots.get(slot)]
                    if seen and seen.ready == count == seen.wanted and version in {None, seen.version}
                ),
                None,
            )
        )

    async def weight(self, slot: Slot, percent: float) -> Observation:
        """Wait until a slot's weight is proved."""
        await self.until(lambda: slot in self.slots and self.slots[slot].weight == percent)
        return self.slots[slot]

    async def gone(self, slot: Slot) -> None:
        """Wait until a slot holds nothing."""
        await self.until(lambda: slot in self.slots and self.slots[slot].version is None)

    async def noted(self, part: str) -> Noted:
        """Wait until somebody says something."""
        return await self.until(
            lambda: next((one for one in self.reports if isinstance(one, Noted) and part in one.text), None)
        )

    def synced(self) -> Synced | None:
        """The first word that all was told."""
        return next((one for one in self.reports if isinstance(one, Synced)), None)

    def notes(self) -> list[str]:
        """Everything said so far."""
        return [one.text for one in self.reports if isinstance(one, Noted)]

    def state(self, name: str) -> ReplicaState | None:
        """What a replica was last seen doing."""
        replicas = [one for seen in self.slots.values() for one in seen.replicas if one.name == name]
        return replicas[0].state if replicas else None


@asynccontextmanager
async def watching(target: Target) -> AsyncIterator[Watcher]:
    """A watcher of a target."""
    watcher = Watcher(target)
    task = asyncio.create_task(watcher.run())
    try:
        yield watcher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Load:
    """Users who ask again as soon as they are answered, or after a pause; every answer is counted, and none is asked
    for twice."""

    def __init__(self, address: Address, users: int = 4, body: bytes = b"", pause_s: float = 0.0) -> None:
        self.body = body
        self.pause_s = pause_s
        self.where = where(address)
        self.headers = address.headers
        self.users = users
        self.answers: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.told = 0
        self._news = asyncio.Event()

    @property
    def count(self) -> int:
        """All answers so far."""
        return self.answers.total()

    async def more(self, answers: int) -> None:
        """Wait for so many answers more."""
        goal = self.count + answers
        async with asyncio.timeout(DEADLINE_S):
            while self.count < goal:
                self._news.clear()
                await self._news.wait()

    async def user(self) -> None:
        """One user, on a connection of their own."""
        while True:
            try:
                line = await Connection.open(self.where)
            except OSError as error:
                self.failed[type(error).__name__] += 1
                await asyncio.sleep(0.01)
                continue
            try:
                await self._ask(line)
            except Unreachable as error:
                self.failed[str(error)] += 1
            finally:
                line.close()

    async def _ask(self, line: Connection) -> None:
        while True:
            answer = await line.ask("/predict", self.headers, "POST" if self.body else "GET", self.body)
            if answer.status == 200:
                self.answers[answer.headers["x-model-version"]] += 1
            else:
                self.failed[f"{answer.status} {answer.body.decode()}"] += 1
            self._news.set()
            if answer.headers.get("connection") == "close":
                self.told += 1
                return
            if self.pause_s:
                await asyncio.sleep(self.pause_s)


@asynccontextmanager
async def loading(address: Address, users: int = 4, body: bytes = b"", pause_s: float = 0.0) -> AsyncIterator[Load]:
    """A load that runs inside the block; with a body it posts."""
    load = Load(address, users, body, pause_s)
    tasks = [asyncio.create_task(load.user()) for _ in range(users)]
    try:
        yield load
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def where(address: Address) -> tuple[str, int]:
    """Host and port of an address."""
    host, port = address.url.removeprefix("http://").split(":")
    return host, int(port)


async def ask(address: Address, path: str = "/predict") -> tuple[int, str, Mapping[str, str]]:
    """One question: the status, the version that answered, the headers."""
    line = await Connection.open(where(address))
    try:
        answer = await line.ask(path, address.headers)
    finally:
        line.close()
    version = json.loads(answer.body).get("version", "") if answer.body else ""
    return answer.status, version, answer.headers


def model_folder(folder: Path, **does: Any) -> Path:
    """A model of the stand-in that does this."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps(does))
    return folder


def spec_in(folder: Path, **more: Any) -> EndpointSpec:
    """An endpoint served by the stand-in."""
    return EndpointSpec(
        folder=folder, **{"endpoint": "late", "service": "tests.targets.standin", "drain_s": 3.0, **more}
    )


async def two_slots(target: Target, watcher: Watcher, replicas: int = 2) -> None:
    """Blue with version 1 and all traffic, green with version 2 beside it."""
    await target.apply("blue", ONE, replicas)
    await target.apply("green", TWO, replicas)
    await watcher.ready("blue", replicas)
    await watcher.ready("green", replicas)
    await target.route({"blue": 100})
    await watcher.weight("blue", 100)
