"""A version's image, built where it is not there yet, in the registry that is meant; where it is stays written down."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from core.config.settings import Settings
from core.domain.image_reference import Reference
from core.domain.model import Version
from core.images import push, record
from core.images.make import layout_of, make
from core.images.model_files import version_in
from core.images.places import login_of


async def published(
    settings: Settings,
    version: Version,
    lies: Callable[[Version], Awaitable[Path]],
    place: Reference,
    say: Callable[[str], None],
) -> record.ImageRecord:
    """The version's image, whose newest place is the one that it was pushed to.

    `lies` is asked for the version's folder where the image must be built. Raises Failed, BadInput and Unreachable.
    """
    layout = layout_of(settings)
    made = record.known(settings, version.model, version.number)
    if made is None or layout.manifest(made.tag) is None:
        folder = await lies(version)
        made = await make(settings, version_in(folder, version.model, version.number), folder, say)
        say(sizes(made))
    there = await push.push(layout, made, place, login_of(place, say), say)
    made = made.with_place(str(there))
    record.keep(settings, made)
    say(f"{version.model} {version.label} is {there}, also {place.tagged(made.tag)}")
    return made


def sizes(made: record.ImageRecord) -> str:
    """Which image it is, and how large, in words."""
    return f"{made.model} v{made.number}: {made.digest}, {made.unpacked / 1e6:.0f} MB, {made.size / 1e6:.0f} MB packed"
