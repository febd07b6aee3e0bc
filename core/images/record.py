"""What is known of the image of each version: a file in the project's state, so that a deployment can pin it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.config.config import state_folder
from core.config.settings import Settings
from core.domain.errors import BadInput, Failed
from core.domain.image_reference import repository_of

FOLDER = "images"


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image. `size` and `unpacked` are bytes, packed and as files; `pushed` are the places that have it, the newest
    last, each pinned by its digest."""

    model: str
    number: str
    digest: str
    tag: str
    builder: str
    size: int
    unpacked: int
    pushed: tuple[str, ...] = ()

    def with_place(self, place: str) -> "ImageRecord":
        """Also kept there."""
        return replace(self, pushed=(*(each for each in self.pushed if each != place), place))


def folder_of(settings: Settings) -> Path:
    """Where the project keeps its images and what is known of them."""
    return state_folder(settings) / FOLDER


def path_of(settings: Settings, model: str, number: str, ending: str = "json") -> Path:
    """The file about one version's image."""
    return folder_of(settings) / f"{repository_of(model)}-{number}.{ending}"


def bill_of(settings: Settings, record: ImageRecord) -> Path:
    """Where it is said what is in an image."""
    return path_of(settings, record.model, record.number, "cdx.json")


def keep(settings: Settings, record: ImageRecord) -> None:
    """Write it down; raises Failed where the disk can't be written."""
    write(path_of(settings, record.model, record.number), asdict(record))


def write(path: Path, document: Mapping[str, object]) -> None:
    """A document, whole or not at all; raises Failed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        beside.write_text(json.dumps(document, indent=1))
        beside.replace(path)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror or error}; what is known of the image was not kept") from None


def known(settings: Settings, model: str, number: str) -> ImageRecord | None:
    """What is known of a version's image; None where none was built here."""
    try:
        read = json.loads(path_of(settings, model, number).read_text())
        record = ImageRecord(**{**read, "pushed": tuple(read["pushed"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if (record.model, record.number) == (model, number) else None


def pinned(settings: Settings, version: str) -> str:
    """`registry/repository@sha256:…` of a version's image, which a cluster can pull; raises BadInput without one."""
    number = version.removeprefix("v")
    record = known(settings, settings.model, number)
    if record is None:
        raise BadInput(f"v{number} has no image yet: quarterdeck image build {number}, then image push {number}")
    if not record.pushed:
        raise BadInput(f"the image of v{number} is on this machine alone: quarterdeck image push {number}")
    return record.pushed[-1]
