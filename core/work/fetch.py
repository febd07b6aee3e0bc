"""A version that is registered already, as a folder that can be served."""

import shutil

from core.errors import Failed
from core.work import bundle, flavour
from core.work.job import Done, Job, Say
from core.work.promote import wanted
from core.work.registry import answering, connect, fetch, local_folder, noun, resolve


def run(job: Job, say: Say) -> Done:
    """Option `uri`: `models:/NAME@ALIAS` or `models:/NAME/7`."""
    (uri,) = wanted(job, "uri")
    registry = connect(job.settings)
    with answering(registry.shown):
        found = resolve(registry, uri)
    version = noun(found)
    scratch = job.folder / "fetched"
    source = fetch(found, registry, scratch)
    try:
        flavour.Folder(source)
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise Failed(f"{version['uri']}: will not load: {reason[-1] if reason else type(error).__name__}") from error
    rows = job.folder / "rows.jsonl"
    folder = bundle.copy(source, local_folder(job.settings, version), version, rows)
    shutil.rmtree(scratch, ignore_errors=True)
    say(f"{uri} is {version['uri']}, run {version['run_id'] or 'unknown'}")
    return Done({"version": version, "folder": str(folder), "registry": registry.shown}, f"v{version['number']}")
