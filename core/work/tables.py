"""A file of rows as a table: CSV or Parquet. What can't be read is one line that names the file and the place."""

import csv
import gzip
import re
import warnings
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.domain.errors import BadData

CSV = (".csv", ".csv.gz", ".tsv")
PARQUET = (".parquet", ".pq")
SEPARATORS = ",;\t|"


def read_table(path: Path) -> pd.DataFrame:
    """All rows of a file, its columns' names without blanks around them; raises BadData."""
    if not path.is_file():
        raise BadData(f"{path}: no such file; set data.source or pass --input-data")
    if not path.name.lower().endswith(CSV + PARQUET):
        raise BadData(f"{path.name}: only {', '.join(CSV + PARQUET)} are read")
    try:
        table = _csv(path) if path.name.lower().endswith(CSV) else _parquet(path)
    except (OSError, EOFError) as error:
        raise BadData(f"{path.name}: can't be read: {getattr(error, 'strerror', None) or error}") from None
    table.columns = pd.Index(_different(path, [str(name).strip() for name in table.columns]), dtype=object)
    return table.reset_index(drop=True)


def _different(path: Path, names: list[str]) -> list[str]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadData(f"{path.name}: two columns are called {twice}; rename one")
    return names


def _csv(path: Path) -> pd.DataFrame:
    try:
        names, separator = _header(path)
        with warnings.catch_warnings():
            # pandas only warns of a row that is too long, and cuts it.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path,
                sep=separator,
                names=names,
                header=0,
                index_col=False,
                encoding="utf-8-sig",
                low_memory=False,
            )
    except pd.errors.ParserError as error:
        raise BadData(f"{path.name}: {_place(str(error))}") from None
    except pd.errors.ParserWarning:
        raise BadData(f"{path.name}: rows have more values than the header has names") from None
    except UnicodeDecodeError:
        raise BadData(f"{path.name}: is not text in UTF-8; save it as UTF-8") from None


def _header(path: Path) -> tuple[list[str], str]:
    """The names of the columns as they stand there, and what lies between them."""
    # Read by ourselves: pandas would call a second `age` `age.1`.
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        line = next((line for line in file if line.strip()), "")
    if not line:
        raise BadData(f"{path.name}: is empty; a header and rows are needed")
    separator = max(SEPARATORS, key=line.count)
    names = next(csv.reader([line], delimiter=separator))
    names = [name.strip() or f"column {at}" for at, name in enumerate(names, 1)]
    return _different(path, names), separator


def _place(text: str) -> str:
    """What pandas says of a row, in our words."""
    match = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text)
    if match:
        return f"line {match[2]}: {match[3]} values where the header has {match[1]} names"
    if match := re.search(r"EOF inside string starting at row (\d+)", text):
        return f"a quote that row {match[1]} opens is never closed"
    return " ".join(text.removeprefix("Error tokenizing data. C error: ").split())


def _parquet(path: Path) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pq.read_table(path).to_pandas()
    except pa.ArrowInvalid:
        raise BadData(f"{path.name}: is not a Parquet file, or not a whole one") from None
    return table
