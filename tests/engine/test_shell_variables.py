"""What a release takes along of the shell that it was begun in."""

from pathlib import Path

import pytest

from core.engine import shell_variables
from tests.work.scene import settings


def test_the_variables_that_settings_name_go_along_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = {"query": "select 1", "url_env": "ROWS_URL"}
    chosen = settings(tmp_path, "sql", sql=query)
    for name, value in (
        ("ROWS_URL", "postgresql://ada:s3cret@db/rows"),
        ("MLFLOW_TRACKING_URI", "m"),
        ("EDITOR", "vi"),
    ):
        monkeypatch.setenv(name, value)
    shell_variables.keep(chosen, "r1")
    for name in ("ROWS_URL", "MLFLOW_TRACKING_URI", "EDITOR"):
        monkeypatch.delenv(name)
    found = shell_variables.environ(chosen, "r1")
    assert found["ROWS_URL"] == "postgresql://ada:s3cret@db/rows"
    assert found["MLFLOW_TRACKING_URI"] == "m"
    assert "EDITOR" not in found
