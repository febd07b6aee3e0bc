"""`quarterdeck data`: each column in a line, and nothing kept."""

import asyncio
from pathlib import Path

from core.config.config import load
from tui.data_command import data

TABLES = Path(__file__).parents[1] / "data" / "tables"


def test_each_column_is_told_with_what_was_done_and_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "quarterdeck.yaml").write_text(
        f"data: {{source: {TABLES / 'de.csv'}, target: Ziel}}\nendpoint: {{name: x}}\n"
    )
    said: list[str] = []
    assert asyncio.run(data(load(tmp_path, environ={}), said.append)) == 0
    assert said[:3] == [
        "de.csv: separated by ';'",
        "de.csv: 600 rows, 5 columns",
        "Ziel: 2 labels in 600 of 600 rows",
    ]
    assert "Betrag: numbers; all 600 fit; decimal comma" in said
    assert [path.name for path in tmp_path.iterdir()] == ["quarterdeck.yaml"]
