"""The packages that a service needs, as they are installed here: file by file what their wheels brought, or nothing."""

import base64
import csv
import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from core.domain.errors import Failed
from core.images.tree import Entry, file

SERVER = ("granian", "click", "orjson")
BOOSTER = "xgboost-cpu" if sys.platform == "linux" else "xgboost"
FOREST = "treelite"
LIBRARIES_ONLY = frozenset({"xgboost", "xgboost-cpu", "treelite"})
"""Only their C libraries are loaded; their Python would bring scipy and pandas."""
OF_HERE = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
"""Written by whoever installed them, and another on each machine."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One installed package."""

    name: str
    version: str
    licence: str
    files: dict[str, Entry]

    @property
    def pin(self) -> str:
        """As requirements name it."""
        return f"{self.name}=={self.version}"


def needed_by(model_files: Iterable[str]) -> tuple[str, ...]:
    """The packages for a model with these files: the server's, and the library of each form that the model has."""
    names = set(model_files)
    booster = (BOOSTER,) if "model.ubj" in names else ()
    forest = (FOREST,) if "model.tl" in names else ()
    return (*SERVER, *booster, *forest)


def wheel(name: str) -> Wheel:
    """An installed package, every file checked. Raises Failed where it is not what its wheel brought."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise Failed(f"{name} is not installed here, and the image needs it; install quarterdeck again") from None
    # What `files` gives leaves out what is missing, and an image without it would be another package.
    listed = csv.reader((found.read_text("RECORD") or "").splitlines())
    files = {
        path: file(_checked(name, Path(str(found.locate_file(path))), hash_of))
        for path, hash_of, *_ in (line for line in listed if len(line) > 1)
        if _wanted(name, PurePosixPath(path))
    }
    if not files:
        raise Failed(f"{name}: its list of files is gone; install it again")
    said = (found.metadata.get_all("License-Expression") or [""])[0]
    return Wheel(name, found.version, said or _classified(found.metadata.get_all("Classifier") or []), files)


def _wanted(name: str, path: PurePosixPath) -> bool:
    if ".." in path.parts or path.is_absolute() or "__pycache__" in path.parts or path.suffix == ".pyc":
        return False
    in_info = path.parts[0].endswith(".dist-info")
    if in_info:
        return path.name not in OF_HERE
    return name not in LIBRARIES_ONLY or "lib" in path.parts[1:-1] or path.parts[0].endswith(".libs")


def _checked(name: str, where: Path, hash_of: str) -> Path:
    """The file, if it is as the wheel's record says: `sha256=` and its digest."""
    try:
        content = where.read_bytes()
    except OSError as error:
        raise Failed(f"{where}: {error.strerror}; {name} is not whole: install it again") from None
    mode, _, value = hash_of.partition("=")
    if mode not in hashlib.algorithms_guaranteed or not value:
        raise Failed(f"{where}: {name}'s record has no hash of it; install it again")
    digest = hashlib.new(mode, content).digest()
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != value:
        raise Failed(f"{where}: is not what {name}'s wheel brought; install it again")
    return where


def _classified(classifiers: Iterable[str]) -> str:
    licences = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    return ", ".join(licences)
