"""Builders that follow a Dockerfile: which of them works here, and their images brought into our layout."""

import asyncio
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Failed, QuarterdeckError
from core.images import commands
from core.images.adopt import adopted
from core.images.layout import Blob, Layout

LOOK_S = 15.0
PULL_S = 600.0
BUILD_S = 1800.0
SAVE_S = 300.0


@dataclass(frozen=True, slots=True)
class BaseImage:
    """What an image begins from; without a `platform` that of this machine."""

    name: str
    platform: str = ""

    @property
    def flags(self) -> tuple[str, ...]:
        """As every builder takes them."""
        return ("--platform", self.platform) if self.platform else ()


@dataclass(frozen=True, slots=True)
class Builder:
    """One of them. `save` writes an image into a place as the OCI lays it out: a tar or a folder."""

    name: str
    works: tuple[str, ...]
    has: tuple[str, ...]
    pull: tuple[str, ...]
    build: tuple[str, ...]
    save: Callable[[str, Path], Sequence[str]]
    remove: tuple[str, ...]


def _docker_save(image: str, place: Path) -> Sequence[str]:
    return ("docker", "save", "-o", str(place), image)


def _podman_save(image: str, place: Path) -> Sequence[str]:
    return ("podman", "save", "--format", "oci-archive", "-o", str(place), image)


def _buildah_save(image: str, place: Path) -> Sequence[str]:
    return ("buildah", "push", "--format", "oci", image, f"oci-archive:{place}")


# A time that is always the same, so that the same model gives the same digest.
_STILL = ("--timestamp", "0", "--format", "oci")
BUILDERS: Mapping[str, Builder] = {
    one.name: one
    for one in (
        Builder(
            "docker",
            ("docker", "version", "--format", "{{.Server.Version}}"),
            ("docker", "image", "inspect"),
            ("docker", "pull"),
            ("docker", "build", "--pull=false"),
            _docker_save,
            ("docker", "image", "rm"),
        ),
        Builder(
            "podman",
            ("podman", "info", "--format", "{{.Version.Version}}"),
            ("podman", "image", "exists"),
            ("podman", "pull"),
            ("podman", "build", "--pull=never", *_STILL),
            _podman_save,
            ("podman", "image", "rm"),
        ),
        Builder(
            "buildah",
            ("buildah", "version"),
            ("buildah", "inspect", "--type", "image"),
            ("buildah", "pull"),
            ("buildah", "build", "--pull-never", *_STILL),
            _buildah_save,
            ("buildah", "rmi"),
        ),
    )
}


async def working() -> Builder | None:
    """The first that answers here."""
    for one in BUILDERS.values():
        try:
            await answers(one)
        except Failed:
            continue
        return one
    return None


async def answers(builder: Builder) -> None:
    """Raises Failed where it is not there, or does not work here."""
    try:
        await commands.run(builder.works, LOOK_S)
    except Failed as error:
        raise Failed(f"{error}; see that {builder.name} works here, or set image.builder to another") from None


async def have(builder: Builder, base: BaseImage, say: Callable[[str], None]) -> None:
    """Have what the image begins from; raises Failed where it can't be pulled."""
    # Of which platform the one is that is there already, each of them would say otherwise.
    if not base.platform and await _has(builder, base):
        return
    say(f"{builder.name} pulls {base.name}{f' for {base.platform}' if base.platform else ''}")
    await commands.run((*builder.pull, *base.flags, base.name), PULL_S)


async def _has(builder: Builder, base: BaseImage) -> bool:
    try:
        await commands.run((*builder.has, base.name), LOOK_S)
    except Failed:
        return False
    return True


async def build(
    builder: Builder, context: Path, base: BaseImage, tag: str, layout: Layout, say: Callable[[str], None]
) -> tuple[Blob, int]:
    """Follow the Dockerfile of a folder; the image's manifest in our layout, and its size unpacked. Raises Failed."""
    image = f"localhost/quarterdeck/{tag.lower()}:build"
    given = ("--build-arg", f"BASE={base.name}", "--build-arg", "PIP_INDEX_URL")
    await commands.run((*builder.build, *base.flags, *given, "-t", image, str(context)), BUILD_S, say)
    try:
        with tempfile.TemporaryDirectory(prefix="quarterdeck-", dir=layout.folder.parent) as scratch:
            archive = Path(scratch) / "image.tar"
            await commands.run(builder.save(image, archive), SAVE_S)
            return await asyncio.to_thread(adopted, layout, archive, tag)
    except (OSError, tarfile.TarError) as error:
        raise Failed(f"{builder.name}: its image can't be read: {error}; try image.builder: quarterdeck") from None
    finally:
        await _forget(builder, image)


async def _forget(builder: Builder, image: str) -> None:
    """Ours has it; where its own can't be removed it takes room there, and no more."""
    try:
        await commands.run((*builder.remove, image), LOOK_S)
    except QuarterdeckError:
        return
