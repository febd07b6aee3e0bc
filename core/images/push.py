"""An image out of the project's layout into a registry, and the proof that it is there."""

import json
from collections.abc import Callable

from core.domain.errors import BadInput, Failed
from core.domain.image_reference import Reference
from core.images.credentials import Credentials
from core.images.image_registry import ImageRegistry
from core.images.layout import MANIFEST, Blob, Layout
from core.images.record import ImageRecord
from core.system.text import size


async def push(
    layout: Layout,
    image: ImageRecord,
    place: Reference,
    who: Callable[[], Credentials | None],
    say: Callable[[str], None],
) -> Reference:
    """Send what is not there yet; where the image can be pulled, by its digest. Raises Failed, Unreachable."""
    manifest = layout.manifest(image.tag)
    if manifest is None or manifest.digest != image.digest:
        again = f"quarterdeck image build {image.number}"
        raise BadInput(f"the image of v{image.number} is gone from {layout.folder}: {again}")
    content = layout.read(manifest.digest)
    registry = ImageRegistry(place, who)
    try:
        before = await registry.digest_of(image.tag, MANIFEST)
        if before != image.digest:
            if before is not None:
                say(f"{place.tagged(image.tag)} was {before}, and is another image from now on")
            await _send(layout, registry, _blobs(content), say)
            await registry.name(image.tag, MANIFEST, content)
        for name in (image.tag, image.digest):
            found = await registry.digest_of(name, MANIFEST)
            if found != image.digest:
                raise Failed(f"{place.registry}: {name} is {found or 'not there'} after the push, not {image.digest}")
    finally:
        await registry.close()
    return place.pinned(image.digest)


def _blobs(content: bytes) -> list[Blob]:
    document = json.loads(content)
    return [Blob.from_json(each) for each in (*document["layers"], document["config"])]


async def _send(layout: Layout, registry: ImageRegistry, blobs: list[Blob], say: Callable[[str], None]) -> None:
    for number, blob in enumerate(blobs, 1):
        what = f"blob {number} of {len(blobs)}, {size(blob.size)}"
        path = layout.path(blob.digest)
        if not path.is_file():
            raise Failed(f"{path}: is gone; build the image again")
        if await registry.has(blob.digest):
            say(f"{what}: is there already")
        else:
            await registry.take(blob, path)
            say(f"{what}: sent")
