"""What one column of a table was read as, and what is said of it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from scoring.cells import CellReader


@dataclass(frozen=True, slots=True)
class Unfit:
    """A cell that is not what its column is; `row` counts from 1, without the header."""

    row: int
    text: str


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """What a column was read as, how many of its values fit, the first that did not, and what was done."""

    name: str
    read_as: str
    values: int
    fit: int
    missing: int = 0
    unfit: tuple[Unfit, ...] = ()
    notes: tuple[str, ...] = ()

    def line(self) -> str:
        """One plain sentence."""
        parts = [f"{self.fit:,} of {self.values:,} fit" if self.fit < self.values else f"all {self.values:,} fit"]
        parts += [f"{self.missing:,} missing"] if self.missing else []
        if self.unfit:
            listed = ", ".join(f"{cell.text!r} in row {cell.row:,}" for cell in self.unfit)
            odd = self.values - self.fit
            more = f" and {odd - len(self.unfit):,} more" if odd > len(self.unfit) else ""
            parts.append(f"{listed}{more} count{'s' if odd == 1 else ''} as missing")
            parts.append(f"data.columns.{self.name}: text keeps them")
        return f"{self.name}: {self.read_as}; {'; '.join([*parts, *self.notes])}"

    def document(self) -> dict[str, Any]:
        """As `report.json` keeps it."""
        unfit = [{"row": cell.row, "text": cell.text} for cell in self.unfit]
        return {
            "name": self.name,
            "read_as": self.read_as,
            "values": self.values,
            "fit": self.fit,
            "missing": self.missing,
            "unfit": unfit,
            "notes": list(self.notes),
            "line": self.line(),
        }

    @property
    def worth_a_word(self) -> bool:
        """Whether more was done than to take the values as they stand."""
        return bool(self.unfit or self.notes)


@dataclass(frozen=True, slots=True, eq=False)
class ReadColumn:
    """A column's values as they were read, and the rules to read the next one by."""

    values: pd.Series
    reader: CellReader | None
    report: ColumnReport
