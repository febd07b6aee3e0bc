"""The settings of images: what they are made of, and where they are kept."""

from typing import Literal

from pydantic import field_validator

from core.config.quantities import SettingsPart
from core.domain.errors import BadInput
from core.domain.image_reference import Reference, parse


class ImageSettings(SettingsPart):
    """The image of a version. `repository` is where it is pushed, `registry.example.com/team/late`.

    `builder`: docker, podman or buildah follow the Dockerfile, from `base`; `quarterdeck` needs none of them and packs
    this machine's interpreter. `auto` is the first of these that works here. `platform` is the machine's that the image
    is for, where it is another one than this; a builder may have to emulate it.
    """

    repository: str | None = None
    base: str | None = None
    platform: Literal["linux/amd64", "linux/arm64"] | None = None
    builder: Literal["auto", "docker", "podman", "buildah", "quarterdeck"] = "auto"

    @field_validator("repository")
    @classmethod
    def _place(cls, repository: str | None) -> str | None:
        if repository is not None:
            place = _parsed(repository)
            if place.tag or place.digest:
                raise ValueError(f"{repository!r} holds a tag or a digest; a version's tag is its own: NAME-vN")
        return repository

    @field_validator("base")
    @classmethod
    def _image(cls, base: str | None) -> str | None:
        if base is not None:
            _parsed(base)
        return base


def _parsed(text: str) -> Reference:
    try:
        return parse(text)
    except BadInput as error:
        raise ValueError(str(error)) from None
