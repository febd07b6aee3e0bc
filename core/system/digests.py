"""The SHA-256 of each file of a model folder: written down where it comes from the registry, compared later."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

OURS = "version.json"
"""What the digests are written in has none itself."""


def digests(folder: Path) -> dict[str, str]:
    """Of every file, by its path inside the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != OURS)
    return {path.relative_to(folder).as_posix(): _of(path) for path in files}


def changed(folder: Path, written: Mapping[str, str]) -> list[str]:
    """The files that are gone or no longer as they were written down."""
    return [name for name, digest in written.items() if not (folder / name).is_file() or _of(folder / name) != digest]


def _of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
