"""From a body as it was packed and typed to the JSON that every reader here takes: gzip, CSV, what is refused."""

import csv
import math
import zlib
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from typing import Any

import orjson

from scoring.cells import CellReader, UnfitError
from scoring.manifest import ModelField
from scoring.payload import PayloadError, not_too_many

PLAIN = frozenset({None, "application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded"})
"""Content types of JSON in their usual spelling; the last one is what curl says of any body."""

_JSON = frozenset({"", "application/json", "application/x-www-form-urlencoded"})
_CSV = frozenset({"text/csv", "application/csv"})
_TAKEN = "send application/json or text/csv"
NUMBER = CellReader("number")
LARGEST = 2**63 - 1
"""Beyond it JSON writers take no whole number."""


def unpacked(body: bytes, encoding: str | None, limit: int) -> bytes:
    """A body as it was before it was packed; `PayloadError` where that is not known, broken or over `limit` bytes."""
    for name in reversed([each.strip().lower() for each in (encoding or "").split(",")]):
        if name in {"gzip", "x-gzip"}:
            body = _gunzip(body, limit)
        elif name not in {"", "identity"}:
            raise PayloadError(415, f"the content encoding {name[:40]} is not taken: send gzip or none")
    return body


def _gunzip(body: bytes, limit: int) -> bytes:
    found: list[bytes] = []
    size = 0
    while body:
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(body, limit + 1 - size)
        except zlib.error:
            raise PayloadError(400, "the body is not gzip, as its content-encoding says") from None
        size += len(part)
        if size > limit:
            raise PayloadError(413, f"the body is larger than {limit} bytes unpacked: send fewer rows at a time")
        if not member.eof:
            raise PayloadError(400, "the gzip body broke off before its end")
        found.append(part)
        body = member.unused_data
    return b"".join(found)


def as_json(body: bytes, content_type: str | None, fields: Sequence[ModelField]) -> bytes:
    """The JSON of a body: itself, or the records of a CSV with a header; `PayloadError` 415 for other types."""
    kind, _, options = (content_type or "").partition(";")
    kind = kind.strip().lower()
    charset = options.lower().partition("charset=")[2].partition(";")[0].strip(' "')
    if charset not in {"", "utf-8", "utf8", "us-ascii"}:
        raise PayloadError(415, f"the charset {charset[:40]} is not taken: send UTF-8")
    if kind in _JSON or (kind.startswith("application/") and kind.endswith("+json")):
        return body
    if kind in _CSV:
        return orjson.dumps({"dataframe_records": _records(body, fields)})
    raise PayloadError(415, f"the content type {kind[:60]} is not taken: {_TAKEN}")


def _records(body: bytes, fields: Sequence[ModelField]) -> list[dict[str, Any]]:
    not_too_many(body.count(b"\n") - 1)
    try:
        lines = csv.reader(StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in next(lines, [])]
        if not header:
            raise PayloadError(400, "the CSV is empty: its first line names the fields, each further one is a row")
        name, times = Counter(header).most_common(1)[0]
        if times > 1:
            raise PayloadError(422, f"the CSV's header has {name[:40]} twice")
        known = {field.name: field for field in fields}
        readers = [_reader(known.get(name)) for name in header]
        return [_record(cells, header, readers, lines.line_num) for cells in lines if cells]
    except UnicodeDecodeError:
        raise PayloadError(400, "the CSV is not UTF-8") from None
    except csv.Error as error:
        raise PayloadError(400, f"the body is no CSV: {error}") from None


def _record(cells: list[str], header: list[str], readers: list[CellReader], line: int) -> dict[str, Any]:
    if len(cells) != len(header):
        raise PayloadError(422, f"line {line} of the CSV has {len(cells)} values, its header {len(header)}")
    values = [_value(cell, reader) for cell, reader in zip(cells, readers, strict=True)]
    return dict(zip(header, values, strict=True))


def _reader(field: ModelField | None) -> CellReader:
    """How a column's cells are read: as those of the model's own file, else by the type of the field."""
    if field is None or field.categories is not None or field.type == "text":
        return CellReader("text")
    return field.reader or (CellReader("boolean") if field.type == "boolean" else NUMBER)


def _value(cell: str, reader: CellReader) -> Any:
    """What a cell is; one that does not fit stays a text, so that whoever encodes it names its row and field."""
    try:
        value = reader.read(cell)
    except UnfitError:
        # True and false are also sent as 1 and 0.
        return _value(cell, NUMBER) if reader.kind == "boolean" else cell.strip()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST:
        value = float(value)
    # JSON has no infinity, and would make it a missing value.
    return cell.strip() if isinstance(value, float) and not math.isfinite(value) else value
