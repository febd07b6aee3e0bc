"""The folder that runs in a deployment: our scoring package and the script that Azure calls; with its packages, pinned.

Nothing of a training environment is in it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import scoring
from core.domain.errors import Failed
from core.images.model_files import model_files
from core.images.needs import of_model, own_python, package_name
from core.images.wheels import needed_by, wheel
from core.targets.azureml.bodies import SCRIPT
from scoring import manifest

FOLDER = "scoring"
SERVER_PIN = "azureml-inference-server-http~=1.4"
"""What calls the script; it is not installed here, so its version is the newest of this series."""
_SHIM = '''\
"""What Azure ML calls: `init` once, `run` with each request."""

import json
import os
import sys
import tempfile
from pathlib import Path

from scoring.score import init as begin, run

__all__ = ["init", "run"]


def init() -> None:
    """A model that its own packages run is run by this interpreter, which has them."""
    root = Path(os.environ.get("AZUREML_MODEL_DIR", "."))
    found = min(root.glob("**/model.json"), key=lambda path: len(path.parts), default=None)
    about = json.loads(found.read_bytes()) if found is not None else {}
    if about.get("python"):
        # What is mounted can't be written.
        folder = Path(tempfile.mkdtemp(prefix="quarterdeck-"))
        for one in found.parent.iterdir():
            if one.name != found.name:
                (folder / one.name).symlink_to(one.resolve())
        (folder / found.name).write_text(json.dumps({**about, "python": sys.executable}))
        os.environ["AZUREML_MODEL_DIR"] = str(folder)
    begin()
'''
_ABOUT, _THERE = "model.json", "python"
_OLDEST = (3, 11)
"""What the scoring package needs, which runs in the same interpreter there."""
_OF_OUR_SERVER = frozenset({"granian", "click"})
"""Azure's own server answers there."""


def code_files() -> dict[str, bytes]:
    """The files by their paths."""
    home = Path(str(scoring.__file__)).parent
    found = {f"{FOLDER}/{path.relative_to(home).as_posix()}": path.read_bytes() for path in sorted(home.rglob("*.py"))}
    return {SCRIPT: _SHIM.encode(), **found}


def files_of(model: Path) -> dict[str, bytes]:
    """A model's files by their names; raises Failed for one that can't be served there."""
    try:
        about = manifest.read(model)
    except manifest.ModelError as error:
        raise Failed(str(error)) from None
    if not about.python:
        return {name: entry.read() for name, entry in model_files(model).items()}
    held = model / about.file
    found = {path.relative_to(model).as_posix(): path for path in sorted(held.rglob("*")) if path.is_file()}
    files = {name: path.read_bytes() for name, path in found.items() if "__pycache__" not in name}
    # Where the interpreter lies on this machine is nobody's matter there.
    said = {**json.loads((model / _ABOUT).read_bytes()), "python": _THERE}
    return {_ABOUT: json.dumps(said, indent=1, sort_keys=True).encode(), **files}


def packages(model: Path, files: Iterable[str]) -> tuple[str, list[str]]:
    """The Python, and the packages that serving this model needs: of ours as they are installed here, else the model's
    own as it names them. Raises Failed."""
    names = [name for name in needed_by(files) if name not in _OF_OUR_SERVER]
    ours = [wheel(name).pin.replace("xgboost==", "xgboost-cpu==") for name in names]
    about = manifest.read(model)
    if not about.python:
        return own_python(), [SERVER_PIN, *ours]
    needs = of_model(model / about.file)
    if tuple(map(int, needs.python.split("."))) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise Failed(f"{model.name}: it was logged with Python {needs.python}, and served there it needs {oldest}")
    theirs = set(map(package_name, needs.packages))
    return needs.python, [SERVER_PIN, *(pin for pin in ours if package_name(pin) not in theirs), *needs.packages]


def digest(files: Mapping[str, bytes]) -> str:
    """Of a folder, by the rule of the service's clients (202208): the number of files, names, sizes, content."""
    taken = hashlib.sha256(str(len(files)).encode())
    ordered = sorted(files, key=str.lower)
    for name in ordered:
        taken.update(f"#{name}#".encode() + str(len(files[name])).encode())
    for name in ordered:
        taken.update(files[name])
    return taken.hexdigest()
