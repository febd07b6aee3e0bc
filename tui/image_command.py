"""`quarterdeck image build` and `push`: the version that is meant, its folder, its image, and where that goes."""

import asyncio
import shlex
from collections.abc import Callable
from pathlib import Path

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.domain.errors import BadInput, Refused
from core.domain.model import Version
from core.engine.model_folders import ModelFolders
from core.engine.project import Project
from core.images import record
from core.images.archive import free, save
from core.images.make import layout_of, make, write_dockerfile
from core.images.model_files import version_in
from core.images.places import place_of
from core.images.publish import published, sizes
from core.rollout.promotion import known_anywhere
from core.state.fold import fold_all
from tui.audit_command import past


async def build(project: Project, number: str, archive: Path | None, write: Callable[[str], None]) -> int:
    """Make it and say what came of it; the exit code."""
    if archive is not None:
        free(archive)
    made = await _built(project.settings, meant(project, number), write)
    if archive is not None:
        await asyncio.to_thread(save, layout_of(project.settings), made, archive)
        write(f"wrote {archive}; docker load, podman load and kind load image-archive take it")
    return 0


async def push(project: Project, number: str, to: str, write: Callable[[str], None]) -> int:
    """Bring it to a registry and keep where it is; the exit code."""
    settings, version = project.settings, meant(project, number)
    place = place_of(settings, version.model, to)
    models = ModelFolders(settings)
    try:
        await published(settings, version, models.of, place, write)
    finally:
        await models.close()
    return 0


async def dockerfile(project: Project, number: str, folder: Path, write: Callable[[str], None]) -> int:
    """Write what a builder needs, for those who build elsewhere; the exit code."""
    version, model = await _fetched(project.settings, meant(project, number))
    write_dockerfile(project.settings, version, model, folder)
    write(f"wrote {folder}: {version.model} {version.label}; next: docker build {shlex.quote(str(folder))}")
    return 0


async def _fetched(settings: Settings, version: Version) -> tuple[Version, Path]:
    """The version as its folder says it, and the folder; out of the registry where it is not here."""
    models = ModelFolders(settings)
    try:
        folder = await models.of(version)
    finally:
        await models.close()
    return version_in(folder, version.model, version.number), folder


async def _built(settings: Settings, version: Version, write: Callable[[str], None]) -> record.ImageRecord:
    version, folder = await _fetched(settings, version)
    made = await make(settings, version, folder, write)
    write(sizes(made))
    where = f"oci:{layout_of(settings).folder}:{made.tag}"
    write(f"kept as {where}, made by {made.builder}; what is in it: {record.bill_of(settings, made)}")
    return made


def meant(project: Project, number: str) -> Version:
    """The version of a number, or the one that serves in the environment; raises BadInput or Refused."""
    settings = project.settings
    with past(project) as journal:
        snapshot = fold_all(journal.recent(journal.clock.now()))
    if not number:
        serves = snapshot.endpoint(endpoint_name(settings)).served
        if serves is None:
            raise Refused(f"{endpoint_name(settings)} serves nothing; name the version of {settings.model}")
        return serves
    if not number.removeprefix("v").isdecimal():
        raise BadInput(f"version {shlex.quote(number)}: a version is named by its number, such as 3")
    names = [name for name, own in project.by_endpoint().items() if own.model == settings.model]
    number = number.removeprefix("v")
    known = known_anywhere(snapshot, names, number)
    return known or Version(settings.model, number, uri=f"models:/{settings.model}/{number}")
