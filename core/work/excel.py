"""The first sheet of a workbook as texts, as its CSV would have them. Needs the extra `excel`."""

import datetime as dt
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from core.domain.errors import BadData

EXCEL = (".xlsx", ".xls", ".xlsb", ".ods")


def read_excel(path: Path, tell: Callable[[str], None]) -> pd.DataFrame:
    """All rows of the first sheet below its header; raises BadData. Other sheets are told."""
    if find_spec("python_calamine") is None:
        raise BadData(f"{path.name}: Excel needs one more package: uv pip install 'quarterdeck[excel]'")
    from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 - an extra

    try:
        workbook = CalamineWorkbook.from_path(str(path))
        first, *others = workbook.sheet_names
        rows = workbook.get_sheet_by_name(first).to_python(skip_empty_area=True)
    except (CalamineError, ValueError) as error:
        raise BadData(f"{path.name}: is not a workbook that can be read: {error}") from None
    rows = [row for row in rows if any(cell != "" for cell in row)]
    if not rows:
        raise BadData(f"{path.name}: the sheet {first} is empty; a header and rows are needed")
    if others:
        tell(f"{path.name}: the sheet {first}; {', '.join(others)} left out")
    names = [_text(cell).strip() or f"column {at}" for at, cell in enumerate(rows[0], 1)]
    return pd.DataFrame([[_text(cell) for cell in row] for row in rows[1:]], columns=pd.Index(names), dtype="str")


def _text(cell: Any) -> str:
    """Whole numbers without a point, moments as JSON has them."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, dt.date | dt.time) else str(cell)
