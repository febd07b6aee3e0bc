"""`quarterdeck data`: each column in a line, and nothing kept."""

import asyncio
from pathlib import Path

from core.config.config import load
from core.config.scaffold import init
from tui.data_command import data, write_down

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


def test_a_new_project_says_how_its_columns_are_read_and_reads_them_the_same_by_that(tmp_path: Path) -> None:
    rows = "".join(
        f'"{i}.{i % 90 + 100},5";{i % 12 + 1}/{i % 11 + 1}/2024;{i % 40:05};{i % 7};{"ja" if i % 3 else "nein"}\n'
        for i in range(1, 120)
    )
    (tmp_path / "rows.csv").write_text('amount;due;zip;count;"y: es"\n' + rows)
    config = init(tmp_path / "project", data=tmp_path / "rows.csv", target="y: es")
    plain = config.read_text()
    said: list[str] = []
    before: list[str] = []
    after: list[str] = []
    settings = load(config, environ={})
    assert asyncio.run(data(settings, before.append)) == 0
    assert asyncio.run(write_down(config, said.append)) == 0
    columns = load(config, environ={}).data.columns
    assert {name: each.model_dump(exclude_defaults=True) for name, each in columns.items()} == {
        "amount": {"type": "number", "decimal": ","},
        "due": {"type": "date", "day_first": False},
        "zip": {"type": "text"},
    }
    assert said == ["found and written under data.columns: amount, due, zip"]
    assert len(config.read_text().splitlines()) == len(plain.splitlines()) + 4
    assert asyncio.run(data(load(config, environ={}), after.append)) == 0
    assert [line.partition(";")[0] for line in after] == [line.partition(";")[0] for line in before]


def test_a_new_project_over_rows_that_teach_nothing_is_there_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,y\n" + "1,same\n" * 40)
    config = init(tmp_path / "project", data=tmp_path / "rows.csv", target="y")
    plain = config.read_text()
    said: list[str] = []
    assert asyncio.run(write_down(config, said.append)) == 0
    (line,) = said
    assert line.startswith("no release can learn from these rows yet: data.target: y is 'same' in every row; ")
    assert config.read_text() == plain
