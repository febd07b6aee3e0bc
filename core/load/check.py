"""Whether a load can be had, before it begins: the locustfile and its classes, or the page to follow."""

import asyncio
import signal
import tempfile
from functools import partial
from pathlib import Path

from core.domain.errors import BadInput, Unreachable
from core.domain.load_profile import LoadProfile, LoadSource
from core.load import command
from core.load.command import LOG, OUTPUT, LocustSettings
from core.load.process import Line, LocustProcess
from core.system.processes import how_it_ended
from core.system.text import clean_line

CHECK_S = 45.0
"""As long as a run may take to start: a locustfile may read large data."""


async def check(profile: LoadProfile, source: LoadSource) -> None:
    """`BadInput` where nobody is at the page to follow, or the locustfile can't be run with this profile."""
    if source.attach:
        await _page(source.attach)
    elif source.locustfile:
        await _locustfile(Path(source.locustfile), profile)


async def _page(url: str) -> None:
    from core.load.attached import Attached  # noqa: PLC0415

    try:
        async with Attached(url):
            return
    except Unreachable as error:
        raise BadInput(str(error)) from error


async def _locustfile(locustfile: Path, profile: LoadProfile) -> None:
    """Read by a Locust that runs nothing: what a locustfile imports must not come into this process."""
    command.check_file(locustfile)
    said = ""

    def take(line: Line) -> None:
        nonlocal said
        said = line["text"] if line["kind"] == "failed" else said

    with tempfile.TemporaryDirectory(prefix="quarterdeck-") as folder:
        output, log = Path(folder) / OUTPUT, Path(folder) / LOG
        variables = partial(command.environment, profile, LocustSettings("", Path(folder), None, locustfile))
        process = await LocustProcess.start(
            command.check_command(locustfile), partial(variables, only_check=True), output, log
        )
        try:
            async with asyncio.timeout(CHECK_S):
                code = await process.follow(take)
        except TimeoutError:
            raise BadInput(f"{locustfile}: it could not be read within {CHECK_S:g} s") from None
        finally:
            process.signal(signal.SIGKILL)
            await process.hang_up()
        if code:
            words = clean_line(said) or f"it ended with {how_it_ended(code)}; its last words: {command.last_line(log)}"
            raise BadInput(f"{locustfile}: {words}")
