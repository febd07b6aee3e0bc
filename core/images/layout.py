"""A folder of images as the OCI lays it out: blobs by their digest, and an index that names them.

docker, podman, buildah, skopeo and crane read it as `oci:FOLDER:TAG`. Whoever writes holds its lock.
"""

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from core.domain.errors import Failed
from core.images.tree import Entry, Tree, ordered

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
NAMED = "org.opencontainers.image.ref.name"
LOCK_S = 120.0
LOOK_S = 0.1
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of the layout, by what it holds. `size` is in bytes."""

    kind: str
    digest: str
    size: int

    def to_json(self) -> dict[str, Any]:
        """As manifests name it."""
        return {"mediaType": self.kind, "digest": self.digest, "size": self.size}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Blob":
        """Back from a manifest; raises KeyError or ValueError for anything else."""
        return cls(str(plain["mediaType"]), str(plain["digest"]), int(plain["size"]))


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """A packed tree. `diff` is the digest of its tar, `unpacked` how many bytes its files hold."""

    blob: Blob
    diff: str
    unpacked: int


class Layout:
    """The folder; made when it is first written to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """One writer at a time; raises Failed where another does not end, or the disk can't be written."""
        try:
            self._blobs.mkdir(parents=True, exist_ok=True)
            with (self.folder / "lock").open("w") as lock:
                _take(lock, self.folder)
                yield
        except OSError as error:
            raise Failed(
                f"{error.filename or self.folder}: {error.strerror or error}; the image was not written"
            ) from None

    def path(self, digest: str) -> Path:
        """Where a blob lies."""
        return self._blobs / digest.removeprefix("sha256:")

    def read(self, digest: str) -> bytes:
        """A small blob, whole; raises Failed where it is gone or is not what its name says."""
        try:
            content = self.path(digest).read_bytes()
        except OSError as error:
            raise Failed(f"{self.path(digest)}: {error.strerror}; build the image again") from None
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise Failed(f"{self.path(digest)}: is not what its name says; build the image again")
        return content

    def put(self, kind: str, content: bytes) -> Blob:
        """Keep bytes."""
        with _Sink(self._blobs) as sink:
            sink.write(content)
        return sink.blob(kind)

    def put_json(self, kind: str, document: Mapping[str, Any]) -> Blob:
        """Keep a document, always written in the same way."""
        return self.put(kind, json.dumps(document, separators=(",", ":"), sort_keys=True).encode())

    def pack(self, tree: Tree) -> ImageLayer:
        """Keep a tree as a layer. Nothing of this machine is in it: no time, no owner, no order of a folder."""
        with _Sink(self._blobs) as sink, gzip.GzipFile("", "wb", 6, sink, mtime=0) as packed:
            diff = _Hashed(packed)
            with tarfile.open(fileobj=diff, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
                unpacked = sum(_add(tar, path, entry) for path, entry in ordered(tree))
        return ImageLayer(sink.blob(LAYER), diff.digest, unpacked)

    def name(self, tag: str, manifest: Blob) -> None:
        """Have a tag mean this manifest, and drop what no tag needs any more."""
        others = [each for each in self._index() if each.get("annotations", {}).get(NAMED) != tag]
        named = {**manifest.to_json(), "annotations": {NAMED: tag}}
        _write(self.folder / "oci-layout", {"imageLayoutVersion": "1.0.0"})
        _write(self.folder / "index.json", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, named]})
        needed = {digest for each in (*others, named) for digest in self._needed(str(each["digest"]))}
        for path in self._blobs.iterdir():
            if f"sha256:{path.name}" not in needed:
                path.unlink(missing_ok=True)

    def manifest(self, tag: str) -> Blob | None:
        """What a tag means; None where it means nothing."""
        for each in self._index():
            if each.get("annotations", {}).get(NAMED) == tag:
                return Blob.from_json(each)
        return None

    def _index(self) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = json.loads((self.folder / "index.json").read_bytes())["manifests"]
        except (OSError, ValueError, KeyError):
            return []
        return found

    def _needed(self, digest: str) -> list[str]:
        try:
            document = json.loads(self.path(digest).read_bytes())
        except (OSError, ValueError):
            return [digest]
        return [digest, document["config"]["digest"], *(each["digest"] for each in document["layers"])]


class _Hashed:
    """A stream that is hashed on its way into another."""

    def __init__(self, into: Any) -> None:
        self._into = into
        self._hash = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        self._into.write(content)
        return len(content)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class _Sink:
    """A blob while it is written: under its name only once it is whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._beside = folder / f".{os.getpid()}.{time.monotonic_ns()}"
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> "_Sink":
        self._file = self._beside.open("wb")
        return self

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        self.size += len(content)
        return self._file.write(content)

    def flush(self) -> None:
        """Asked by gzip at its end."""

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._file.close()
            if kind is None:
                self._beside.replace(self._folder / self._hash.hexdigest())
        finally:
            self._beside.unlink(missing_ok=True)

    def blob(self, kind: str) -> Blob:
        return Blob(kind, f"sha256:{self._hash.hexdigest()}", self.size)


def _add(tar: tarfile.TarFile, path: str, entry: Entry) -> int:
    """Put one path into a layer; how many bytes it holds."""
    about = tarfile.TarInfo(path)
    about.mode = entry.mode
    if entry.link:
        about.type, about.linkname = tarfile.SYMTYPE, entry.link
    elif not entry.is_file:
        about.type = tarfile.DIRTYPE
    else:
        content = entry.read()
        about.size = len(content)
        tar.addfile(about, BytesIO(content))
        return about.size
    tar.addfile(about)
    return 0


def _take(lock: IO[str], folder: Path) -> None:
    until = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise Failed(f"{folder}: another process has been writing images for {LOCK_S:g} s; end it") from None
            time.sleep(LOOK_S)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(json.dumps(document, indent=1))
    beside.replace(path)
