"""Processes that outlive their starter: those of asyncio are killed as soon as its loop ends."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from core.system.processes import ProcessId, ended, how_it_ended, process_id, send

END_S = 10.0


class Detached:
    """One process that this host has started, or has found running. It gets no terminal and a session of its own."""

    def __init__(self, process: ProcessId | None, own: "subprocess.Popen[bytes] | None" = None) -> None:
        self.process = process
        self._own = own

    @classmethod
    async def run(
        cls, command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None, fds: Sequence[int] = ()
    ) -> "Detached":
        """Start one that writes to a log; raises OSError."""

        def start() -> "subprocess.Popen[bytes]":
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=descriptor,
                    stderr=descriptor,
                    env=environment,
                    pass_fds=fds,
                    start_new_session=True,
                )
            finally:
                os.close(descriptor)

        own = await asyncio.to_thread(start)
        return cls(process_id(own.pid), own)

    @classmethod
    async def orphan(cls, command: Sequence[str], log: Path) -> "Detached":
        """Start one that is nobody's child: how it ends is not told, but it can't ask to die with its starter."""
        heard, told = os.pipe()

        def start() -> int:
            with log.open("ab") as file, os.fdopen(heard) as number:
                own = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    start_new_session=True,
                    preexec_fn=lambda: _leave_starter(told),  # noqa: PLW1509  (it makes system calls only)
                )
                os.close(told)
                own.wait()
                return int(number.read() or 0)

        return cls(process_id(await asyncio.to_thread(start)))

    @property
    def alive(self) -> bool:
        """Whether it runs. One that has ended is taken note of here, so that it does not stay in the kernel's list."""
        if self._own is not None and self._own.poll() is not None:
            return False
        return self.process is not None and self.process.alive

    async def ends(self) -> str:
        """Wait for its end; gives how, in words: empty for one that is not our child."""
        if self.process is not None:
            await ended(self.process)
        if self._own is None:
            return ""
        # The kernel says that it has ended a moment before it says how.
        return how_it_ended(await asyncio.to_thread(self._own.wait))

    async def kill(self) -> None:
        """End it at once, and be sure that it has."""
        if self.process is not None:
            send(self.process, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await self.ends()


def _leave_starter(told: int) -> None:
    """Go on as a child of nobody, in the moment before the program begins."""
    between = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == between:
        time.sleep(0.001)
    os.write(told, str(os.getpid()).encode())
