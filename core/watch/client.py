"""A face's way to the project's watch: is it there, drive this, end. What hangs is ended, what is missing started."""

import asyncio
import contextlib
import json
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.config.layers import PREFIX
from core.domain.errors import Unreachable
from core.system.clock import boottime_s
from core.system.processes import ProcessId, child_environment, python, send
from core.system.text import clean_line
from core.system.unanswered import AnswerWatch
from core.watch.place import WatchPlace, package_version

TAKE_UP_S = 0.3
"""A command that was not taken up within this time is driven by whoever asked."""
ANSWER_S = 5.0
"""A watch that gives no sign of life for so long hangs. Its loop never stands still for a tenth of that."""
TRIES = 4
"""So often one is asked that waits for a CPU."""
START_S = 20.0
STOP_S = 40.0
KEEP_S = 2.0
AGAIN_S = 0.05
_GONE = (OSError, EOFError, ValueError, TimeoutError)


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """A watch that answers. `started_at` in seconds since the epoch."""

    pid: int
    version: str
    started_at: float


class WatchClient:
    """The watch of one project, as `Steering` for an engine and as something to keep alive.

    `hung` is the last one that gave no sign of life and was ended here for that.
    """

    def __init__(self, place: WatchPlace) -> None:
        self.place = place
        self.hung: ProcessId | None = None
        self._looking: asyncio.StreamWriter | None = None

    # Steering

    async def take_up(self, endpoint: str, force: bool) -> bool:
        """Whether the watch drives an endpoint now; False where it is not there or gives no answer in time."""
        answer = await self._ask({"do": "take", "endpoint": endpoint, "force": force}, TAKE_UP_S)
        return answer is not None and "error" not in answer

    async def poke(self) -> None:
        """Something was written: look at once."""
        await self._ask({"do": "poke"}, TAKE_UP_S)

    # Its life

    async def status(self, timeout_s: float = TAKE_UP_S) -> WatchStatus | None:
        """The watch that answers within a time; None without one."""
        answer = await self._ask({"do": "ping"}, timeout_s)
        if answer is None or "error" in answer:
            return None
        return WatchStatus(int(answer["pid"]), str(answer["version"]), float(answer["started_at"]))

    async def unset(self, names: Iterable[str]) -> tuple[str, ...]:
        """Which of these variables the watch that runs has not got; none where none runs, or it can't say."""
        answer = await self._ask({"do": "ping", "names": sorted(set(names))}, TAKE_UP_S)
        return tuple(str(name) for name in (answer or {}).get("unset", ()))

    @property
    def wanted(self) -> bool:
        """Whether a watch ran here and did not end in good order."""
        return self.place.who() is not None

    async def ensure(self) -> WatchStatus:
        """The watch of this version: one that hangs or is of another version is ended, a missing one is started.

        Raises Unreachable with why none can be had.
        """
        status = await self.status()
        if status is None and (who := self.place.who()) is not None and who.alive:
            if self.place.ended:
                # It answers nobody any more, and brings to its end what it had begun.
                await self._end(who, STOP_S)
            # Busy or hanging: only time tells.
            elif (status := await self._patiently(who)) is None:
                self.hung = who if send(who, signal.SIGKILL) else None
        if status is not None and status.version != package_version():
            await self.stop()
            status = None
        return status or await self._start()

    async def _patiently(self, who: ProcessId) -> WatchStatus | None:
        """Its answer; None where it hangs. Raises Unreachable where it only waits for a CPU: another would wait too."""
        for _ in range(TRIES):
            silence = AnswerWatch((who.pid, None))
            if (status := await self.status(ANSWER_S)) is not None:
                return status
            silence.look(ANSWER_S)
            if not who.alive or not silence.starved:
                return None
        so_long = f"gave no answer within {TRIES * ANSWER_S:g} s: this machine has no CPU for it; it is left alone"
        raise Unreachable(f"the watch of this project, process {who.pid}, {so_long}")

    async def retire_other(self) -> None:
        """End a watch of another version: it would read and write what this one does not."""
        status = await self.status()
        if status is not None and status.version != package_version():
            await self.stop()

    async def stop(self) -> bool:
        """End the watch in good order, else by force; False when none ran."""
        who = self.place.who()
        if who is None or not who.alive:
            self.place.forget()
            return False
        asked = await self._ask({"do": "stop"}, ANSWER_S)
        await self._end(who, STOP_S if asked is not None or self.place.ended else 0.0)
        self.place.forget()
        return True

    async def _end(self, who: ProcessId, within_s: float) -> None:
        """Wait until it has ended, or kill it after that time."""
        until_s = boottime_s() + within_s
        # Nothing calls us when another's process ends.
        while who.alive and boottime_s() < until_s:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        send(who, signal.SIGKILL)

    async def keep(self, otherwise: Callable[[], None]) -> None:
        """Have a watch for as long as somebody looks, and let it know that somebody does. Until cancelled.

        One that was ended in good order stays ended. Where none can be had, `otherwise` is called now and then.
        """
        while True:
            if not self.place.was_there or not self.place.config.is_file():
                # It was ended on purpose, or the project is gone: nothing is to be brought back.
                await asyncio.sleep(KEEP_S)
                continue
            if self.place.ended and (who := self.place.who()) is not None and who.alive:
                # How it ends says whether another is to follow it.
                await asyncio.sleep(AGAIN_S)
                continue
            try:
                await self.ensure()
                await self._look()
            except Unreachable:
                otherwise()
                await asyncio.sleep(KEEP_S)
            except _GONE:
                await asyncio.sleep(AGAIN_S)

    async def look_on(self) -> None:
        """Let a watch know that somebody looks, where there is one; none is started or ended. Until cancelled."""
        while True:
            with contextlib.suppress(*_GONE):
                await self._look()
            await asyncio.sleep(KEEP_S)

    async def _look(self) -> None:
        """One connection that says that somebody looks, with a question now and then; raises when it falls silent."""
        reader, writer = await asyncio.open_unix_connection(str(self.place.socket))
        try:
            while True:
                async with asyncio.timeout(ANSWER_S):
                    writer.write(b'{"do": "look"}\n')
                    await writer.drain()
                    if not await reader.readline():
                        raise EOFError
                # It says nothing unasked: what comes is its end, and is heard at once.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(KEEP_S):
                        await reader.read(1)
                        raise EOFError
        finally:
            writer.close()

    async def _start(self) -> WatchStatus:
        """Start one, and again where another that was just ending stood in its way."""
        try:
            async with asyncio.timeout(START_S):
                while (status := await self._spawn()) is None:  # noqa: ASYNC110
                    await asyncio.sleep(AGAIN_S)
        except TimeoutError:
            why = f"it gave no answer within {START_S:g} s; see {self.place.log}"
            raise Unreachable(f"the watch of this project does not start: {why}") from None
        return status

    async def _spawn(self) -> WatchStatus | None:
        if not self.place.config.is_file():
            raise Unreachable(f"{self.place.config}: is gone; there is nothing to steer")
        # Without a terminal of its own it outlives this one. The settings of this shell are this shell's alone.
        call = python("core.watch.main", str(self.place.config))
        process = await asyncio.create_subprocess_exec(
            *call,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in child_environment().items() if not name.startswith(PREFIX)},
            start_new_session=True,
        )
        # It lets go of its starter once it answers; what it says before that is what is wrong.
        said = (await process.communicate())[0].decode(errors="replace").strip().splitlines()
        if said:
            raise Unreachable(f"the watch of this project does not start: {clean_line(said[-1])}")
        return await self.status(ANSWER_S)

    async def _ask(self, message: Mapping[str, Any], timeout_s: float) -> dict[str, Any] | None:
        """One message and its answer; None where nobody answers in time."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_unix_connection(str(self.place.socket))
                try:
                    writer.write((json.dumps(message) + "\n").encode())
                    await writer.drain()
                    answer = json.loads(await reader.readline())
                finally:
                    writer.close()
        except _GONE:
            return None
        # A project that was moved took the socket along; its watch notices, and ends.
        known = isinstance(answer, dict) and ("error" in answer or answer.get("folder") == self.place.here)
        return answer if known else None
