"""From quarterdeck.yaml, variables and flags to the settings of one environment. Errors are one line."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import ValidationError

from core.config import several
from core.config.errors import complain
from core.config.layers import (
    FLAGS,
    PREFIX,
    VARIABLES,
    Layer,
    Values,
    filled,
    from_sets,
    from_variables,
    merged,
    read_file,
    spelled,
)
from core.config.settings import SAMPLES, SQL, EnvironmentName, Settings, places_of
from core.config.targets import target_parts
from core.domain.errors import BadInput

FILE = "quarterdeck.yaml"
STATE = ".quarterdeck"
OURS = frozenset(PREFIX + name for name in ("API_KEY", "BUILD_NUMBER", "HEADERS", "KEY", "LOAD", "ROWS"))
"""Variables with our prefix that are no settings; what `endpoint.key_env` names is none either."""

NAMING = frozenset({f"{PREFIX}ENDPOINT__NAME"})
"""The variable that chooses one of several endpoints."""
ENVIRONMENTS: tuple[EnvironmentName, ...] = get_args(EnvironmentName)
FLOORS: Mapping[EnvironmentName, Values] = {
    "dev": {
        "thresholds": {"min_accuracy": 0.75},
        "release": {"smoke_limits": {"p50_ms": 500.0, "p95_ms": 3000.0, "p99_ms": 5000.0, "success_percent": 90.0}},
    },
    "staging": {
        "thresholds": {"min_accuracy": 0.85, "min_precision": 0.80, "min_recall": 0.75},
        "release": {"smoke_limits": {"p50_ms": 800.0, "p95_ms": 2500.0, "p99_ms": 4000.0, "success_percent": 95.0}},
    },
    "prod": {
        "thresholds": {
            "min_accuracy": 0.90,
            "min_precision": 0.85,
            "min_recall": 0.80,
            "beat_baseline": True,
            "refuse_worse": True,
            "significance": 0.05,
        },
        "release": {"strategy": "gradual-blue-green"},
        "approve": "person",
    },
}
"""What an environment asks where the project says nothing."""


def load(
    config: Path | None = None,
    env: str | None = None,
    sets: Sequence[str] = (),
    input_data: Path | None = None,
    environ: Mapping[str, str] | None = None,
    endpoint: str = "",
) -> Settings:
    """The settings of the environment `env`, else of the one that the file names; raises BadInput.

    Defaults, then quarterdeck.yaml, its section for the environment, the one for the endpoint where it has several,
    `QUARTERDECK_…` variables, `--set`: each over the one before. Of several it is `endpoint`, else the one that a
    flag or a variable names, else the first.
    """
    path = find(config)
    given = os.environ if environ is None else environ
    values = read_file(path)
    names = several.names_of(values, path.name)
    sections = _sections(values, path.name)
    apart = ("environments", several.KEY)
    project = Layer({key: value for key, value in values.items() if key not in apart}, path.name)
    variables = from_variables(given, OURS | _keys([project, *sections.values()]))
    flags = from_sets(sets)
    own: list[Layer] = []
    if names:
        name = endpoint or several.meant(names, (flags, variables)) or names[0]
        own = [several.section_of(values, name, path.name)]
        flags, variables = several.nameless(flags), several.nameless(variables)
    chosen = _environment(env, (flags, variables, project))
    data = {} if input_data is None else _from_file(input_data)
    settings = {}
    for name in ENVIRONMENTS:
        layers = [Layer(_floors(name, sections)), project, sections[name], *own]
        if name == chosen:
            _refuse_unasked(name, layers, (variables, flags))
            layers += [variables, flags, Layer(data)]
        # The environments not chosen are checked too: a slip in prod shows while working on dev.
        settings[name] = _build(path, name, layers, given)
    several.refuse_meeting(names, list(settings.values()), path.name)
    return settings[chosen]


def endpoints(config: Path | None = None) -> tuple[str, ...]:
    """The names of a project's endpoints where it has several, in the file's order; raises BadInput."""
    path = find(config)
    return several.names_of(read_file(path), path.name)


def endpoints_meant(config: Path | None, sets: Sequence[str]) -> tuple[str, ...]:
    """The one of several endpoints that a flag or a variable names, else all of them; raises BadInput."""
    names = endpoints(config)
    variable = from_variables({key: os.environ[key] for key in NAMING & os.environ.keys()}, ())
    named = several.meant(names, (from_sets(sets), variable)) if names else ""
    return (named,) if named else names


def find(config: Path | None) -> Path:
    """The project's quarterdeck.yaml: the file that is named, the one in a folder, or here; raises BadInput."""
    path = Path(FILE) if config is None else config
    if path.is_dir():
        path /= FILE
    if path.is_file():
        return path.resolve()
    if path.name != FILE:
        raise BadInput(f"{path}: {'not a file' if path.exists() else 'no such file'}; name a {FILE}")
    folder = path.resolve().parent
    raise BadInput(f"no {FILE} in {folder}: run 'quarterdeck init DIR --sample flights' or pass --config")


def _sections(values: Values, name: str) -> dict[EnvironmentName, Layer]:
    """The environments' own parts of the file."""
    sections = values.get("environments", {})
    if not isinstance(sections, dict):
        raise BadInput(f"{name}: environments: should be a mapping of {', '.join(ENVIRONMENTS)}")
    for key, section in sections.items():
        if key not in ENVIRONMENTS:
            raise BadInput(f"{name}: environments.{key}: unknown key; one of {', '.join(ENVIRONMENTS)}")
        if section is not None and not isinstance(section, dict):
            raise BadInput(f"{name}: environments.{key}: should be a mapping of settings")
    found = {key: Layer(filled(sections.get(key)), name, f"environments.{key}") for key in ENVIRONMENTS}
    marked = [key for key, layer in found.items() if layer.values.get("production") is True]
    if len(marked) > 1:
        raise BadInput(f"{name}: environments: {' and '.join(marked)} can't both be production")
    return found


def _keys(layers: Sequence[Layer]) -> set[str]:
    """The names of the variables that hold API keys."""
    parts = [layer.values.get("endpoint") for layer in layers]
    return {str(part["key_env"]) for part in parts if isinstance(part, dict) and part.get("key_env")}


def _environment(env: str | None, layers: Sequence[Layer]) -> EnvironmentName:
    """What `--env` says, else the first layer that says it, else dev."""
    place, given = "--env", env
    for layer in layers:
        if given is None and "environment" in layer.values:
            place, given = layer.path(["environment"]), layer.values["environment"]
    for name in ENVIRONMENTS:
        if name == (given or "dev"):
            return name
    raise BadInput(f"{place}: {given!r} is none of {', '.join(ENVIRONMENTS)}")


def _floors(name: EnvironmentName, sections: Mapping[EnvironmentName, Layer]) -> Values:
    """What the environment asks by itself; prod is production unless another one is."""
    marked = any(section.values.get("production") is True for section in sections.values())
    return {**FLOORS[name], "production": name == "prod" and not marked}


def _from_file(data: Path) -> Values:
    # Months and rows choose from a sample; of a file that was named all rows are meant.
    return {"data": {"source": str(data.resolve()), "months": None, "rows": None}}


def _build(path: Path, name: EnvironmentName, layers: Sequence[Layer], environ: Mapping[str, str]) -> Settings:
    values: dict[str, Any] = {}
    layers = [replace(layer, values=spelled(layer.values)) for layer in layers]
    for layer in layers:
        _refuse_misplaced(layer)
        values = merged(values, layer.values)
    # A part that nobody needs now is read by the same rules as where it is needed.
    written = (name for name in target_parts() if values.get(name) is not None)
    for place in dict.fromkeys((*places_of(values), *written)):
        if (part := target_parts().get(place)) is not None:
            usual = part.usual(name, path.parent, environ)
            # What only trains there says nothing of how the endpoint is.
            values = merged(usual if place == values.get("target") else {place: usual.get(place, {})}, values)
            layers = [_elsewhere(place, usual, part.written_in(path.parent, environ)), *layers]
    found = {"folder": path.parent, "environment": name, "floors_from": _floors_from(name, layers)}
    try:
        return Settings.model_validate({**values, **found})
    except ValidationError as error:
        raise BadInput(complain(error, layers)) from None


def _elsewhere(place: str, usual: Values, written: Mapping[str, str]) -> Layer:
    """What a target's part read elsewhere, with where each of it stands."""
    found = {key: usual[place][key] for key in written}
    return Layer({place: found}, places={(place, key): where for key, where in written.items()})


def _refuse_unasked(name: EnvironmentName, written: Sequence[Layer], given: Sequence[Layer]) -> None:
    """That a person is asked in production, no flag or variable takes away."""
    said: dict[str, Any] = {}
    for layer in written:
        said = merged(said, layer.values)
    for layer in given:
        approve = layer.values.get("approve", said.get("approve"))
        if said.get("production") is True and approve != said.get("approve") and approve != "person":
            agreed = f"in {name} only quarterdeck.yaml says that nobody is asked; --confirm {name} agrees once"
            raise BadInput(f"{layer.path(['approve'])}: {agreed}")


def _floors_from(name: EnvironmentName, layers: Sequence[Layer]) -> Mapping[str, str]:
    """Where each threshold is set: as its place writes it, or that it is what the environment asks by itself."""
    found = {}
    for layer in layers:
        thresholds = layer.values.get("thresholds")
        for key in thresholds if isinstance(thresholds, Mapping) else ():
            keys = ("thresholds", str(key))
            found[str(key)] = layer.path(keys) if layer.source else f"{'.'.join(keys)}, which {name} asks by itself"
    return found


def _refuse_misplaced(layer: Layer) -> None:
    """Settings that only mean something in one place are refused in the others."""
    if layer.source and "production" in layer.values and not layer.section:
        raise BadInput(f"{layer.path(['production'])}: belongs into environments.NAME of the file")
    for key in ("environment", "environments"):
        if layer.section and key in layer.values:
            raise BadInput(f"{layer.path([key])}: belongs to the top of the file")
    if layer.source in (FLAGS, VARIABLES) and layer.values.get("read_only", True) is not True:
        # What the file locks, nobody unlocks for one call.
        raise BadInput(f"{layer.path(['read_only'])}: can only be set to true here; the file says when it is over")
    for key in ("environments", several.KEY, "folder", "floors_from"):
        if layer.source and key in layer.values:
            raise BadInput(f"{layer.path([key])}: can't be set here")


def endpoint_name(settings: Settings) -> str:
    """What the endpoint of this environment is called: `late` in prod, `late-dev` in dev."""
    return several.called(settings.endpoint.name, settings.environment)


def alias(settings: Settings) -> str:
    """The registry's alias for the version that this environment serves."""
    return "production" if settings.production else settings.environment


def previous_alias(settings: Settings) -> str:
    """The registry's alias for the version that this environment served before."""
    return "previous" if settings.production else f"{settings.environment}-previous"


def state_folder(settings: Settings) -> Path:
    """Where journal, models and running endpoints of the project are kept."""
    return settings.folder / STATE


def runs_folder(settings: Settings) -> Path:
    """Where the dated folder of each release lies."""
    return settings.folder / "runs"


def data_path(settings: Settings) -> Path | None:
    """The project's own file of rows; None for a sample and for a query."""
    return None if settings.data.source in (*SAMPLES, SQL) else settings.folder / settings.data.source


def tracking_uri(settings: Settings, environ: Mapping[str, str] | None = None) -> str:
    """Where models are kept: `MLFLOW_TRACKING_URI`, else what the file says, else SQLite in the project."""
    # Never a part of the settings: the variable may hold a password, and settings are written down.
    given = (os.environ if environ is None else environ).get("MLFLOW_TRACKING_URI")
    return given or settings.registry.tracking_uri or f"sqlite:///{state_folder(settings)}/mlflow.db"


def mlflow_ui_line(settings: Settings, environ: Mapping[str, str] | None = None) -> str:
    """What to type, or to open, to see the project's registry in MLflow's own pages; shows no password."""
    uri = tracking_uri(settings, environ)
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        return uri if parts.username is None else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    command = Path(sys.executable).with_name("mlflow")
    known = shutil.which("mlflow")
    address = shlex.quote(uri) if parts.username is None else '"$MLFLOW_TRACKING_URI"'
    called = "mlflow" if known and Path(known).resolve() == command.resolve() else shlex.quote(str(command))
    return f"{called} ui --backend-store-uri {address}"


def artifact_folder(settings: Settings) -> Path:
    """Where the project's own registry keeps its files."""
    return state_folder(settings) / "mlartifacts"
