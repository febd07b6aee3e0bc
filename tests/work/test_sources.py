"""Rows from elsewhere than one plain file: a folder, a workbook, a database."""

import contextlib
import sqlite3
import zipfile
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import duckdb
import pytest

from core.domain.errors import BadData
from core.work.data import read
from tests.work.scene import settings


def test_the_files_of_a_folder_are_one_table(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "b.csv").write_text("y;a\nno;2\n")
    (tmp_path / "rows" / "a.csv").write_text("a,y\n1,yes\n")
    (tmp_path / "rows" / "notes.txt").write_text("not a table")
    said: list[str] = []
    frame = read(settings(tmp_path, "rows"), said.append)
    assert frame.to_dict("list") == {"a": ["1", "2"], "y": ["yes", "no"]}
    assert "rows: 2 files, a.csv to b.csv" in said
    (tmp_path / "rows" / "c.csv").write_text("a,why\n1,yes\n")
    with pytest.raises(BadData, match=r"rows: c\.csv has other columns than a\.csv: why is in c\.csv alone"):
        read(settings(tmp_path, "rows"), said.append)


KIND = "http://schemas.openxmlformats.org"
MAIN = f'xmlns="{KIND}/spreadsheetml/2006/main" xmlns:r="{KIND}/officeDocument/2006/relationships"'
LINKS = f'xmlns="{KIND}/package/2006/relationships"'
TYPE = f"{KIND}/officeDocument/2006/relationships"


def workbook(cells: list[list[Any]]) -> bytes:
    """The smallest .xlsx with a sheet `rows` of these cells and an empty sheet `notes`."""

    def written(cell: Any) -> str:
        match cell:
            case None:
                return "<c/>"
            case date():
                return f'<c s="1"><v>{cell.toordinal() - date(1899, 12, 30).toordinal()}</v></c>'
            case str():
                return f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
        return f"<c><v>{cell}</v></c>"

    rows = "".join(f"<row>{''.join(map(written, row))}</row>" for row in cells)
    names = "".join(
        f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"/>' for at, name in enumerate(("rows", "notes"), 1)
    )
    sheets = "".join(
        f'<Relationship Id="r{at}" Type="{TYPE}/worksheet" Target="worksheets/{at}.xml"/>' for at in (1, 2)
    )
    parts = {
        "_rels/.rels": f'<Relationships {LINKS}><Relationship Id="r1" Type="{TYPE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f"<workbook {MAIN}><sheets>{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships {LINKS}>{sheets}<Relationship Id="r3" Type="{TYPE}/styles" '
        'Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet {MAIN}><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
        "xl/worksheets/1.xml": f"<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>",
        "xl/worksheets/2.xml": f"<worksheet {MAIN}><sheetData/></worksheet>",
    }
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return packed.getvalue()


def test_the_first_sheet_of_a_workbook_reads_as_its_csv(tmp_path: Path) -> None:
    cells: list[list[Any]] = [
        ["a", "when", "y"],
        [1, date(2024, 1, 31), "no"],
        [0.5, date(2024, 2, 1), "yes"],
        ["n/a", None, "no"],
    ]
    (tmp_path / "rows.xlsx").write_bytes(workbook(cells))
    said: list[str] = []
    frame = read(settings(tmp_path, "rows.xlsx"), said.append)
    assert frame.to_dict("list") == {
        "a": ["1", "0.5", "n/a"],
        "when": ["2024-01-31", "2024-02-01", ""],
        "y": ["no", "yes", "no"],
    }
    assert "rows.xlsx: the sheet rows; notes left out" in said


QUERY = {"query": "select a, y from t where a > 1 order by a"}


def test_a_query_gives_the_rows_of_a_database(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "rows.db")) as database, database:
        database.execute("create table t (a real, y text)")
        database.executemany("insert into t values (?, ?)", [(1, "no"), (2, "yes"), (3.5, None)])
    chosen = settings(tmp_path, "sql", sql={**QUERY, "url": "sqlite:///rows.db"})
    frame = read(chosen, print)
    assert frame["a"].tolist() == [2.0, 3.5]
    assert frame["y"].iloc[0] == "yes"
    assert frame["y"].isna().tolist() == [False, True]


def test_a_query_gives_the_rows_of_duckdb(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "rows.duckdb")) as database:
        database.execute("create table t as select * from (values (1, 'no'), (2, 'yes'), (3, 'no')) as t(a, y)")
    chosen = settings(tmp_path, "sql", sql={**QUERY, "url_env": "ROWS_URL"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROWS_URL", "duckdb:///rows.duckdb")
        assert read(chosen, print).to_dict("list") == {"a": [2, 3], "y": ["yes", "no"]}


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        (None, "data.source: sql needs data.sql with a query and the url of its database"),
        (QUERY, "data.sql: set url, or put the address into a variable and name it in url_env"),
        ({**QUERY, "url_env": "NO_SUCH"}, "data.sql: set url, or put the address into NO_SUCH"),
        ({**QUERY, "url": "sqlite:///gone.db"}, "gone.db: no such file"),
        ({**QUERY, "url": "duckdb:///gone.duckdb"}, "data.sql: gone.duckdb: "),
        ({**QUERY, "url": "sqlite://"}, "data.sql: sqlite://: no such table: t"),
        ({**QUERY, "url": "nothing://here"}, "data.sql: not an address that SQLAlchemy knows"),
        ({**QUERY, "url": "sqlite://here:port/x"}, "data.sql: not an address that SQLAlchemy knows"),
        ({**QUERY, "url": "no address"}, "data.sql: not an address that SQLAlchemy knows, such as sqlite:///rows.db"),
    ],
)
def test_a_query_that_cannot_be_asked_says_why_in_one_line(sql: Any, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BadData) as caught:
        read(settings(tmp_path, "sql", **({"sql": sql} if sql else {})), print)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
