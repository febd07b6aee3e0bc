"""Whether what answers as a version holds its model: an image may be named for a version that it was not made of."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from core.domain.errors import Failed
from core.domain.model import Version
from scoring import fingerprint

SHOWN = 19
"""So many characters of a digest tell it from others."""


async def check_model(about: Mapping[str, object], version: Version, folder: Path) -> None:
    """Raise Failed where a service says of itself (`/metadata`) that its model is another than that of the folder.

    What says nothing of it, such as a service of an earlier release, is not judged.
    """
    held = str(about.get("model_digest") or "")
    meant = await asyncio.to_thread(fingerprint.of_folder, folder) if held else ""
    if meant and held != meant:
        raise Failed(
            f"what answers as {version.full} holds another model ({held[:SHOWN]}) than this version ({meant[:SHOWN]}): "
            f"its image was made of another one; name or build that of {version.label}, and release again"
        )
