"""What of a version's folder goes into its image: the model and what it says of itself, no rows."""

import json
from collections.abc import Mapping
from pathlib import Path

from core.domain.errors import Failed
from core.domain.model import Version
from core.images.tree import Entry, file
from scoring import manifest


def model_files(folder: Path) -> dict[str, Entry]:
    """The files by name. Raises Failed where an image can't serve this model."""
    try:
        about = manifest.read(folder)
    except manifest.ModelError as error:
        raise Failed(str(error)) from None
    if about.python:
        why = "is run by its own packages, which lie at a place of this machine"
        raise Failed(f"{folder.name}: {why}; images take XGBoost, forests and linear models")
    names = {"model.json", about.file, about.treelite}
    found = {name: file(folder / name) for name in sorted(filter(None, names))}
    for entry in found.values():
        if isinstance(entry.content, Path) and not entry.content.is_file():
            raise Failed(f"{entry.content}: is gone; remove {folder} and it is taken from the registry anew")
    return found


def version_in(folder: Path, model: str, number: str) -> Version:
    """The version as its folder has it written down; without its registry, which may be a place of this machine."""
    try:
        about: Mapping[str, object] = json.loads((folder / "version.json").read_text())
    except (OSError, ValueError):
        return Version(model, number)
    known = {name: str(about.get(name) or "") for name in ("run_id", "uri", "digest")}
    return Version(model, number, **known)
