"""A file of separated values as texts: its encoding, separator, header and preamble found, broken rows told by line."""

import csv
import gzip
import io
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from charset_normalizer import from_bytes

from core.domain.errors import BadData

SEPARATORS = ",;\t|"
LOOKED_AT = 200
"""So many rows decide what separates values and where the header is."""
SAMPLE_BYTES = 1 << 20
BLOCK_OF_A_COLUMN, LARGEST_BLOCK = 20_000, 1 << 28
"""Arrow keeps a piece of each column for each block that it reads: of small blocks the pieces of a wide table take many
times the room of what is in them."""
WIDE_BYTES = 1000
LEAST_WIDE = 0.1
"""Separators, digits and line ends make more than this share of any table's characters."""
LEGACY = ["cp1252", "latin_1"]
BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
CALLED = {
    "cp1252": "Windows-1252",
    "latin_1": "Latin-1",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
}
BROKEN_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is written. `skipped` rows stand before the header."""

    encoding: str
    separator: str
    names: tuple[str, ...]
    skipped: int
    notes: tuple[str, ...] = field(default=())


def shape(path: Path) -> Shape:
    """What the first rows of a file say of it; raises BadData, OSError."""
    encoding = _encoding(path)
    try:
        with _text(path, encoding) as file:
            head = list(itertools.islice(file, LOOKED_AT * 2))
    except UnicodeDecodeError as error:
        raise _undecodable(path, encoding, error) from None
    if not any(line.strip() for line in head):
        raise BadData(f"{path.name}: is empty; a header and rows are needed")
    separator = max(SEPARATORS, key=lambda each: _agreement(head, each))
    records = [record for record in _records(iter(head), separator) if record][:LOOKED_AT]
    widths = Counter(len(record) for record in records)
    width = max(widths, key=lambda each: (widths[each], each))
    skipped = 0
    if width > 1 and widths[width] > len(records) // 2:
        skipped = next(at for at, record in enumerate(records) if len(record) == width)
        # The header itself may be the row that is too short or too long.
        skipped = 0 if skipped == 1 and len(records[0]) > 1 else skipped
    names = [name.strip() or f"column {at}" for at, name in enumerate(records[skipped], 1)]
    notes = [f"read as {CALLED[encoding]}"] if encoding in CALLED else []
    notes += [f"separated by {separator!r}"] if separator != "," and len(names) > 1 else []
    notes += [f"{skipped} line{'' if skipped == 1 else 's'} before the header left out"] if skipped else []
    return Shape(encoding, separator, tuple(names), skipped, tuple(notes))


def read_csv(path: Path, most_broken: float, tell: Callable[[str], None]) -> pd.DataFrame:
    """All rows as texts. Rows with more or fewer values than names are left out with a word, up to a share of all."""
    found = shape(path)
    for note in found.notes:
        tell(f"{path.name}: {note}")
    frame = _fast(path, found)
    return frame if frame is not None else _careful(path, found, most_broken, tell)


def _fast(path: Path, found: Shape) -> pd.DataFrame | None:
    """By Arrow, which knows no line numbers; None where a row does not fit."""
    if found.skipped or found.encoding.startswith("utf-16"):
        return None
    names = [str(at) for at in range(len(found.names))]
    try:
        table = pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(
                column_names=names,
                skip_rows_after_names=1,
                encoding=found.encoding.removesuffix("-sig"),
                block_size=min(LARGEST_BLOCK, max(SAMPLE_BYTES, len(names) * BLOCK_OF_A_COLUMN)),
            ),
            parse_options=pa_csv.ParseOptions(delimiter=found.separator, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    frame: pd.DataFrame = table.to_pandas()
    frame.columns = pd.Index(found.names, dtype=object)
    return frame


def _careful(path: Path, found: Shape, most_broken: float, tell: Callable[[str], None]) -> pd.DataFrame:
    """Row by row, to say which line is broken."""
    rows: list[list[str]] = []
    broken: list[str] = []
    width, seen = len(found.names), 0
    with _text(path, found.encoding) as file:
        reader = csv.reader(file, delimiter=found.separator, strict=True)
        line = 1
        try:
            for record in reader:
                if record and (seen := seen + 1) > found.skipped + 1:
                    if len(record) == width:
                        rows.append(record)
                    elif any(record):
                        broken.append(f"line {line}: {_values(len(record))} where the header has {width} names")
                line = reader.line_num + 1
        except csv.Error as error:
            raise BadData(f"{path.name}: line {line}: {_fault(error)}") from None
        except UnicodeDecodeError as error:
            raise _undecodable(path, found.encoding, error) from None
    if broken:
        if len(broken) > most_broken * (len(broken) + len(rows)):
            raise BadData(f"{path.name}: {broken[0]}; {len(broken):,} such, data.max_unfit allows {most_broken:.0%}")
        more = f" and {len(broken) - BROKEN_SHOWN:,} more" if len(broken) > BROKEN_SHOWN else ""
        tell(f"{path.name}: {'; '.join(broken[:BROKEN_SHOWN])}{more}: left out")
    return pd.DataFrame(rows, columns=pd.Index(found.names, dtype=object), dtype="str")


def _undecodable(path: Path, encoding: str, error: UnicodeDecodeError) -> BadData:
    called = CALLED.get(encoding, "UTF-8")
    return BadData(f"{path.name}: begins as {called} and is none further on ({error.reason}); save it as CSV in UTF-8")


def _values(count: int) -> str:
    return f"{count} value{'' if count == 1 else 's'}"


def _fault(error: csv.Error) -> str:
    text = str(error)
    return "a quote that is opened here is never closed" if "unexpected end" in text else text


def _agreement(lines: list[str], separator: str) -> tuple[float, int]:
    """How alike the rows are by a separator; one that separates nothing comes last."""
    widths = Counter(len(record) for record in _records(iter(lines), separator) if record)
    wide = {width: count for width, count in widths.items() if width > 1}
    if not wide:
        return 0.0, 0
    width = max(wide, key=lambda each: (wide[each], each))
    return wide[width] / widths.total(), width


def _records(lines: Iterator[str], separator: str) -> list[list[str]]:
    """The rows that a beginning of a file holds; the last may be cut."""
    records: list[list[str]] = []
    try:
        records.extend(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return records
    return records


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_opened(path), encoding=encoding, newline="")


def _encoding(path: Path) -> str:
    """UTF-8 where the whole file is that; else what its bytes look most like."""
    with _opened(path) as file:
        head = file.read(SAMPLE_BYTES)
    for mark, encoding in BOMS.items():
        if head.startswith(mark):
            return encoding
    if wide := _wide(head[: WIDE_BYTES & ~1]):
        return wide
    line = 1
    try:
        with _text(path, "utf-8") as file:
            while part := file.read(SAMPLE_BYTES):
                _no_nul(path, part, line)
                line += part.count("\n")
    except UnicodeDecodeError:
        with _text(path, "latin_1") as file:
            _no_nul(path, file.read(SAMPLE_BYTES), 1)
        return _legacy(path)
    return "utf-8"


def _wide(head: bytes) -> str:
    """UTF-16 without a mark: of each character's two bytes only the high one is ever zero, and often; else empty."""
    low, high = head[1::2].count(0), head[::2].count(0)
    for name, often, never in (("utf-16-le", low, high), ("utf-16-be", high, low)):
        if often >= LEAST_WIDE * len(head) / 2 > 0 and not never:
            return name
    return ""


def _no_nul(path: Path, part: str, line: int) -> None:
    """Raise BadData for what no text holds."""
    if (at := part.find("\0")) >= 0:
        where = line + part.count("\n", 0, at)
        raise BadData(f"{path.name}: line {where}: holds a NUL byte, as no text does; save the table as CSV in UTF-8")


def _legacy(path: Path) -> str:
    with _opened(path) as file:
        odd = [line for line in itertools.islice(file, 200_000) if not line.isascii()][:1000]
    best = from_bytes(b"".join(odd), cp_isolation=LEGACY).best()
    return "latin_1" if best is None or best.encoding not in LEGACY else best.encoding
