"""The version's image, where the place that serves takes versions from a registry of images."""

import asyncio
from pathlib import Path

from core.domain.model import Version
from core.images.places import place_of
from core.images.publish import published
from core.work.alias import wanted
from core.work.fetch import brought
from core.work.job import Done, Job, Report
from core.work.registry import answering, connect, local_folder, resolve


def run(job: Job, say: Report) -> Done:
    """Options `model`, `number` and `uri`: the version of the release. Built once, however often it is tried."""
    model, number, uri = wanted(job, "model", "number", "uri")
    version = Version(model, number, uri=uri)
    place = place_of(job.settings, model)
    say.progress(None, f"the image of {version.label}")

    async def lies(_: Version) -> Path:
        folder = local_folder(job.settings, {"model": model, "number": number})
        if (folder / "model.json").is_file():
            return folder
        registry = connect(job.settings)
        with answering(registry.shown):
            return brought(job, resolve(registry, uri), registry, say)

    made = asyncio.run(published(job.settings, version, lies, place, say))
    return Done({"image": made.pushed[-1], "bytes": made.size}, made.digest.removeprefix("sha256:")[:12])
