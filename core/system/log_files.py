"""Logs that processes append to, kept to two files."""

from pathlib import Path

MOST_BYTES = 1 << 20


def make_room(path: Path) -> None:
    """Put a log that is long aside as `NAME.1`, in place of the one that was there; raises OSError."""
    if path.exists() and path.stat().st_size > MOST_BYTES:
        path.rename(path.with_name(f"{path.name}.1"))
