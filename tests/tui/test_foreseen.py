"""What `quarterdeck plan` says beforehand would stop a release."""

import re
from pathlib import Path

import pytest

from core.config.config import endpoint_name, load
from core.config.scaffold import init
from core.targets.local.keys import keep_key
from core.targets.local.kind import folder_of
from tui.foreseen import foreseen

SOLD = "release.gates=[{metric: sold, limit: 1, source: {kind: json, url: http://shop/, query: sold, token_env: NOPE}}]"
SHOP = ("data.source=sql", "data.sql.query=select 1")
TABLE = "age,city,late\n1,Bern,yes\n"


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ((), ""),
        (("data.source=nothere.csv",), "data.source: .*nothere.csv: no such file"),
        (("data.target=nothere",), "data.target: rows.csv has no column 'nothere'"),
        (("data.drop=[late]",), "data.drop: late is what data.target is"),
        (("endpoint.key_env=NOPE",), "endpoint.key_env: the variable NOPE is not set"),
        (
            (SOLD,),
            "release.gates: the variable NOPE is not set",
        ),
        ((*SHOP, "data.sql.url_env=NOPE"), "data.sql.url_env: the variable NOPE is not set; set it to the database's"),
        ((*SHOP, "data.sql.url_env=NOPE", "data.sql.url=sqlite:///rows.db"), "data.sql.url_env: the variable NOPE is"),
        ((*SHOP, "data.sql.url_env=HOME"), ""),
        (SHOP, "data.sql: names no database; set url, or url_env to"),
        (SHOP[:1], "data.source: sql needs data.sql, with a query and"),
        (("read_only=true",), "read-only by its settings"),
    ],
)
def test_what_would_stop_a_release_is_seen_before_it_is_begun(tmp_path: Path, sets: tuple[str, ...], said: str) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(TABLE)
    settings = load(init(tmp_path / "p", None, rows, "late"), "dev", sets, environ={})
    found = "\n".join(foreseen(settings, {"HOME": "/"}, reads_rows=True))
    assert re.fullmatch(f"{said}.*" if said else "", found)


def test_a_key_that_the_endpoint_keeps_need_not_be_in_this_shell(tmp_path: Path) -> None:
    settings = load(init(tmp_path / "p", "iris"), "dev", ("endpoint.key_env=NOPE",), environ={})
    assert list(foreseen(settings, {"HOME": "/"}, reads_rows=False)) != []
    folder = folder_of(settings, endpoint_name(settings))
    folder.mkdir(parents=True)
    keep_key(folder, "a-key")
    assert list(foreseen(settings, {"HOME": "/"}, reads_rows=False)) == []


def test_a_version_that_is_not_trained_needs_no_rows(tmp_path: Path) -> None:
    settings = load(init(tmp_path / "p", "iris"), "dev", ("data.source=nothere.csv",), environ={"NOPE": "x"})
    assert list(foreseen(settings, {}, reads_rows=False)) == []
