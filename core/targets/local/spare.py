"""A little disk space put by in an endpoint's folder: a change of traffic still fits when the disk is full."""

import errno
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

SIZE = 512 << 10
"""A route writes the state and the router's three files anew: some 20 kB each."""
ROOMY = 8 * SIZE
NAME = "spare"


def put_by(folder: Path) -> None:
    """Fill the file where it is missing and there is room."""
    path = folder / NAME
    with suppress(OSError):
        if path.exists() or shutil.disk_usage(folder).free < ROOMY:
            return
        with path.open("wb") as file:
            file.write(bytes(SIZE))
            file.flush()
            os.fsync(file.fileno())


async def in_spare(folder: Path, change: Callable[[], Awaitable[None]]) -> None:
    """Do a change; where the disk is full, once more in the space that was put by."""
    try:
        await change()
    except OSError as error:
        path = folder / NAME
        if error.errno != errno.ENOSPC or not path.exists():
            raise
        path.unlink(missing_ok=True)
        await change()
