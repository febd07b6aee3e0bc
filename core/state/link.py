"""What every face holds: the facts as they come, and a way to ask. Two methods, nothing else."""

from collections.abc import AsyncIterator
from typing import Protocol

from core.state.commands import Command
from core.state.events import Event


class Link(Protocol):
    """In this process it is the engine; from a past log it is `Replay`."""

    def events(self, after: int | None = None) -> AsyncIterator[Event]:
        """Every event after a place in the journal, then each new one.

        None begins with what still matters now: all facts, but telemetry of the last minutes only. Raises
        JournalError.
        """
        ...

    async def do(self, command: Command) -> None:
        """Ask for something; returns when it is written down. Raises Refused, JournalError."""
        ...
