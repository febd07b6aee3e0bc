"""`quarterdeck azure setup`: make what a workspace lacks, once somebody has agreed to what it costs."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from core.domain.errors import QuarterdeckError, Refused
from core.engine.project import Project
from core.system.aside import aside
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AzureLogin
from core.targets.azureml.setup import AzurePiece, made, missing, removal, stands
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint
from tui.headless import INTERRUPTED

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Write = Callable[[str], None]


async def setup(project: Project, region: str, yes: bool, write: Write) -> int:
    """Say what is missing and what it costs, ask, make it; raises Refused where nobody can be asked."""
    at = azure_endpoint(project.settings)
    calls = AzureCalls(at.place, AzureLogin(at.place), at.ca)
    try:
        pieces = await aside(lambda: missing(at, calls, region), "azure setup")
        if not pieces:
            write(f"{at.place.where}: the workspace and its cluster {at.place.cluster.name} are there; nothing to make")
            return 0
        write(f"{at.place.where}: to be made, as {await aside(calls.login.account, 'azure account')}")
        for piece in pieces:
            write(f"  {piece.what}: {piece.cost}")
        if not yes and not _agreed(write):
            write("nothing was made")
            return Refused.exit_code
        return await _until_told(_made(at, calls, pieces, write))
    finally:
        calls.close()


async def _until_told(work: Coroutine[Any, Any, None]) -> int:
    """An exit code. Whoever ends it (ctrl-c, SIGTERM, a terminal that closes) ends the waiting alone."""
    task, loop = asyncio.create_task(work, name="azure setup"), asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return INTERRUPTED
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    return 0


async def _made(at: AzureEndpoint, calls: AzureCalls, pieces: Sequence[AzurePiece], write: Write) -> None:
    """Each after the one before; where one fails, what stands by then is said with its cost and how it goes."""
    done: list[AzurePiece] = []
    for piece in pieces:
        try:
            took_s = await aside(partial(made, at, calls, piece), "azure setup")
        except QuarterdeckError:
            left = [*done, piece] if await aside(partial(stands, calls, piece), "azure setup") else done
            _left(at, left, write)
            raise
        except asyncio.CancelledError:
            _left(at, [*done, piece], write)
            raise
        done.append(piece)
        write(f"{piece.what}: made in {took_s:.0f} s")


def _left(at: AzureEndpoint, pieces: Sequence[AzurePiece], write: Write) -> None:
    if not pieces:
        return
    write("this was asked for and stays; 'quarterdeck azure setup' goes on from there:")
    for piece in pieces:
        write(f"  {piece.what}: {piece.cost}")
    write(f"or take it away: {removal(at, pieces)}")


def _agreed(write: Write) -> bool:
    """Whether whoever sits there says yes; raises Refused where nobody does."""
    if not sys.stdin.isatty():
        raise Refused("it costs money, and nobody can be asked here; say --yes to mean it")
    write("Make it? y/n")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
