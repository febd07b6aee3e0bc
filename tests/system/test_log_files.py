"""A log that grows is put aside once, and one old one is kept."""

from pathlib import Path

import pytest

from core.system import log_files


def test_a_long_log_makes_room_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "MOST_BYTES", 4)
    path = tmp_path / "host.log"
    log_files.make_room(path)
    for text in ("some", "longer", "longest"):
        path.write_text(text)
        log_files.make_room(path)
    assert not path.exists()
    assert [one.name for one in tmp_path.iterdir()] == ["host.log.1"]
    assert (tmp_path / "host.log.1").read_text() == "longest"
