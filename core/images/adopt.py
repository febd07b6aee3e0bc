"""An image that another program saved, into our layout: each blob is what its name says, or none of it is taken."""

import hashlib
import json
import re
import tarfile
from pathlib import Path
from typing import Any

from core.domain.errors import Failed
from core.images.layout import MANIFEST, Blob, Layout

_BLOB = re.compile(r"^(?:\./)?blobs/sha256/([0-9a-f]{64})\Z")


def adopted(layout: Layout, archive: Path, tag: str) -> tuple[Blob, int]:
    """Keep the one image of an archive under a tag; its manifest, and the bytes of its files. Raises Failed."""
    with tarfile.open(archive) as tar, layout.writing():
        members = {each.name.removeprefix("./"): each for each in tar.getmembers() if each.isfile()}
        if "index.json" not in members:
            raise Failed("the builder saved no OCI image (docker does from version 25 on); update it")
        named = _one(json.loads(_read(tar, members["index.json"])))
        content = _blob(tar, members, named.digest)
        document = json.loads(content)
        for each in (document["config"], *document["layers"]):
            blob = Blob.from_json(each)
            layout.put(blob.kind, _blob(tar, members, blob.digest))
        manifest = layout.put(MANIFEST, content)
        unpacked = sum(_unpacked(layout.path(each["digest"])) for each in document["layers"])
        layout.name(tag, manifest)
    return manifest, unpacked


def _one(index: dict[str, Any]) -> Blob:
    found = [each for each in index["manifests"] if each.get("mediaType") == MANIFEST]
    if len(found) != 1:
        raise Failed(f"the builder saved {len(found)} images where one was expected; update it")
    return Blob.from_json(found[0])


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()


def _blob(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], digest: str) -> bytes:
    name = f"blobs/{digest.replace(':', '/')}"
    if not _BLOB.match(name) or name not in members:
        raise Failed(f"the builder saved an image without its part {digest[:80]}; build it again")
    content = _read(tar, members[name])
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise Failed(f"the builder saved an image whose part {digest} is another; build it again")
    return content


def _unpacked(layer: Path) -> int:
    with tarfile.open(layer) as tar:
        return sum(each.size for each in tar if each.isfile())
