"""An image without any builder: this machine's interpreter and packages, and the model, packed as the OCI has it.

The same model gives the same digest, as long as interpreter, packages and C libraries are the same.
"""

import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import scoring
from core.config.settings import Settings
from core.domain.image_reference import tag_of
from core.domain.model import Version
from core.images import container, record, sbom, wheels
from core.images.bytecode import with_bytecode
from core.images.interpreter import interpreter
from core.images.layout import CONFIG, MANIFEST, Blob, ImageLayer, Layout
from core.images.libraries import elves, libraries
from core.images.model_files import model_files
from core.images.tree import Entry, Tree, file, under

OURS = ("usr/local/", f"{container.CODE}/", f"{container.MODEL}/", "etc/", "tmp")
"""What else is in an image is this machine's."""
ITSELF = "quarterdeck"
"""The builder of images that need none."""


def build(settings: Settings, version: Version, folder: Path, say: Callable[[str], None]) -> record.ImageRecord:
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
    layout = Layout(record.folder_of(settings) / "layout")
    with layout.writing():
        layers = {what: _packed(layout, what, tree, say) for what, tree in trees.items()}
        manifest = manifest_of(layout, version, layers)
        tag = tag_of(version.model, version.number)
        layout.name(tag, manifest)
    shared = {path: entry for tree in trees.values() for path, entry in tree.items() if _is_shared(path)}
    document = sbom.bill(version, manifest.digest, platform.python_version(), packages, shared)
    record.write(record.path_of(settings, version.model, version.number, "cdx.json"), document)
    before = record.known(settings, version.model, version.number)
    made = record.ImageRecord(
        version.model,
        version.number,
        manifest.digest,
        tag,
        ITSELF,
        sum(layer.blob.size for layer in layers.values()),
        sum(layer.unpacked for layer in layers.values()),
        before.pushed if before is not None and before.digest == manifest.digest else (),
    )
    record.keep(settings, made)
    return made


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
    say(f"{what}: {layer.unpacked / 1e6:.1f} MB, packed {layer.blob.size / 1e6:.1f} MB")
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


def _is_shared(path: str) -> bool:
    return not path.startswith(OURS)
