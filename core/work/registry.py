"""MLflow: where it is, its runs, its versions and aliases. What it says goes wrong comes out as one line."""

import contextlib
import importlib.metadata
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from core.config.config import state_folder, tracking_uri
from core.config.settings import Settings
from core.domain.errors import BadInput, Failed
from core.work.job import one_line

PROBE_S = 3.0
ENVIRONMENT = dict(os.environ)
"""As it was given to us: MLflow writes the address of the last registry into MLFLOW_TRACKING_URI."""
CANDIDATE = "candidate"
_SQLITE = "sqlite:///"
_MODEL_URI = re.compile(r"^models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>\d+|latest))$")
_RUN_URI = re.compile(r"^runs:/(?P<run>[^/@]+)/(?P<path>[^@]+)$")
_RESERVED = re.compile(r"^v\d+$|^latest$|^\d+$", re.IGNORECASE)


class NotOurs(Exception):
    """A version was downloaded to the folder `where`, and holds no model folder."""

    def __init__(self, where: Path) -> None:
        super().__init__(f"{where}: holds no model folder")
        self.where = where


@dataclass(frozen=True, slots=True)
class Registry:
    """An open way to MLflow. `shown` is its address without a password."""

    client: MlflowClient
    shown: str
    settings: Settings

    def experiment(self) -> str:
        """The id of the experiment that holds the runs of this model."""
        name = self.settings.registry.experiment or self.settings.model
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        place = None
        if urlsplit(tracking_uri(self.settings, ENVIRONMENT)).scheme.startswith("sqlite"):
            # Else MLflow would write ./mlruns into the folder that the command happens to run in.
            place = (state_folder(self.settings) / "mlartifacts").as_uri()
        return str(self.client.create_experiment(name, artifact_location=place))

    def at(self, alias: str, model: str = "") -> ModelVersion | None:
        """The version that an alias points to; None where it points nowhere."""
        try:
            return self.client.get_model_version_by_alias(model or self.settings.model, alias)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise

    def point(self, alias: str, number: str | None, model: str = "") -> None:
        """Let an alias point to a version; None takes it away."""
        model = model or self.settings.model
        if _RESERVED.match(alias):
            raise BadInput(f"alias {alias!r}: the registry keeps names like v3 and latest to itself; take another")
        if number is None:
            if self.at(alias, model) is not None:
                self.client.delete_registered_model_alias(model, alias)
            return
        self.client.set_registered_model_alias(model, alias, number)


def connect(settings: Settings) -> Registry:
    """Open the registry, with its tables made where it is a new file. Raises Failed when nobody answers."""
    uri = tracking_uri(settings, ENVIRONMENT)
    shown = without_password(uri)
    if urlsplit(uri).scheme in {"", "file"}:
        raise BadInput(
            f"MLflow no longer keeps models in plain folders such as {shown}: name a server or sqlite:///FILE"
        )
    if uri.startswith(_SQLITE):
        _create(Path(uri.removeprefix(_SQLITE)))
    elif urlsplit(uri).scheme in {"http", "https"}:
        _probe(uri, shown)
    with answering(shown):
        mlflow.set_tracking_uri(uri)
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return Registry(client, shown, settings)


def _create(file: Path) -> None:
    """Make the tables beside the file and rename: whoever is killed meanwhile leaves no half of a database."""
    if not str(file).strip("/") or file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        with answering(str(file)):
            MlflowClient(tracking_uri=f"{_SQLITE}{beside}").search_experiments(max_results=1)
        with contextlib.suppress(FileExistsError):  # another process was first, and its tables are as good
            os.link(beside, file)
    finally:
        beside.unlink(missing_ok=True)


def _probe(uri: str, shown: str) -> None:
    """Whether anybody listens: MLflow itself would try for minutes."""
    parts = urlsplit(uri)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), PROBE_S).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise Failed(f"MLflow at {shown} does not answer ({why}): start it, or unset MLFLOW_TRACKING_URI") from None


@contextlib.contextmanager
def answering(shown: str) -> Iterator[None]:
    """Turn what MLflow raises into one line."""
    try:
        yield
    except MlflowException as error:
        raise Failed(f"MLflow at {shown}: {said(error)}") from error


def without_password(text: str) -> str:
    """Addresses without what stands between // and @."""
    return re.sub(r"(?<=//)[^/@\s]+@", "", text)


def resolve(registry: Registry, uri: str) -> ModelVersion:
    """The version that a `models:/…` address names, or that was made of what a `runs:/…` one names.

    Raises BadInput or Failed, saying what is missing.
    """
    if run := _RUN_URI.match(uri):
        return _of_run(registry, uri, run["run"])
    match = _MODEL_URI.match(uri)
    if match is None:
        forms = "models:/NAME@ALIAS, models:/NAME/7, models:/NAME/latest or runs:/RUN/PATH"
        raise BadInput(f"{uri}: not an address of a model; write {forms}")
    name, alias, number = match["name"], match["alias"], match["number"]
    client = registry.client
    if number == "latest":
        newest = client.search_model_versions(f"name = '{name}'", order_by=["version_number DESC"], max_results=1)
        if not newest:
            raise Failed(f"{uri}: {registry.shown} holds no version of a model {name!r}")
        return newest[0]
    try:
        if number:
            return client.get_model_version(name, number)
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise Failed(f"MLflow at {registry.shown}: {said(error)}") from error
    try:
        known = client.get_registered_model(name)
    except MlflowException:
        raise Failed(f"{uri}: {registry.shown} holds no model {name!r}") from None
    if number:
        raise Failed(f"{uri}: {name} has no version {number} in {registry.shown}")
    aliases = ", ".join(sorted(known.aliases)) or "none"
    raise Failed(f"{uri}: {name} has no alias {alias!r} in {registry.shown}; it has {aliases}")


def _of_run(registry: Registry, uri: str, run: str) -> ModelVersion:
    """The version of what a run logged: the one that was registered under this project's name, else a new one."""
    name = registry.settings.model
    try:
        registry.client.get_run(run)
        known = registry.client.search_model_versions(f"run_id = '{run}'")
        # One run may have logged several models; a version's own `model_id` is empty, its source names the model.
        model = mlflow.models.get_model_info(uri).model_id
        source = f"models:/{model}" if model else f"/{uri.removeprefix('runs:/').partition('/')[2]}"
        own = next((one for one in known if one.name == name and (one.source or "").endswith(source)), None)
        return own or mlflow.register_model(uri, name)
    except MlflowException as error:
        raise Failed(f"{uri}: {said(error)}") from error


def said(error: Exception) -> str:
    """What MLflow says, in one line and without a password."""
    return without_password(one_line(error.message if isinstance(error, MlflowException) else error))


def noun(version: ModelVersion) -> Mapping[str, Any]:
    """A version as the fields of `core.domain.model.Version`."""
    return {
        "model": version.name,
        "number": str(version.version),
        "run_id": version.run_id or "",
        "uri": f"models:/{version.name}/{version.version}",
        "digest": version.tags.get("data_digest", ""),
    }


def local_folder(settings: Settings, version: Mapping[str, Any]) -> Path:
    """Where a version's model lies for the local target."""
    return state_folder(settings) / "models" / f"{version['model']}-{version['number']}"


def fetch(version: ModelVersion, registry: Registry, scratch: Path) -> Path:
    """A version's model folder out of the registry, somewhere in `scratch`. Raises Failed where its
    files can't be had, NotOurs where somebody else made it."""
    uri = f"models:/{version.name}/{version.version}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        where = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(scratch)))
    except (MlflowException, OSError) as error:
        raise Failed(f"{uri}: its files can't be read from {registry.shown}: {said(error)}") from error
    folder = where / "artifacts" / "folder"
    if not (folder / "model.json").is_file():
        raise NotOurs(where)
    return folder


def requirements(file: str) -> list[str]:
    """What the logged model needs, with the versions that made it."""
    package = {".ubj": ["xgboost", "xgboost-cpu"], ".json": []}.get(Path(file).suffix, ["treelite"])
    pins = []
    for name in ["mlflow", "numpy", "pandas", *package]:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            pins.append(f"{name}=={importlib.metadata.version(name)}")
    return pins
