"""A file of rows as a table: CSV, Parquet, Feather or JSON lines. What can't be read is one line."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather, json as pa_json

from core.domain.errors import BadData
from core.work.csv_files import read_csv

CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow")
JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz")
WHOLE = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}
"""Whole numbers stay exact where some are missing."""
READ = CSV + PARQUET + FEATHER + JSON_LINES


def read_table(path: Path, tell: Callable[[str], None], most_broken: float = 0.05) -> pd.DataFrame:
    """All rows of a file, those of CSV and JSON as they are written there, names without blanks around them.

    Raises BadData, where more than a share of the rows is broken too.
    """
    if not path.is_file():
        raise BadData(f"{path}: no such file; set data.source or pass --input-data")
    name = path.name.lower()
    if not name.endswith(READ):
        raise BadData(f"{path.name}: only {', '.join(READ)} are read")
    try:
        table = read_csv(path, most_broken, tell) if name.endswith(CSV) else _typed(path)
    except (OSError, EOFError) as error:
        raise BadData(f"{path.name}: can't be read: {getattr(error, 'strerror', None) or error}") from None
    table.columns = pd.Index(_different(path, [str(name).strip() for name in table.columns]), dtype=object)
    return table.reset_index(drop=True)


def _different(path: Path, names: list[str]) -> list[str]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadData(f"{path.name}: two columns are called {twice}; rename one")
    return names


def _typed(path: Path) -> pd.DataFrame:
    """A file that says of itself what its columns are."""
    name = path.name.lower()
    kind = "Parquet" if name.endswith(PARQUET) else "Feather" if name.endswith(FEATHER) else "JSON lines"
    try:
        match kind:
            case "Parquet":
                table = pq.read_table(path)
            case "Feather":
                table = feather.read_table(path)
            case _:
                table = pa_json.read_json(path)
    except pa.ArrowInvalid as error:
        why = f": {' '.join(str(error).split())[:200]}" if kind == "JSON lines" else ", or not a whole one"
        raise BadData(f"{path.name}: is not a {kind} file{why}") from None
    frame: pd.DataFrame = table.to_pandas(types_mapper=WHOLE.get)
    return frame
