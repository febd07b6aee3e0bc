"""Folders kept to a number: the newest, and all that is still needed."""

import os
from pathlib import Path

import pytest

from core.config.config import load
from core.config.settings import Settings
from core.domain.errors import BadInput
from core.engine import shell_variables
from core.engine.retention import look_after, tidy
from core.state.snapshot import Snapshot
from tests.environments import V2, begin, canary_plan
from tests.world import serving


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    (tmp_path / "quarterdeck.yaml").write_text("data:\n  source: iris\n  target: species\nendpoint:\n  name: late\n")
    return load(tmp_path / "quarterdeck.yaml", sets=["retention.runs=3"])


def folder(path: Path, age: int, report: bool = True) -> None:
    path.mkdir(parents=True)
    if report:
        (path / "report.json").write_text("{}")
    os.utime(path, (1e9 - age, 1e9 - age))


def test_the_newest_stay_and_what_a_way_back_needs(project: Settings, tmp_path: Path) -> None:
    world = serving()
    world.do(begin(V2, canary_plan()))
    for number in range(6):
        folder(tmp_path / "runs" / f"old {number}", age=number)
        folder(tmp_path / "runs" / "load" / f"load {number}", age=number, report=False)
        folder(tmp_path / ".quarterdeck" / "work" / f"old {number}", age=number, report=False)
    for name in ("r1", "r2"):
        folder(tmp_path / "runs" / name, age=100)
        folder(tmp_path / ".quarterdeck" / "work" / name, age=100, report=False)
    folder(tmp_path / "runs" / "of a person", age=1000, report=False)
    (tmp_path / "runs" / "link").symlink_to(tmp_path)
    gone = sorted(path.relative_to(tmp_path).as_posix() for path in tidy(project, world.snapshot))
    assert gone == [
        *(f".quarterdeck/work/{name}" for name in ("old 3", "old 4", "old 5", "r1")),
        *(f"runs/load/load {number}" for number in (3, 4, 5)),
        *(f"runs/{name}" for name in ("old 3", "old 4", "old 5", "r1")),
    ]
    assert (tmp_path / "runs" / "r2").exists()
    assert (tmp_path / "runs" / "of a person").exists()
    assert tidy(project, world.snapshot) == []


def test_without_a_release_under_way_the_last_one_keeps_its_folder(project: Settings, tmp_path: Path) -> None:
    for number in range(4):
        folder(tmp_path / "runs" / f"old {number}", age=number)
    folder(tmp_path / "runs" / "r1", age=100)
    assert [path.name for path in tidy(project, serving().snapshot)] == ["old 3"]


def test_what_was_kept_of_a_shell_goes_with_its_way_back(project: Settings, tmp_path: Path) -> None:
    for name in ("r0", "r1"):
        shell_variables.keep(project, name)
    look_after(project, serving().snapshot, 0.0)
    assert [path.name for path in (tmp_path / ".quarterdeck" / "variables").iterdir()] == ["r1.json"]


def test_a_project_with_no_folders_has_none_to_remove(project: Settings) -> None:
    assert tidy(project, Snapshot()) == []


@pytest.mark.parametrize("given", ["retention.runs=0", "retention.telemetry_days=0", "retention.logs=3"])
def test_what_can_not_be_kept_is_refused(tmp_path: Path, given: str) -> None:
    (tmp_path / "quarterdeck.yaml").write_text("data:\n  source: iris\n  target: species\nendpoint:\n  name: late\n")
    with pytest.raises(BadInput, match=r"retention\."):
        load(tmp_path / "quarterdeck.yaml", sets=[given])
