"""Files that people name. A pipe or a device in their place would keep whoever reads it for ever, so it is refused."""

import errno
import os
import stat
from pathlib import Path


def check_regular(path: Path) -> None:
    """Raises OSError for what is no regular file, or can't be looked at."""
    _refuse_others(path.stat().st_mode, path)


def read_regular(path: Path) -> bytes:
    """The content of a regular file; raises OSError."""
    # Opened this way a pipe that nobody writes to does not wait for one who does.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _refuse_others(os.fstat(descriptor).st_mode, path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _refuse_others(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
