"""`quarterdeck data`: how the table of a project is read, column by column, before anything is trained."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.config.settings import Settings
from core.domain.errors import BadData
from core.system.text import clean_line
from core.work.child import Done, Job, OutputLine, WorkChild
from core.work.job import needed

Write = Callable[[str], None]


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
