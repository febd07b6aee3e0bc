"""Objects for a cluster as files that people read, keep and apply: one YAML each, and a kustomization of all."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.domain.errors import BadInput, Failed
from core.system.yaml_text import to_yaml
from core.targets.kubernetes.manifests_pod import Json

MARK = "# Written by 'quarterdeck export kubernetes', which writes it anew: change quarterdeck.yaml instead.\n"
"""How each file of ours begins; no other is overwritten or removed."""
KUSTOMIZATION = "kustomization.yaml"
_FILE = re.compile(r"[a-z0-9][a-z0-9.-]*", re.ASCII)


def files_of(objects: Sequence[Json]) -> dict[str, str]:
    """What each file is called, and what stands in it; the same objects give the same bytes."""
    found: dict[str, str] = {}
    for body in objects:
        name = f"{body['kind'].lower()}-{body['metadata']['name']}.yaml"
        if not _FILE.fullmatch(name) or name in found:
            raise Failed(f"{name}: can't be the name of a file of manifests")
        found[name] = MARK + to_yaml(body)
    kinds = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": list(found)}
    return {**found, KUSTOMIZATION: MARK + to_yaml(kinds)}


def write(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write files into a folder and remove those of ours that are no part any longer, whose names it gives.

    Raises BadInput, before anything is changed, where a file is there that is not ours; Failed where it can't be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = sorted(folder.glob("*.yaml"))
        mine = {path.name for path in there if _ours(path)}
        for name in files:
            # A link, also one that leads nowhere, would be written through.
            if name not in mine and ((folder / name).exists() or (folder / name).is_symlink()):
                raise BadInput(f"{folder / name}: is there and was not written by an export; name another folder")
        for name, text in files.items():
            _put(folder / name, text)
        gone = sorted(mine - files.keys())
        for name in gone:
            (folder / name).unlink()
    except OSError as error:
        raise Failed(f"{error.filename or folder}: {error.strerror or error}; name another folder") from None
    return gone


def _ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MARK.encode())) == MARK.encode()


def _put(path: Path, text: str) -> None:
    """Whole or not at all."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n", dir=path.parent, delete=False) as file:
        beside = Path(file.name)
        try:
            file.write(text)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
    beside.chmod(0o644)
    beside.replace(path)
