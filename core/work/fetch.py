"""A version that is registered already, as a folder that can be served."""

import shutil
from pathlib import Path

from core.domain.errors import Failed
from core.work import bundle, flavour
from core.work.job import Done, Job, Report, one_line
from core.work.promote import wanted
from core.work.registry import answering, connect, fetch, local_folder, noun, resolve
from scoring import model as scoring


def run(job: Job, say: Report) -> Done:
    """Option `uri`: `models:/NAME@ALIAS` or `models:/NAME/7`."""
    (uri,) = wanted(job, "uri")
    registry = connect(job.settings)
    with answering(registry.shown):
        found = resolve(registry, uri)
    version = noun(found)
    scratch = job.folder / "fetched"
    source = fetch(found, registry, scratch)
    if broken := _broken(source):
        raise Failed(f"{version['uri']}: will not load: {broken}")
    folder = local_folder(job.settings, version)
    if folder.exists() and (broken := _broken(folder)):
        say(f"{folder}: will not load ({broken}); taken from the registry anew")
        shutil.rmtree(folder)
    bundle.copy(source, folder, version)
    shutil.rmtree(scratch, ignore_errors=True)
    say(f"{uri} is {version['uri']}, run {version['run_id'] or 'unknown'}")
    why = found.tags.get("converged", "yes")
    result = {
        "version": version,
        "folder": str(folder),
        "registry": registry.shown,
        "baseline": found.tags.get("baseline"),
        "converged": why == "yes",
        "why": why,
    }
    return Done(result, f"v{version['number']}")


def _broken(folder: Path) -> str:
    """Why neither an endpoint nor MLflow could use a model folder; empty where both can."""
    try:
        scoring.load(folder)
        flavour.Folder(folder)
    except Exception as error:
        return one_line(error)
    return ""
