"""Somebody else's program, run to its end: its lines are shown as they come, and it never runs for ever."""

import asyncio
import os
import shutil
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from core.domain.errors import Failed
from core.system.processes import how_it_ended, python
from core.system.text import clean_line

LAST = 3
LINE_BYTES = 1 << 20
KILL_S = 5.0


async def run(
    command: Sequence[str],
    within_s: float,
    say: Callable[[str], None] = lambda _: None,
    environ: Mapping[str, str] | None = None,
) -> list[str]:
    """Its last lines. Raises Failed, with them, where it fails, is missing or takes longer."""
    name = command[0]
    if shutil.which(name) is None:
        raise Failed(f"{name} is not on the PATH")
    try:
        process = await asyncio.create_subprocess_exec(
            *python("core.system.bound", str(os.getpid()), *command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(os.environ if environ is None else environ),
            limit=LINE_BYTES,
            start_new_session=True,
        )
    except OSError as error:
        raise Failed(f"{name}: {error.strerror or error}; install it again") from None
    last: deque[str] = deque(maxlen=LAST)
    try:
        async with asyncio.timeout(within_s):
            await _listen(process, last, say)
            code = await process.wait()
    except TimeoutError:
        raise Failed(f"{name} {command[1]}: not done within {within_s:g} s{_words(last)}") from None
    finally:
        await _end(process)
    if code != 0:
        raise Failed(f"{name} {command[1]}: {how_it_ended(code)}{_words(last)}")
    return list(last)


async def _listen(process: asyncio.subprocess.Process, last: deque[str], say: Callable[[str], None]) -> None:
    assert process.stdout is not None  # noqa: S101 - asked for above
    while piece := await process.stdout.read(LINE_BYTES):
        for line in piece.decode(errors="replace").splitlines():
            if shown := clean_line(line):
                last.append(shown)
                say(shown)


async def _end(process: asyncio.subprocess.Process) -> None:
    """It and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(KILL_S):
            await process.wait()


def _words(last: deque[str]) -> str:
    return f": {' / '.join(last)}" if last else ""
