"""`quarterdeck data`: how the table of a project is read, column by column, before anything is trained."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.config.columns import ColumnSettings
from core.config.config import data_path, load
from core.config.scaffold import add_columns
from core.config.settings import Settings
from core.domain.errors import BadData, QuarterdeckError
from core.system.text import clean_line
from core.work.child import Done, Job, OutputLine, WorkChild
from core.work.job import needed

Write = Callable[[str], None]
LARGE_BYTES = 50_000_000
"""A larger file would hold `init` up; `data` reads it when asked."""


async def data(settings: Settings, write: Write) -> int:
    """Read and judge the rows in a child, as a release would, and keep nothing. Exit code 0: they teach something."""
    child = WorkChild()
    said_of_columns: list[str] = []
    file = f"{Path(settings.data.source).name}: "
    try:
        with tempfile.TemporaryDirectory() as folder:
            async for said in child.run(Job("data", Path(folder), settings)):
                if isinstance(said, Done):
                    for line in lines(needed(Path(folder), "data", "data")["report"]):
                        write(clean_line(line))
                elif isinstance(said, OutputLine) and said.text.startswith(file):
                    write(clean_line(said.text))
                elif isinstance(said, OutputLine):
                    said_of_columns.append(clean_line(said.text))
    except BadData:
        # What the other columns were read as helps whoever has to mend one.
        for line in said_of_columns:
            write(line)
        raise
    finally:
        await child.close()
    return 0


async def write_down(config: Path, write: Write) -> int:
    """Read a new project's rows once, and write into it how columns are read where that is not plain to see.

    Exit code 0: what is wrong with the rows is said, and the project stays.
    """
    settings = load(config, environ={})
    source = data_path(settings)
    if source is None or source.stat().st_size > LARGE_BYTES:
        return 0
    child = WorkChild()
    try:
        with tempfile.TemporaryDirectory() as folder:
            async for _ in child.run(Job("data", Path(folder), settings)):
                pass
            columns = unobvious(needed(Path(folder), "data", "init"))
    except QuarterdeckError as error:
        write(clean_line(f"no release can learn from these rows yet: {error}"))
        return 0
    finally:
        await child.close()
    count = add_columns(config, columns)
    if count:
        write(clean_line(f"found and written under data.columns: {', '.join(list(columns)[:count])}"))
    return 0


def unobvious(left: Mapping[str, Any]) -> dict[str, ColumnSettings]:
    """The columns that somebody could read otherwise: decimal commas, dates, codes of digits."""
    notes = {column["name"]: column["notes"] for column in left["report"]["read"]}
    found: dict[str, ColumnSettings] = {}
    for field in left["fields"]:
        name, reader = field["name"], field["reader"] or {}
        unsure = any(f"data.columns.{name}" in note for note in notes.get(name, ()))
        match reader.get("kind"):
            case "date":
                day_first = reader["day_first"]
                found[name] = ColumnSettings(type="date", day_first=day_first if day_first or unsure else None)
            case "number" if unsure or (reader["decimal"] == "," and field["type"] == "number"):
                found[name] = ColumnSettings(type="number", decimal=reader["decimal"])
            case "text" if unsure and not reader.get("first_word"):
                found[name] = ColumnSettings(type="text")
    return found


def lines(report: Mapping[str, Any]) -> list[str]:
    """What `report.json` says of each column, then what was dropped and what to look at."""
    told = {column["name"]: column["line"] for column in report["read"]}
    typed = [column for column in report["columns"] if column["name"] not in told]
    return [
        f"{report['target']}: {len(report['labels'])} labels in {report['rows']:,} of {report['rows_read']:,} rows",
        *told.values(),
        *(f"{one['name']}: {one['type']} by its file; {one['missing']:,} missing" for one in typed),
        *(f"{one['column']}: dropped, {one['why']}" for one in report["dropped"]),
        *report["warnings"],
    ]
