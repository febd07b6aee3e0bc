"""The image of a version by whoever is to build it, and what is kept of it."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from core.config.settings import Settings
from core.domain.errors import BadInput, Failed, Refused
from core.domain.image_reference import parse, tag_of
from core.domain.model import Version
from core.images import build, builders, container, dockerfile, record, sbom
from core.images.layout import Layout
from core.images.model_files import model_files


async def make(settings: Settings, version: Version, folder: Path, say: Callable[[str], None]) -> record.ImageRecord:
    """Build the image of the version in `folder`, and write down what it is. Raises Failed, BadInput."""
    # Before anything is asked of a builder.
    model_files(folder)
    layout = layout_of(settings)
    base = builders.BaseImage(settings.image.base or dockerfile.usual_base(), settings.image.platform or "")
    builder = await _chosen(settings, base, say)
    if builder is None:
        made = await asyncio.to_thread(build.packed, layout, version, folder, say)
    else:
        made = await _followed(builder, layout, version, folder, base, say)
    return _kept(settings, layout, version, made)


def layout_of(settings: Settings) -> Layout:
    """Where a project keeps its images."""
    return Layout(record.folder_of(settings) / "layout")


async def _chosen(settings: Settings, base: builders.BaseImage, say: Callable[[str], None]) -> builders.Builder | None:
    """Who builds; None where nobody is needed. What was named must work, `auto` goes on to the next."""
    named, without = settings.image.builder, _needs_one(base)
    if named == build.ITSELF:
        if without:
            raise BadInput(f"image.builder: {without}: name docker, podman or buildah")
        return None
    if named != "auto":
        builder = builders.BUILDERS[named]
        await builders.answers(builder)
        try:
            await builders.have(builder, base, say)
        except Failed as error:
            raise Failed(f"{error}; set image.base to an image that can be had here, or image.builder") from None
        return builder
    found = await builders.working()
    if found is None:
        if without:
            raise BadInput(f"none of docker, podman and buildah works here, and {without}")
        return None
    try:
        await builders.have(found, base, say)
    except Failed as error:
        if settings.image.base is not None or without:
            raise
        say(f"{error}; packed without it, from this machine's interpreter")
        return None
    return found


def _needs_one(base: builders.BaseImage) -> str:
    """Why an image can't be made of this machine's interpreter; empty where it can."""
    if sys.platform != "linux":
        return "this machine is no Linux, whose interpreter an image could have"
    here = f"linux/{container.architecture()}"
    return f"an image for {base.platform} can't be packed on {here}" if base.platform not in ("", here) else ""


async def _followed(
    builder: builders.Builder,
    layout: Layout,
    version: Version,
    folder: Path,
    base: builders.BaseImage,
    say: Callable[[str], None],
) -> build.Made:
    """By a builder, from the Dockerfile."""
    tag = tag_of(version.model, version.number)
    if not parse(base.name).digest:
        say(f"{base.name} is a tag, which may mean another image tomorrow; image.base: NAME@sha256:… pins it")
    layout.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="quarterdeck-", dir=layout.folder.parent) as scratch:
        context = Path(scratch) / "context"
        packages = await asyncio.to_thread(dockerfile.write, version, context, folder, base.name, tag)
        manifest, unpacked = await builders.build(builder, context, base, tag, layout, say)
    return build.Made(builder.name, manifest, unpacked, (sbom.base(base.name), *sbom.packages(packages)))


def _kept(settings: Settings, layout: Layout, version: Version, made: build.Made) -> record.ImageRecord:
    """What is known of it, written down; where it was pushed stays known as long as it is the same image."""
    digest = made.manifest.digest
    bill = sbom.bill(version, digest, made.parts)
    record.write(record.path_of(settings, version.model, version.number, "cdx.json"), bill)
    before = record.known(settings, version.model, version.number)
    known = record.ImageRecord(
        version.model,
        version.number,
        digest,
        tag_of(version.model, version.number),
        made.builder,
        sum(int(each["size"]) for each in json.loads(layout.read(digest))["layers"]),
        made.unpacked,
        before.pushed if before is not None and before.digest == digest else (),
    )
    record.keep(settings, known)
    return known


def write_dockerfile(settings: Settings, version: Version, model: Path, folder: Path) -> None:
    """What a builder needs, into a folder; raises Refused where it holds something else."""
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder}: is a file; name a folder")
    base = settings.image.base or dockerfile.usual_base()
    dockerfile.write(version, folder, model, base, tag_of(version.model, version.number))
