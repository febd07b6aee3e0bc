"""The rows of a background load: what both versions take or refuse, by their own reader."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.load.shapes import mixed, write
from scoring.payload import PayloadError, Reader

LIVE = {"hour": 7, "delay": 3.5}


def fields(row: dict[str, Any]) -> list[dict[str, str]]:
    """Fields of the types that a row has."""
    return [{"name": name, "type": "category" if isinstance(it, str) else "number"} for name, it in row.items()]


def refused(row: dict[str, Any], sent: list[Any], optional: tuple[str, ...] = ()) -> int:
    """How many bodies a version with these fields refuses."""
    reader, count = Reader(list(row), optional), 0
    for body in sent:
        try:
            reader.read(json.dumps(body).encode())
        except PayloadError:
            count += 1
    return count


@pytest.mark.parametrize(
    ("scene", "new"),
    [
        ("renamed", {"hour": 8, "dep_delay": 2.5}),
        ("dropped", {"hour": 8}),
        ("newly required", {"hour": 8, "delay": 2.5, "gust": 1.0}),
    ],
)
def test_the_new_version_refuses_a_third_and_the_live_one_nothing(scene: str, new: dict[str, Any]) -> None:
    sent = mixed(fields(new), fields(LIVE), [new] * 4, [LIVE] * 6)
    assert refused(LIVE, sent) == 0, scene
    assert refused(new, sent) >= len(sent) / 3, scene


def test_a_field_that_may_be_left_out_is_refused_by_nobody() -> None:
    new = {**LIVE, "gust": 1.0}
    sent = mixed(fields(new), fields(LIVE), [new], [LIVE])
    assert (refused(LIVE, sent), refused(new, sent, ("gust",))) == (0, 0)
    assert len(sent) == 2


def test_versions_with_the_same_fields_need_no_other_rows() -> None:
    assert mixed(fields(LIVE), fields(LIVE), [LIVE], [LIVE]) == []
    assert mixed(fields({"hour": "7"}), fields({"hour": 7}), [{"hour": "7"}], [{"hour": 7}]) != []


def folder(path: Path, row: dict[str, Any]) -> Path:
    """A model folder with one row to send."""
    path.mkdir()
    (path / "model.json").write_text(json.dumps({"fields": fields(row)}))
    (path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return path


def test_what_is_sent_is_written_where_the_fields_differ_alone(tmp_path: Path) -> None:
    live, new, same = (folder(tmp_path / name, row) for name, row in (("1", LIVE), ("2", {"hour": 8}), ("3", LIVE)))
    into = tmp_path / "rows.jsonl"
    assert write(same, live, "rows.jsonl", into) == same / "rows.jsonl"
    assert write(new, tmp_path / "gone", "rows.jsonl", into) == new / "rows.jsonl"
    assert not into.exists()
    assert write(new, live, "rows.jsonl", into) == into
    assert [json.loads(line) for line in into.read_text().splitlines()] == [
        LIVE | {"hour": 8},
        LIVE,
        {"data": [[7, 3.5]]},
    ]
