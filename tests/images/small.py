"""A small model and its image's layers, for tests that look at what is packed rather than at what is served."""

import json
from pathlib import Path
from typing import Any

from core.config.config import load
from core.config.settings import Settings
from core.domain.model import Version
from core.images.layout import Layout
from core.images.tree import Entry, Tree, file

V3 = Version("late", "3", "run-3", "models:/late/3")
TREE: Tree = {
    "app/service.py": file(b"print('here')\n"),
    "usr/local/bin/python3.11": file(b"\x7fELF and more", program=True),
    "usr/local/bin/python": Entry(link="python3.11"),
    "tmp": Entry(0o1777),
}


def made(folder: Path) -> Path:
    """A folder that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def project(folder: Path, **image: Any) -> Settings:
    """A project in this folder."""
    image = {"builder": "quarterdeck", **image}
    settings = {"data": {"source": "iris", "target": "species"}, "endpoint": {"name": "late"}, "image": image}
    (folder / "quarterdeck.yaml").write_text(json.dumps(settings))
    return load(folder, environ={})


def linear(folder: Path) -> Path:
    """A model folder that needs no library: of two numbers the greater side wins."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = [{"name": name, "type": "number"} for name in ("left", "right")]
    about = {"format": 1, "task": "classification", "algorithm": "Linear", "file": "linear.json", "treelite": None}
    more = {"fields": fields, "target": "side", "labels": ["left", "right"], "example": {"left": 1, "right": 2}}
    (folder / "model.json").write_text(json.dumps({**about, **more}))
    columns = [{"number": [-1.0], "missing": [0.0]}, {"number": [1.0], "missing": [0.0]}]
    weights = {"intercepts": [0.0], "columns": columns}
    (folder / "linear.json").write_text(json.dumps(weights))
    (folder / "rows.jsonl").write_text('{"left": 1, "right": 2}\n')
    return folder


def packed(folder: Path, tree: Tree = TREE) -> str:
    """The digest of a tree as a layer."""
    layout = Layout(folder)
    with layout.writing():
        return layout.pack(tree).blob.digest
