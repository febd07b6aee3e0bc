"""The model folders that an endpoint on this machine serves from, compared with what came from the registry."""

import json
from pathlib import Path

from core.domain.diagnosis import Diagnoses, Diagnosis, fail, ok
from core.domain.model import Version
from core.system.digests import OURS, changed
from core.system.text import clean_line
from core.targets.local.state import load

FILES_S = 30.0
"""A model of some gigabytes is read once to its end."""


def models(folder: Path) -> Diagnoses:
    """Of each slot of an endpoint's folder, whether a replica could start anew, with the model that was released."""
    state = load(folder)
    held = {} if state is None else {one.version: one.model for one in state.slots.values()}
    return [line for version, model in held.items() for line in files(version, model)]


def files(version: Version, folder: Path) -> list[Diagnosis]:
    """Whether a model folder is whole, and still what came from the registry."""
    again = f"quarterdeck release --model-uri {version.uri}: its files come from the registry anew"
    what = f"{version.model} {version.label}"
    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        written = json.loads((folder / OURS).read_text(encoding="utf-8")).get("files")
    except FileNotFoundError as error:
        return [fail(f"{what}: {error.filename} is gone: a replica that starts anew does not come up", again)]
    except (OSError, ValueError, AttributeError) as error:
        return [fail(f"{what}: {folder} can't be read: {clean_line(str(error), 200)}", again)]
    file = str(about.get("file", "")) if isinstance(about, dict) else ""
    if file and not (folder / file).exists():
        return [fail(f"{what}: {folder / file} is gone: a replica that starts anew does not come up", again)]
    if not isinstance(written, dict):
        return [ok(f"{what}: {folder} is there; it came before digests were written down")]
    if others := changed(folder, written):
        told = f"{what}: {others[0]} is not what came from the registry"
        return [fail(f"{told}, nor {len(others) - 1} more" if others[1:] else told, again)]
    digest = str(written.get(file) or next(iter(written.values()), ""))[:12]
    return [ok(f"{what}: {len(written)} files as they came from the registry, {file or 'model'} sha256 {digest}")]
