"""A model folder beside an endpoint: written once, left alone while it is whole, and written anew where it is not."""

import json
from pathlib import Path

import pytest

from core.system.digests import changed

VERSION = {"model": "late", "number": "3", "run_id": "r", "uri": "models:/late/3", "digest": "d"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "part").mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    (folder / "part" / "model.ubj").write_bytes(b"trees")
    return folder


def test_a_whole_folder_is_left_alone_and_a_changed_one_is_written_anew(tmp_path: Path, source: Path) -> None:
    from core.work import bundle

    folder = tmp_path / "late-3"
    bundle.copy(source, folder, VERSION, "here")
    about = json.loads((folder / "version.json").read_text())
    assert about["registry"] == "here"
    assert sorted(about["files"]) == ["model.json", "part/model.ubj"]
    bundle.copy(source, folder, VERSION, "elsewhere")
    assert json.loads((folder / "version.json").read_text()) == about
    (folder / "part" / "model.ubj").write_bytes(b"other")
    bundle.copy(source, folder, VERSION, "here")
    assert changed(folder, about["files"]) == []
    (folder / "part" / "model.ubj").unlink()
    assert changed(folder, about["files"]) == ["part/model.ubj"]
    bundle.copy(source, folder, VERSION, "here")
    assert changed(folder, about["files"]) == []


def test_a_folder_of_before_there_were_digests_is_left_alone(tmp_path: Path, source: Path) -> None:
    from core.work import bundle

    folder = tmp_path / "late-3"
    folder.mkdir()
    (folder / "version.json").write_text(json.dumps(VERSION))
    bundle.copy(source, folder, VERSION, "here")
    assert [path.name for path in folder.iterdir()] == ["version.json"]
