"""Names of images: `registry/repository:tag` and `registry/repository@sha256:…`, checked before anything is asked."""

import re
from dataclasses import dataclass, replace

from core.domain.errors import BadInput

DOCKER_HUB = "registry-1.docker.io"
DIGEST = re.compile(r"^sha256:[0-9a-f]{64}\Z")
_REGISTRY = re.compile(r"^(?:\[[0-9a-f:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d{1,5})?\Z")
_PART = re.compile(r"^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*\Z")
_TAG = re.compile(r"^\w[\w.-]{0,127}\Z", re.ASCII)
_LONGEST = 255
_UNFIT = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an image is kept. Of tag and digest one is given, or neither where only a place is meant."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tail = f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else ""
        return f"{self.registry}/{self.repository}{tail}"

    def tagged(self, tag: str) -> "Reference":
        """The same place under a tag."""
        return replace(self, tag=tag, digest="")

    def pinned(self, digest: str) -> "Reference":
        """The same place by the digest of one image, which never means another."""
        return replace(self, tag="", digest=digest)


def parse(text: str) -> Reference:
    """A name as people write it; raises BadInput. What names no registry is Docker Hub's."""
    rest, _, digest = text.partition("@")
    if digest and not DIGEST.match(digest):
        raise BadInput(f"image {text!r}: what stands after @ should be sha256: and 64 hexadecimal digits")
    head, slash, tail = rest.partition("/")
    named = bool(slash) and ("." in head or ":" in head or head in ("localhost", head.upper()))
    registry, path = (head, tail) if named else ("docker.io", rest)
    path, colon, tag = path.rpartition(":") if ":" in path else (path, "", "")
    if colon and not _TAG.match(tag):
        raise BadInput(f"image {text!r}: the tag {tag!r} should be letters, digits, '.', '_' and '-', at most 128")
    if registry == "docker.io":
        registry, path = DOCKER_HUB, path if "/" in path else f"library/{path}"
    if not _REGISTRY.match(registry):
        raise BadInput(f"image {text!r}: {registry!r} is no registry's host, such as registry.example.com:5000")
    if not path or len(path) > _LONGEST or not all(_PART.match(part) for part in path.split("/")):
        raise BadInput(f"image {text!r}: {path!r} should be small letters, digits and . _ - between them, parted by /")
    return Reference(registry, path, "" if digest else tag, digest)


def repository_of(model: str) -> str:
    """A model's name as a part of a repository's: `Churn Model` is `churn-model`."""
    return _UNFIT.sub("-", model.lower()).strip("-") or "model"


def tag_of(model: str, number: str) -> str:
    """The tag of one version, `churn-model-v7`; the model stands in it, as several may share a repository."""
    return f"{repository_of(model)[:100]}-v{number}"
