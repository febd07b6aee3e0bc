"""A clean table and the same one as people write it: what is learned agrees, or what differs is said by name.

`python -m tests.dirty_tables [SEEDS]` draws so many tables, dirties each in every way and in some ways together, trains
on both, and sends the held-out rows of each in its own spelling to its model. One line a way: on how many rows the
answers agree, how many tables were refused and how many differ with a word; a difference without one ends it with 1.
"""

import csv
import io
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from core.domain.errors import BadData
from core.work.data import prepare, read
from scoring.model import Model
from scoring.payload import PayloadError
from tests.work.learned import answers, served
from tests.work.scene import settings

ROWS = 400
ENOUGH = 0.99
NAMES = ("amount", "count", "flag", "city", "zip", "y")
AMOUNT, COUNT, FLAG, CITY = range(4)
CITIES = ("Oslo", "Köln", "None", "São Paulo", "NA")
WORDS = ("n/a", "NA", "-", "?", "NULL", "n.a.", "nan")
Draw = np.random.Generator


@dataclass(frozen=True, slots=True)
class Written:
    """A table as texts, and how its file is written."""

    rows: list[list[str]]
    separator: str = ","
    quoting: int = csv.QUOTE_MINIMAL
    encoding: str = "utf-8"
    before: str = ""
    ends: str = "\n"

    def content(self) -> bytes:
        """The whole file."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.separator, quoting=self.quoting, lineterminator=self.ends)  # type: ignore[arg-type]
        writer.writerows([NAMES, *self.rows])
        return (self.before + text.getvalue()).encode(self.encoding)


def clean(draw: Draw) -> Written:
    """Rows of which the target depends on every column; some numbers are missing."""
    rows = []
    for _ in range(ROWS):
        amount, count, flag = draw.normal(0, 4000), int(draw.integers(1000, 90_000)), bool(draw.integers(2))
        city, code = draw.integers(len(CITIES)), draw.integers(0, 30)
        score = amount / 2000 + (count > 40_000) * 2 + flag + (city == 1) * 2 + (code < 10) - 2.5
        label = "yes please" if score + draw.normal(0, 0.3) > 0 else "no"
        cells = [f"{amount:.2f}", str(count), str(flag), CITIES[city], f"{code:05}", label]
        rows.append(["" if place < FLAG and draw.random() < 0.02 else cell for place, cell in enumerate(cells)])
    return Written(rows)


Way = Callable[[Written, Draw], Written]


def each(column: int, change: Callable[[str], str]) -> Way:
    """A change of every cell of a column that is not blank."""

    def way(table: Written, draw: Draw) -> Written:
        return replace(
            table,
            rows=[[change(x) if at == column and x else x for at, x in enumerate(row)] for row in table.rows],
        )

    return way


def one_odd_cell(table: Written, draw: Draw) -> Written:
    """A word among numbers."""
    rows = [list(row) for row in table.rows]
    rows[draw.integers(len(rows))][AMOUNT] = "see below"
    return replace(table, rows=rows)


def words_for_missing(table: Written, draw: Draw) -> Written:
    """What stands for a blank."""
    return replace(table, rows=[[x or WORDS[draw.integers(len(WORDS))] for x in row] for row in table.rows])


def case_twins(table: Written, draw: Draw) -> Written:
    """A few texts in other letters."""
    return replace(
        table,
        rows=[
            [x.upper() if at == CITY and draw.random() < 0.05 else x for at, x in enumerate(row)] for row in table.rows
        ],
    )


def _written(**how: Any) -> Way:
    return lambda table, draw: replace(table, **how)


def _comma(cell: str) -> str:
    return cell.translate(str.maketrans(",.", ".,"))


def decimal_comma(table: Written, draw: Draw) -> Written:
    """Amounts as in Germany, with the separator that goes with them."""
    return replace(each(AMOUNT, _comma)(table, draw), separator=";")


def thousands(table: Written, draw: Draw) -> Written:
    """Whole numbers in groups, by the sign that the decimals leave free."""
    group = _comma if table.separator == ";" else str
    return each(COUNT, lambda cell: group(f"{int(cell):,}"))(table, draw)


WAYS: Mapping[str, Way] = {
    "decimal comma": decimal_comma,
    "thousands": thousands,
    "percent": each(AMOUNT, lambda cell: f"{cell}%"),
    "currency": each(AMOUNT, lambda cell: f"-${cell[1:]}" if cell[0] == "-" else f"${cell}"),
    "blanks around": lambda table, draw: replace(table, rows=[[f" {x} " for x in row] for row in table.rows]),
    "words for missing": words_for_missing,
    "one odd cell": one_odd_cell,
    "case twins": case_twins,
    "leading zeros": each(COUNT, lambda cell: f"{cell:0>7}"),
    "yes and no": each(FLAG, lambda cell: "yes" if cell.strip() == "True" else "no"),
    "all quoted": _written(quoting=csv.QUOTE_ALL),
    "Windows-1252": _written(encoding="cp1252"),
    "UTF-16": _written(encoding="utf-16"),
    "UTF-8 with a mark": _written(encoding="utf-8-sig"),
    "tabs": _written(separator="\t", ends="\r\n"),
    "a preamble": _written(before="Export of the day\n\n"),
}
"""In the order in which several together are done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the two models compare; `said` are the lines of reading the dirty table, `refused` why there is none."""

    agreed: float
    said: tuple[str, ...] = ()
    refused: str = ""

    def fault(self) -> str:
        """What is wrong: a difference without a word; empty otherwise."""
        if self.refused:
            named = any(name in self.refused for name in NAMES) and "data." in self.refused
            return "" if named else f"refused without column and setting: {self.refused}"
        told = [line for line in self.said if "data.columns." in line or "capital letters" in line]
        return "" if self.agreed >= ENOUGH or told else f"{self.agreed:.1%} agree, and nothing was said"


def compare(table: Written, dirty: Written, folder: Path) -> Outcome:
    """Train on both, and send each model its own held-out rows."""
    said: list[str] = []
    neat = _learned(table, folder / "neat", [])
    try:
        other = _learned(dirty, folder / "dirty", said)
    except BadData as refused:
        return Outcome(0.0, tuple(said), str(refused))
    one, two = _asked(neat, table), _asked(other, dirty)
    return Outcome(float(np.mean([a == b for a, b in zip(one, two, strict=True)])), tuple(said))


def _learned(table: Written, folder: Path, said: list[str]) -> Model:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_bytes(table.content())
    chosen = settings(folder)
    return served(prepare(read(chosen, said.append), chosen, said.append), folder / "model")


def _asked(model: Model, table: Written) -> list[Any]:
    """The answers to the held-out rows as the file spells them; None where a row is refused by the name of a field."""
    target = [row[-1].strip() for row in table.rows]
    _, rows = train_test_split(table.rows, test_size=0.2, random_state=42, stratify=target)
    records = [dict(zip(NAMES, row, strict=True)) for row in rows]
    found: list[Any] = []
    for record in records:
        try:
            found += answers(model, [record])
        except PayloadError as refused:
            if not any(name in str(refused) for name in NAMES):
                raise
            found.append(None)
    return found


def main(seeds: int) -> int:
    """The table; 1 where something differs without a word."""
    print(f"{'way':<44} {'agree':>7} {'refused':>8} {'told':>5}")
    faults: list[str] = []
    pairs = {f"{one} + {two}": (WAYS[one], WAYS[two]) for one, two in zip(list(WAYS), list(WAYS)[3:], strict=False)}
    for name, ways in {**{name: (way,) for name, way in WAYS.items()}, **pairs}.items():
        outcomes = []
        for seed in range(seeds):
            draw = np.random.default_rng(seed)
            table = dirty = clean(draw)
            for way in ways:
                dirty = way(dirty, draw)
            with tempfile.TemporaryDirectory() as folder:
                outcomes.append(compare(table, dirty, Path(folder)))
            if fault := outcomes[-1].fault():
                faults.append(f"{name}, seed {seed}: {fault}")
        trained = [each.agreed for each in outcomes if not each.refused]
        refused = len(outcomes) - len(trained)
        told = sum(each.agreed < ENOUGH for each in outcomes if not each.refused)
        print(f"{name:<44} {np.mean(trained) if trained else 0:>7.1%} {refused:>8} {told:>5}", flush=True)
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
