"""The line of the doctor about the rows to learn from: each source, and each way in which it is not to be had."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.config.config import load
from core.config.settings import Settings
from core.doctor import rows
from core.domain.diagnosis import Condition

OK, FAIL = Condition.OK, Condition.FAIL
QUERY = {"query": "select 1"}


def settings_of(folder: Path, source: str, **more: Any) -> Settings:
    said = {"data": {"source": source, "target": "late", **more}, "endpoint": {"name": "late"}}
    (folder / "quarterdeck.yaml").write_text(yaml.safe_dump(said))
    return load(folder / "quarterdeck.yaml")


def nothing(_: Path) -> None:
    """As it is."""


@pytest.mark.parametrize(
    ("source", "more", "made", "condition", "text"),
    [
        ("flights", {}, nothing, OK, "the sample flights, which comes along"),
        ("rows.csv", {}, lambda at: at.write_text("a\n1\n"), OK, "rows.csv: 4 B"),
        ("rows.csv", {}, nothing, FAIL, "data.source: there is no "),
        ("rows.csv", {}, lambda at: at.write_text(""), FAIL, "rows.csv is empty"),
        ("rows", {}, lambda at: at.mkdir(), FAIL, "data.source: there is no file in "),
        ("rows", {}, lambda at: (at.mkdir(), (at / "a.csv").write_text("a\n")), OK, "rows: 1 file"),
        ("sql", {}, nothing, FAIL, "data.source is sql, and data.sql is not set"),
        ("sql", {"sql": QUERY}, nothing, FAIL, "data.sql names no database"),
        ("sql", {"sql": {**QUERY, "url_env": "NOWHERE_URL"}}, nothing, FAIL, "NOWHERE_URL, which holds the database's"),
        ("sql", {"sql": {**QUERY, "url": "sqlite:///rows.db"}}, nothing, OK, "a query; its database is asked by the"),
    ],
)
def test_each_source_is_there_or_it_is_said_what_is_missing(
    tmp_path: Path, source: str, more: dict[str, Any], made: Callable[[Path], object], condition: Condition, text: str
) -> None:
    made(tmp_path / source)
    (found,) = rows.look(settings_of(tmp_path, source, **more))
    assert found.condition is condition
    assert text in found.text
    assert bool(found.do) is (condition is FAIL)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_rows_of_another_user_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a\n")
    path.chmod(0)
    (found,) = rows.look(settings_of(tmp_path, "rows.csv"))
    assert "can't be read (Permission denied)" in found.text


def test_a_slip_in_a_samples_name_is_guessed(tmp_path: Path) -> None:
    (found,) = rows.look(settings_of(tmp_path, "flight"))
    assert "did you mean flights?" in found.do
