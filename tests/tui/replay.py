"""Links for the tests of the deck: one from a recording, one that writes down what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from core.domain.errors import QuarterdeckError, Refused
from core.state.codec import loads
from core.state.commands import Command
from core.state.events import Event
from tests.recordings.make import FILE


def recorded(until: float | None = None, path: Path = FILE) -> list[Event]:
    """The recording up to a moment."""
    events = (loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [event for event in events if until is None or event.at <= until]


class FakeLink:
    """Says the events it was given and those it is told later; remembers what it was asked."""

    def __init__(self, events: Iterable[Event] = (), refuses: str = "", fails: QuarterdeckError | None = None) -> None:
        self.told = list(events)
        self.asked: list[Command] = []
        self.afters: list[int | None] = []
        self.refuses = refuses
        self.fails = fails
        self._more = asyncio.Condition()

    async def events(self, after: int | None = None) -> AsyncIterator[Event]:
        """All of them in order, then each that `tell` adds."""
        self.afters.append(after)
        at = sum(event.seq <= (after or 0) for event in self.told)
        while True:
            while at < len(self.told):
                at += 1
                yield self.told[at - 1]
            if self.fails is not None:
                error, self.fails = self.fails, None
                raise error
            async with self._more:
                await self._more.wait_for(lambda: at < len(self.told) or self.fails is not None)  # noqa: B023

    async def do(self, command: Command) -> None:
        """Remember it, or refuse it."""
        if self.refuses:
            raise Refused(self.refuses)
        self.asked.append(command)

    async def tell(self, *events: Event) -> None:
        """Something more happened."""
        async with self._more:
            self.told += events
            self._more.notify_all()

    async def fail(self, error: QuarterdeckError) -> None:
        """The journal is lost."""
        async with self._more:
            self.fails = error
            self._more.notify_all()
