"""The rows that a background load sends where two versions serve whose fields differ."""

import json
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeAlias

Record: TypeAlias = Mapping[str, Any]
Field: TypeAlias = Mapping[str, Any]


def write(new: Path, live: Path, rows: str, into: Path) -> Path:
    """Out of two model folders the file to send: the new version's own `rows` where callers notice no difference.

    `into` is written where there is one. A folder that can't be read has nothing to add.
    """
    own = new / rows
    try:
        sent = mixed(_fields(new), _fields(live), _records(own), _records(live / rows))
    except (OSError, ValueError, LookupError, TypeError):
        return own
    if not sent:
        return own
    into.write_text("".join(json.dumps(one, allow_nan=False) + "\n" for one in sent), encoding="utf-8")
    return into


def mixed(new: Sequence[Field], live: Sequence[Field], own: Sequence[Record], before: Sequence[Record]) -> list[Record]:
    """Rows in three shapes, as many of each: with the fields of both, as the live version has them, and those without
    names. Empty where both versions have the same fields of the same types.

    No row is in the new version's shape alone: the live one would refuse it too, and what both refuse shows nothing.
    """
    was, now = ([(field["name"], field["type"] == "category") for field in fields] for fields in (live, new))
    if was == now or not own or not before:
        return []
    names = [name for name, _ in was]
    # What is new and may be left out is left out by callers with names alone.
    by_place = not set(names) <= {name for name, _ in now} or len(was) == len(now)
    sent: list[Record] = []
    count = max(len(own), len(before))
    for one, two in islice(zip(cycle(own), cycle(before), strict=False), count):
        sent += [{**two, **one}, two]
        if by_place:
            sent.append({"data": [[two[name] for name in names]]})
    return sent


def _fields(folder: Path) -> list[Field]:
    fields: list[Field] = json.loads((folder / "model.json").read_text(encoding="utf-8"))["fields"]
    return fields


def _records(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
