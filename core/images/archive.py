"""An image as one file: what `docker load`, `podman load`, `kind load image-archive` and `ctr images import` take."""

import json
import os
import tarfile
from io import BytesIO
from pathlib import Path

from core.domain.errors import Failed, Refused
from core.images.layout import INDEX, NAMED, Layout
from core.images.record import ImageRecord


def free(path: Path) -> None:
    """Raises Refused where a file is there already."""
    if path.exists():
        raise Refused(f"{path}: is there already; name another file, or remove it")


def save(layout: Layout, image: ImageRecord, path: Path) -> None:
    """Write it, whole or not at all; raises Refused where a file is there already, Failed where it can't be written."""
    free(path)
    manifest = layout.manifest(image.tag)
    if manifest is None or manifest.digest != image.digest:
        again = f"quarterdeck image build {image.number}"
        raise Failed(f"the image of v{image.number} is gone from {layout.folder}: {again}")
    document = json.loads(layout.read(manifest.digest))
    config, layers = document["config"]["digest"], [each["digest"] for each in document["layers"]]
    name = f"{image.tag.rpartition('-v')[0]}:{image.tag}"
    notes = {NAMED: image.tag, "io.containerd.image.name": f"docker.io/library/{name}"}
    named = {**manifest.to_json(), "annotations": notes}
    loaded = {"Config": _place(config), "RepoTags": [name], "Layers": [_place(each) for each in layers]}
    documents = {
        "index.json": {"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]},
        "manifest.json": [loaded],
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
    }
    blobs = {_place(each): layout.path(each) for each in (manifest.digest, config, *layers)}
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with tarfile.open(beside, "w", format=tarfile.PAX_FORMAT) as tar:
            for place, where in sorted(blobs.items()):
                with where.open("rb") as file:
                    tar.addfile(_about(place, where.stat().st_size), file)
            for place, content in sorted(documents.items()):
                text = json.dumps(content).encode()
                tar.addfile(_about(place, len(text)), BytesIO(text))
        beside.replace(path)
    except OSError as error:
        raise Failed(f"{error.filename or path}: {error.strerror or error}; the archive was not written") from None
    finally:
        beside.unlink(missing_ok=True)


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _about(place: str, size: int) -> tarfile.TarInfo:
    about = tarfile.TarInfo(place)
    about.size, about.mode = size, 0o644
    return about
