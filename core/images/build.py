"""An image without any builder: this machine's interpreter and packages, and the model, packed as the OCI has it.

The same model gives the same digest, as long as interpreter, packages and C libraries are the same.
"""

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import scoring
from core.domain.image_reference import tag_of
from core.domain.model import Version
from core.images import container, sbom, wheels
from core.images.bytecode import with_bytecode
from core.images.interpreter import interpreter
from core.images.layout import CONFIG, MANIFEST, Blob, ImageLayer, Layout
from core.images.libraries import elves, libraries
from core.images.model_files import model_files
from core.images.tree import Entry, Tree, file, under
from core.system.text import size

OURS = ("usr/local/", f"{container.CODE}/", f"{container.MODEL}/", "etc/", "tmp")
"""What else is in an image is this machine's."""
ITSELF = "quarterdeck"
"""The builder of images that need none."""


@dataclass(frozen=True, slots=True)
class Made:
    """An image in our layout: by whom, its manifest, the bytes of its files, and what it holds as a bill names it."""

    builder: str
    manifest: Blob
    unpacked: int
    parts: tuple[sbom.Part, ...]


def packed(layout: Layout, version: Version, folder: Path, say: Callable[[str], None]) -> Made:
    """Make the image of the version in `folder`; raises Failed. Blocks for some seconds."""
    model = model_files(folder)
    packages = [wheels.wheel(name) for name in wheels.needed_by(model)]
    say(f"packages: {', '.join(one.pin for one in packages)}")
    base = interpreter()
    trees: dict[str, Tree] = {
        "interpreter": base,
        "packages": _packages(packages, base),
        "scoring": _scoring(),
        "model": under(container.MODEL, model),
    }
    with layout.writing():
        layers = {what: _packed(layout, what, tree, say) for what, tree in trees.items()}
        manifest = manifest_of(layout, version, layers)
        layout.name(tag_of(version.model, version.number), manifest)
    shared = {path: entry for tree in trees.values() for path, entry in tree.items() if not path.startswith(OURS)}
    ours = (sbom.interpreter(platform.python_version()), *sbom.packages(packages))
    parts = (*ours, *sbom.system_packages(shared), *sbom.libraries(shared))
    return Made(ITSELF, manifest, sum(layer.unpacked for layer in layers.values()), parts)


def manifest_of(layout: Layout, version: Version, layers: Mapping[str, ImageLayer]) -> Blob:
    """Put the config and the manifest over layers into a layout."""
    config = layout.put_json(CONFIG, container.config(version, {what: each.diff for what, each in layers.items()}))
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.to_json(),
        "layers": [each.blob.to_json() for each in layers.values()],
        "annotations": {"org.opencontainers.image.created": container.EPOCH, **container.labels(version)},
    }
    return layout.put_json(MANIFEST, document)


def _packed(layout: Layout, what: str, tree: Tree, say: Callable[[str], None]) -> ImageLayer:
    layer = layout.pack(tree)
    say(f"{what}: {size(layer.unpacked)}, packed {size(layer.blob.size)}")
    return layer


def _packages(packages: list[wheels.Wheel], base: Tree) -> dict[str, Entry]:
    """The packages' files, with the libraries of this machine that the interpreter does not need, too."""
    files = {path: entry for one in packages for path, entry in one.files.items()}
    found = under(container.CODE, files)
    places = {entry.content: path for path, entry in files.items() if isinstance(entry.content, Path)}
    homes = {Path(str(where)[: -len(path)]) for where, path in places.items()}
    needed = {path: entry for path, entry in libraries(elves(found), homes).items() if path not in base}
    return {**with_bytecode(found, str(sys.implementation.cache_tag)), **needed}


def _scoring() -> dict[str, Entry]:
    folder = Path(str(scoring.__file__)).parent
    files = {f"scoring/{path.relative_to(folder)}": file(path) for path in folder.rglob("*.py")}
    return with_bytecode(under(container.CODE, files), str(sys.implementation.cache_tag))
