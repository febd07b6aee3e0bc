"""The folder that runs in a deployment: our scoring package and the script that Azure calls; with its packages, pinned.

Nothing of a training environment is in it.
"""

import hashlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import scoring
from core.images.model_files import model_files
from core.images.wheels import needed_by, wheel
from core.targets.azureml.bodies import SCRIPT

FOLDER = "scoring"
SERVER_PIN = "azureml-inference-server-http~=1.4"
"""What calls the script; it is not installed here, so its version is the newest of this series."""
_SHIM = '''\
"""What Azure ML calls: `init` once, `run` with each request."""

from scoring.score import init, run

__all__ = ["init", "run"]
'''
_OF_OUR_SERVER = frozenset({"granian", "click"})
"""Azure's own server answers there."""


def code_files() -> dict[str, bytes]:
    """The files by their paths."""
    home = Path(str(scoring.__file__)).parent
    found = {f"{FOLDER}/{path.relative_to(home).as_posix()}": path.read_bytes() for path in sorted(home.rglob("*.py"))}
    return {SCRIPT: _SHIM.encode(), **found}


def files_of(model: Path) -> dict[str, bytes]:
    """A model's files by their names; raises Failed for one that can't be served there."""
    return {name: entry.read() for name, entry in model_files(model).items()}


def pins(model: Iterable[str]) -> list[str]:
    """The packages that serving this model needs, as they are installed here."""
    names = [name for name in needed_by(model) if name not in _OF_OUR_SERVER]
    pinned = [wheel(name).pin.replace("xgboost==", "xgboost-cpu==") for name in names]
    return [SERVER_PIN, *pinned]


def python() -> str:
    """The Python that these packages are of."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def digest(files: Mapping[str, bytes]) -> str:
    """Of a folder, by the rule of the service's clients (202208): the number of files, names, sizes, content."""
    taken = hashlib.sha256(str(len(files)).encode())
    ordered = sorted(files, key=str.lower)
    for name in ordered:
        taken.update(f"#{name}#".encode() + str(len(files[name])).encode())
    for name in ordered:
        taken.update(files[name])
    return taken.hexdigest()
