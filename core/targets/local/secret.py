"""The secret of an endpoint's router: with it a header of ours is heard, and it stands in one file of the folder."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

BYTES = 24


def secret_path(folder: Path) -> Path:
    """The file, readable by its owner alone."""
    return folder / "router-token"


def router_secret(folder: Path) -> str:
    """The secret of an endpoint, made by whoever asks first; its host and its clients read the same."""
    path = secret_path(folder)
    if found := _read(path):
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    made = secrets.token_hex(BYTES)
    beside = path.with_name(f".{path.name}.{made[:8]}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(made)
        file.flush()
        os.fsync(file.fileno())
    try:
        if path.exists():
            # It holds no secret: a disk was full or power went while it was made.
            beside.replace(path)
        else:
            # Two may make one at once: a link never replaces the other's.
            with suppress(FileExistsError):
                os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return _read(path)


def _read(path: Path) -> str:
    """What stands there, or nothing where that is no secret."""
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return ""
    return text if len(text) == 2 * BYTES else ""
