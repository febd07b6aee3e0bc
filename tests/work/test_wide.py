"""A table of many columns: its whole report stays in the run's folder, what is said of it does not grow with it."""

from pathlib import Path

from core.work.child import Job, WorkChild
from core.work.job import encode, needed
from tests.work.conftest import work
from tests.work.scene import settings

COLUMNS = 250
ROWS = 60


async def test_what_is_said_of_many_columns_is_short_and_the_report_whole(tmp_path: Path) -> None:
    names = [f"c{at}" for at in range(COLUMNS)]
    rows = [",".join([*names, "y"])]
    for at in range(ROWS):
        cells = ("oops" if at == 7 else f"{(at * (column + 3)) % 997}.5" for column in range(COLUMNS))
        rows.append(",".join([*cells, "up" if at % 3 else "down"]))
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n")
    child = WorkChild()
    try:
        worked = await work(child, Job("data", tmp_path / "r", settings(tmp_path)))
    finally:
        await child.close()
    assert worked.done is not None
    assert len(encode(worked.done)) < 500
    assert worked.result["columns"] == COLUMNS
    whole = needed(tmp_path / "r", "data", "the test")
    assert [field["name"] for field in whole["fields"]] == names
    assert len(whole["report"]["read"]) == COLUMNS + 1, "the target too"
    of_columns = [line for line in worked.lines if "'oops' in row 8" in line]
    assert len(of_columns) == 100
    assert f"and {COLUMNS - 100} more such columns: quarterdeck data tells them all" in worked.lines
