"""A version that is registered already, as a folder that can be served."""

import shutil
from contextlib import suppress
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, get_model_info
from mlflow.models.model import ModelInfo
from xgboost.core import XGBoostError

from core.domain.errors import Failed
from core.images.needs import needs_in
from core.work import bundle, environment, flavour, foreign
from core.work.alias import wanted
from core.work.convert import convert, is_ours, refusal
from core.work.job import Done, Job, Report, one_line
from core.work.registry import NotOurs, Registry, answering, connect, fetch, local_folder, noun, resolve, said
from scoring import model as scoring


def run(job: Job, say: Report) -> Done:
    """Option `uri`: `models:/NAME@ALIAS`, `models:/NAME/7`, `models:/NAME/latest` or `runs:/RUN/PATH`."""
    (uri,) = wanted(job, "uri")
    registry = connect(job.settings)
    with answering(registry.shown):
        found = resolve(registry, uri)
    version = noun(found)
    folder = brought(job, found, registry, say)
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


def brought(job: Job, found: ModelVersion, registry: Registry, say: Report) -> Path:
    """A version's folder, out of the registry. Raises Failed where it can't be served."""
    version = noun(found)
    scratch = job.folder / "fetched"
    source = _source(job, found, version["uri"], registry, scratch, say)
    if broken := _broken(source):
        raise Failed(f"{version['uri']}: will not load: {broken}")
    folder = local_folder(job.settings, version)
    if folder.exists() and (broken := _broken(folder)):
        say(f"{folder}: will not load ({broken}); taken from the registry anew")
        shutil.rmtree(folder)
    bundle.copy(source, folder, version, registry.shown)
    shutil.rmtree(scratch, ignore_errors=True)
    return folder


def look(job: Job, say: Report) -> Done:
    """Whether what the option `uri` names can be released, by what it says of itself. Raises Failed or BadInput."""
    (uri,) = wanted(job, "uri")
    registry = connect(job.settings)
    with answering(registry.shown):
        where = uri if uri.startswith("runs:") else noun(resolve(registry, uri))["uri"]
        about = get_model_info(where)
    example = about.saved_input_example_info
    model = Model(flavors=about.flavors, signature=about.signature, saved_input_example_info=example)
    if not is_ours(model) and refusal(model) and (why := _without_ours(job, where, about, model)):
        raise Failed(f"{uri}: {why}")
    say(f"{uri} can be served")
    return Done({"uri": uri}, "ok")


def _without_ours(job: Job, uri: str, about: ModelInfo, model: Model) -> str:
    """Why a model that only its own packages can run is not served, by what it says of itself; empty where it is."""
    if why := foreign.refusal(model):
        return why
    scratch = job.folder / "look"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    with suppress(MlflowException, OSError):
        mlflow.artifacts.download_artifacts(artifact_uri=f"{uri}/requirements.txt", dst_path=str(scratch))
    if not (scratch / "requirements.txt").is_file():
        return ""
    version = str(model.flavors["python_function"].get("python_version") or "")
    try:
        needs = needs_in(scratch, version, str(about.mlflow_version or ""))
        return environment.refusal(needs, job.settings.registry.wheels_only)
    except Failed as error:
        return str(error)


def _source(job: Job, found: ModelVersion, uri: str, registry: Registry, scratch: Path, say: Report) -> Path:
    """The version's model folder, its own or one made of what somebody else logged."""
    try:
        return fetch(found, registry, scratch)
    except NotOurs as theirs:
        folder = scratch / "converted"
        try:
            missing = _converted(theirs.where, folder, job.settings.registry.wheels_only, say)
        except Failed as error:
            raise Failed(f"{uri}: {error}") from None
        except (MlflowException, XGBoostError, OSError, ValueError, LookupError) as error:
            raise Failed(f"{uri}: its files can't be read: {said(error)}") from error
        if missing:
            say(f"{uri}: {missing}")
        return folder


def _converted(where: Path, folder: Path, wheels_only: bool, say: Report) -> str:
    """A model folder of trees where those answer as the model does, else one that its own packages run."""
    about = Model.load(str(where))
    why = refusal(about)
    if not why or is_ours(about):
        try:
            missing = convert(where, folder)
        except Failed as error:
            if is_ours(about):
                raise
            why = str(error)
            shutil.rmtree(folder, ignore_errors=True)
        else:
            say("xgboost, served by the fast path")
            return missing
    missing = foreign.make(where, folder, wheels_only, say)
    say(f"{foreign.flavour(about)}, served by its own packages ({why})")
    return missing


def _broken(folder: Path) -> str:
    """Why neither an endpoint nor MLflow could use a model folder; empty where both can."""
    try:
        python = scoring.load(folder).about.python
        if not python:
            flavour.Folder(folder)
        elif not Path(python).exists():
            return f"its packages at {python} are gone"
    except Exception as error:
        return one_line(error)
    return ""
