"""Locust as a process of the system: started, read from, written to, signalled, never left behind."""

import asyncio
import json
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

LEAVE_S = 10.0
"""How long Locust may take from its last line to its end, and its last lines from its end to us."""
LONGEST_LINE = 1 << 20

Line = Mapping[str, Any]


class LocustProcess:
    """One Locust and the wire to it: JSON lines both ways."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(
        cls, call: list[str], environment: Callable[[int], dict[str, str]], output: Path, log: Path
    ) -> Self:
        """Start it in a session of its own, away from the terminal. `environment` is asked with the wire's number."""
        ours, theirs = socket.socketpair()
        said, logged = (os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) for file in (output, log))
        try:
            process = await asyncio.create_subprocess_exec(
                *call,
                env=environment(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=DEVNULL,
                stdout=said,
                stderr=logged,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(said)
            os.close(logged)
        reader, writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE)
        return cls(process, reader, writer)

    async def follow(self, take: Callable[[Line], None]) -> int:
        """Hand over each line until Locust has ended; its exit code. A process that outlives its wire is killed."""
        lines = asyncio.create_task(self._hand_over(take), name="load: lines")
        gone = asyncio.create_task(self._process.wait(), name="load: process")
        try:
            await asyncio.wait({lines, gone}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({lines, gone}, timeout=LEAVE_S)
            self.signal(signal.SIGKILL)
            code = await gone
            if lines.done():
                lines.result()
            return code
        finally:
            lines.cancel()
            gone.cancel()
            await asyncio.wait({lines, gone})

    async def _hand_over(self, take: Callable[[Line], None]) -> None:
        with suppress(ConnectionError):
            while line := await self._reader.readline():
                take(json.loads(line))

    def say(self, line: Line) -> None:
        """One line to Locust."""
        self._writer.write(json.dumps(line).encode() + b"\n")

    def signal(self, which: signal.Signals) -> None:
        """To Locust and its workers, while their leader's number is still its own."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, which)

    @property
    def pid(self) -> int:
        """The number of the process that leads."""
        return self._process.pid

    @property
    def exit_code(self) -> int:
        """Its exit code, 0 while it runs."""
        return self._process.returncode or 0

    async def hang_up(self) -> None:
        """Close the wire."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
