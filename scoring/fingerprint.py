"""What tells a model folder from every other one: the SHA-256 of what is loaded of it."""

import hashlib
from pathlib import Path

from scoring import manifest
from scoring.manifest import Manifest


def of(about: Manifest) -> str:
    """`sha256:…` over the manifest and the model's files, by their names.

    Empty for a folder that was made of what somebody else logged: each machine makes its own, and the bytes may differ
    where the model does not.
    """
    if about.converted:
        return ""
    whole = hashlib.sha256()
    for name in sorted({"model.json", about.file, about.treelite or about.file}):
        with (about.folder / name).open("rb") as file:
            whole.update(f"{name}\0".encode() + hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{whole.hexdigest()}"


def of_folder(folder: Path) -> str:
    """The same of a folder that nobody serves from; empty where it can't be read."""
    try:
        return of(manifest.read(folder))
    except (manifest.ModelError, OSError):
        return ""
