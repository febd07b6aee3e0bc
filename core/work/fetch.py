"""A version that is registered already, as a folder that can be served."""

import shutil
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, get_model_info
from xgboost.core import XGBoostError

from core.domain.errors import Failed
from core.work import bundle, flavour
from core.work.convert import convert, is_ours, refusal
from core.work.job import Done, Job, Report, one_line
from core.work.promote import wanted
from core.work.registry import NotOurs, Registry, answering, connect, fetch, local_folder, noun, resolve, said
from scoring import model as scoring


def run(job: Job, say: Report) -> Done:
    """Option `uri`: `models:/NAME@ALIAS`, `models:/NAME/7`, `models:/NAME/latest` or `runs:/RUN/PATH`."""
    (uri,) = wanted(job, "uri")
    registry = connect(job.settings)
    with answering(registry.shown):
        found = resolve(registry, uri)
    version = noun(found)
    scratch = job.folder / "fetched"
    source = _source(found, version["uri"], registry, scratch, say)
    if broken := _broken(source):
        raise Failed(f"{version['uri']}: will not load: {broken}")
    folder = local_folder(job.settings, version)
    if folder.exists() and (broken := _broken(folder)):
        say(f"{folder}: will not load ({broken}); taken from the registry anew")
        shutil.rmtree(folder)
    bundle.copy(source, folder, version, registry.shown)
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


def look(job: Job, say: Report) -> Done:
    """Whether what the option `uri` names can be released, by what it says of itself. Raises Failed or BadInput."""
    (uri,) = wanted(job, "uri")
    registry = connect(job.settings)
    with answering(registry.shown):
        about = get_model_info(uri) if uri.startswith("runs:") else None
        if about is None:
            about = get_model_info(noun(resolve(registry, uri))["uri"])
    model = Model(flavors=about.flavors, signature=about.signature)
    if not is_ours(model) and (why := refusal(model)):
        raise Failed(f"{uri}: {why}")
    say(f"{uri} can be served")
    return Done({"uri": uri}, "ok")


def _source(found: ModelVersion, uri: str, registry: Registry, scratch: Path, say: Report) -> Path:
    """The version's model folder, its own or one made of what somebody else logged."""
    try:
        return fetch(found, registry, scratch)
    except NotOurs as theirs:
        folder = scratch / "converted"
        try:
            missing = convert(theirs.where, folder)
        except Failed as error:
            raise Failed(f"{uri}: {error}") from None
        except (MlflowException, XGBoostError, OSError, ValueError, LookupError) as error:
            raise Failed(f"{uri}: its files can't be read: {said(error)}") from error
        say(f"{uri}: xgboost, served as it is" + (f"; {missing}" if missing else ""))
        return folder


def _broken(folder: Path) -> str:
    """Why neither an endpoint nor MLflow could use a model folder; empty where both can."""
    try:
        scoring.load(folder)
        flavour.Folder(folder)
    except Exception as error:
        return one_line(error)
    return ""
