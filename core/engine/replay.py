"""Links that no engine stands behind: a recording, played to the same faces."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from core.domain.errors import BadInput, JournalError, Refused
from core.journal.journal import Journal
from core.state.codec import dumps, loads
from core.state.commands import Command
from core.state.events import Event

BATCH = 1000
SQLITE = b"SQLite format 3\0"


class Replay:
    """A Link over what happened: a journal, or a file with one event a line.

    `speed` 2 plays twice as fast as it was; None tells everything at once. `until` ends it at a moment, in
    seconds since the epoch. Raises BadInput for a file that is no recording.
    """

    def __init__(self, path: Path, speed: float | None = None, until: float | None = None) -> None:
        if speed is not None and speed <= 0:
            raise BadInput(f"speed {speed:g}: must be above 0, such as 10 for ten times as fast")
        self.path = path
        self.speed = speed
        self.until = until

    async def events(self, after: int | None = None) -> AsyncIterator[Event]:
        """Every event after a place, in order; ends with the recording."""
        before: float | None = None
        for event in self._read(after or 0):
            if self.until is not None and event.at > self.until:
                return
            if self.speed is not None and before is not None and event.at > before:
                await asyncio.sleep((event.at - before) / self.speed)
            before = event.at if before is None else max(before, event.at)
            yield event

    async def do(self, command: Command) -> None:
        """Refused: what is over can't be changed."""
        raise Refused(f"{type(command).__name__.lower()}: this is a recording; it can only be watched")

    def _read(self, after: int) -> Iterator[Event]:
        try:
            with self.path.open("rb") as file:
                journal = file.read(len(SQLITE)) == SQLITE
        except OSError as error:
            raise BadInput(f"{self.path}: {error.strerror or error}; name a journal or a recording") from error
        return self._of_journal(after) if journal else self._of_lines(after)

    def _of_journal(self, after: int) -> Iterator[Event]:
        journal = Journal(self.path, read_only=True)
        try:
            while batch := journal.read(after, BATCH):
                yield from batch
                after = batch[-1].seq
        finally:
            journal.close()

    def _of_lines(self, after: int) -> Iterator[Event]:
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    event = loads(line)
                except JournalError as error:
                    raise BadInput(f"{self.path}, line {number}: {error}") from error
                if not isinstance(event, Event):
                    raise BadInput(f"{self.path}, line {number}: no event; each line of a recording is one")
                if event.seq > after:
                    yield event


def save(events: Iterable[Event], path: Path) -> None:
    """Write a recording, one event a line; raises BadInput where it can't be written."""
    try:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(dumps(event) + "\n" for event in events)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}; the recording is not written") from error
