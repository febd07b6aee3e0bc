"""Where a unix socket lies: its address holds about a hundred bytes, however long a folder's path is. Quick to load."""

import os
import stat

SOCKET_BYTES = 100
"""Longest path of a unix socket that we use; Linux allows 107 bytes, macOS 103."""

SHARED = "/tmp"  # noqa: S108  (what we use of it is checked to be ours alone)


def socket_address(folder: str, name: str) -> str:
    """Inside the folder, or in a short place when that path is too long; raises OSError where that is not ours."""
    real = os.path.realpath(folder)
    inside = os.path.join(real, name)
    if len(os.fsencode(inside)) <= SOCKET_BYTES:
        return inside
    import hashlib  # noqa: PLC0415  (it takes longer to load than all the rest here)

    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
    return os.path.join(_own_folder(), f"{digest}-{name}")


def _own_folder() -> str:
    """One place that every process of this user finds, whatever its environment says."""
    folder = os.path.join(SHARED, f"quarterdeck-{os.getuid()}")
    try:  # noqa: SIM105  (contextlib is slow to load)
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    seen = os.lstat(folder)
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a folder of yours alone; remove it or run: chmod 700 {folder}")
    return folder
