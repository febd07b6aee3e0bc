"""A file of rows as a table: CSV, Parquet, Feather, JSON lines or Excel. What can't be read is one line."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather, json as pa_json

from core.domain.errors import BadData
from core.work.csv_files import read_csv
from core.work.excel import EXCEL, read_excel

CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow")
JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz")
WHOLE = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}
"""Whole numbers stay exact where some are missing."""
READ = CSV + PARQUET + FEATHER + JSON_LINES + EXCEL


def read_table(path: Path, tell: Callable[[str], None], most_broken: float = 0.05) -> pd.DataFrame:
    """All rows of a file or of the files in a folder, those of CSV and JSON as they are written there.

    Names are without blanks around them. Raises BadData, where more than a share of the rows is broken too.
    """
    if path.is_dir():
        return _folder(path, tell, most_broken)
    if not path.is_file():
        raise BadData(f"{path}: no such file; set data.source or pass --input-data")
    name = path.name.lower()
    if not name.endswith(READ):
        raise BadData(f"{path.name}: only {', '.join(READ)} are read")
    try:
        if name.endswith(EXCEL):
            table = read_excel(path, tell)
        else:
            table = read_csv(path, most_broken, tell) if name.endswith(CSV) else _typed(path)
    except (OSError, EOFError) as error:
        raise BadData(f"{path.name}: can't be read: {getattr(error, 'strerror', None) or error}") from None
    table.columns = pd.Index(_different(path, [str(name).strip() for name in table.columns]), dtype=object)
    return table.reset_index(drop=True)


def _folder(path: Path, tell: Callable[[str], None], most_broken: float) -> pd.DataFrame:
    """The rows of all files in a folder, by name, one below the other; each must have the same columns."""
    files = sorted(file for file in path.iterdir() if file.name.lower().endswith(READ) and file.name[0] not in "._")
    if not files:
        raise BadData(f"{path}: holds no file of {', '.join(READ)}")
    tables = [read_table(file, tell, most_broken) for file in files]
    names = set(tables[0].columns)
    for file, table in zip(files, tables, strict=True):
        if apart := sorted(names ^ set(table.columns)):
            first, where = files[0].name, files[0].name if apart[0] in names else file.name
            raise BadData(f"{path.name}: {file.name} has other columns than {first}: {apart[0]} is in {where} alone")
    tell(f"{path.name}: {len(files):,} file{'' if len(files) == 1 else 's'}, {files[0].name} to {files[-1].name}")
    return pd.concat(tables, ignore_index=True)


def _different(path: Path, names: list[str]) -> list[str]:
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
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
