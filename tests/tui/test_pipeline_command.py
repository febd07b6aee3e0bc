"""`quarterdeck export azureml-pipeline`: where it writes, what to type next, and what it can't write in a line."""

import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from core.targets.azureml.variables import NAMED
from tests.targets.azureml_scenes import PLACE
from tui.cli import app


def config(folder: Path, **more: object) -> Path:
    """A project that serves and trains on this machine, and knows a workspace."""
    path = folder / "quarterdeck.yaml"
    said = {"data": {"source": "iris", "target": "species"}, "endpoint": {"name": "late"}, "azureml": PLACE}
    path.write_text(yaml.safe_dump({**said, **more}))
    return path


def run(config: Path, *words: str) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(app, ["export", "azureml-pipeline", *words, "--config", str(config)])


def test_it_is_written_beside_the_project_with_the_line_that_submits_it(tmp_path: Path) -> None:
    told = run(config(tmp_path))
    assert told.exit_code == 0, told.output
    folder = tmp_path / "azureml-pipeline" / "late-dev"
    count = sum(path.is_file() for path in folder.rglob("*"))
    where = "--subscription 00000000-0000-0000-0000-000000000000 --resource-group rg --workspace-name ws"
    assert told.output.splitlines() == [
        f"wrote {folder}: 6 steps for late-dev in 00000000/rg/ws, {count} files",
        f"next: az ml job create --file {folder / 'pipeline.yml'} {where}",
    ]


def test_the_cluster_is_the_one_of_the_environment(tmp_path: Path) -> None:
    """Also of a project that itself trains here."""
    wanted = {"environments": {"prod": {"azureml": {"cluster": {"name": "large"}}}}}
    assert run(config(tmp_path, **wanted), "--env", "prod", "-o", str(tmp_path / "out")).exit_code == 0
    whole = yaml.safe_load((tmp_path / "out" / "pipeline.yml").read_text())
    assert whole["settings"]["default_compute"] == "azureml:large"


def test_several_endpoints_have_a_folder_each(tmp_path: Path) -> None:
    several = config(tmp_path, endpoint={"port": 0}, endpoints={"late": {}, "early": {}})
    assert run(several, "-o", str(tmp_path / "out")).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["early-dev", "late-dev"]


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (None, "--subscription SUBSCRIPTION --resource-group RESOURCE_GROUP --workspace-name WORKSPACE"),
        ({"workspace": "mine"}, "--subscription SUBSCRIPTION --resource-group RESOURCE_GROUP --workspace-name mine"),
    ],
)
def test_no_workspace_need_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: dict[str, str] | None, where: str
) -> None:
    for name in NAMED.values():
        monkeypatch.delenv(name, raising=False)
    told = run(config(tmp_path, azureml=place))
    assert told.exit_code == 0, told.output
    folder = tmp_path / "azureml-pipeline" / "late-dev"
    wrote, following = told.output.splitlines()
    assert wrote.startswith(f"wrote {folder}: 6 steps for late-dev, ")
    assert following == f"next: az ml job create --file {folder / 'pipeline.yml'} {where}"
    assert not any(name in os.environ for name in NAMED.values())


@pytest.mark.parametrize(
    ("more", "words", "line"),
    [
        ({"data": {"source": "gone.csv", "target": "a"}}, (), "gone.csv: no such file"),
        ({}, ("7",), "export azureml-pipeline: takes no 7"),
        ({}, ("--dry-run=server",), "export azureml-pipeline --dry-run: only 'export kubernetes' has one"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    tmp_path: Path, more: dict[str, object], words: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    told = run(config(tmp_path, **more), *words)
    assert (told.exit_code, len(told.output.splitlines())) == (2, 1), told.output
    assert line in told.output
    assert not (tmp_path / "azureml-pipeline").exists()
