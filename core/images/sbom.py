"""What is in an image, as CycloneDX: the interpreter, each package with its version, each library by its hash. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from core.domain.model import Version
from core.images.tree import Tree
from core.images.wheels import Wheel

FORMAT = "1.6"


def bill(version: Version, digest: str, python: str, wheels: Iterable[Wheel], libraries: Tree) -> dict[str, Any]:
    """The document for one image; the same image has the same one."""
    components = [
        _component("application", "python", python, f"pkg:generic/python@{python}", "PSF-2.0"),
        *(_component("library", one.name, one.version, _pypi(one), one.licence) for one in wheels),
        *_files(libraries),
    ]
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
        "components": components,
        "dependencies": [{"ref": digest, "dependsOn": [str(one["bom-ref"]) for one in components]}],
    }


def _component(kind: str, name: str, version: str, purl: str, licence: str) -> dict[str, Any]:
    found: dict[str, Any] = {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return {**found, "licenses": [{"license": {"name": licence}}]} if licence else found


def _pypi(wheel: Wheel) -> str:
    return f"pkg:pypi/{quote(wheel.name)}@{quote(wheel.version)}"


def _files(libraries: Tree) -> Iterable[Mapping[str, Any]]:
    """Libraries of the machine that the image was made on: of which package each was, only their hashes can say."""
    for path, entry in sorted(libraries.items()):
        digest = hashlib.sha256(entry.read()).hexdigest()
        name = PurePosixPath(path).name
        yield {"type": "file", "bom-ref": f"file:/{path}", "name": name, "hashes": [_hash(digest)]}


def _hash(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}
