"""What is in an image, as CycloneDX: the interpreter, each package with its version, each library by its hash."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from core.domain.model import Version
from core.images.debian import packages_of
from core.images.tree import Tree
from core.images.wheels import Wheel

FORMAT = "1.6"

Part: TypeAlias = Mapping[str, Any]
"""One thing that is in an image."""


def bill(version: Version, digest: str, parts: Sequence[Part]) -> dict[str, Any]:
    """The document for one image; the same image has the same one."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": FORMAT,
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": digest,
                "name": version.model,
                "version": version.number,
                "hashes": [_hash(digest.removeprefix("sha256:"))],
            }
        },
        "components": list(parts),
        "dependencies": [{"ref": digest, "dependsOn": [str(one["bom-ref"]) for one in parts]}],
    }


def interpreter(python: str) -> Part:
    """The interpreter, by its version."""
    return _component("application", "python", python, f"pkg:generic/python@{python}", "PSF-2.0")


def base(name: str) -> Part:
    """The image that another was built on, by its name: what is in it, its own maker says."""
    return {"type": "container", "bom-ref": name, "name": name}


def packages(wheels: Iterable[Wheel]) -> Iterable[Part]:
    """Packages of PyPI."""
    for one in wheels:
        name = one.name.lower()
        yield _component("library", name, one.version, f"pkg:pypi/{quote(name)}@{quote(one.version)}", one.licence)


def system_packages(tree: Tree) -> Iterable[Part]:
    """Packages of Debian that libraries of the machine are of; on another system nothing."""
    for one in packages_of(entry.content for entry in tree.values() if isinstance(entry.content, Path)):
        yield _component("library", one.name, one.version, one.purl, "")


def libraries(tree: Tree) -> Iterable[Part]:
    """Libraries of the machine that the image was made on, by their hashes."""
    for path, entry in sorted(tree.items()):
        digest = hashlib.sha256(entry.read()).hexdigest()
        name = PurePosixPath(path).name
        yield {"type": "file", "bom-ref": f"file:/{path}", "name": name, "hashes": [_hash(digest)]}


def _component(kind: str, name: str, version: str, purl: str, licence: str) -> Part:
    found: dict[str, Any] = {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return {**found, "licenses": [{"license": {"name": licence}}]} if licence else found


def _hash(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}
