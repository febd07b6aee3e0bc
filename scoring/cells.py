"""How the text of one cell is read: a number, true or false, a date or a text. The same in training and in serving.

Which spelling a column has (its decimal sign, its mark) is found where the model is trained and kept with its field.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from scoring import dates

Kind: TypeAlias = Literal["number", "boolean", "text", "date"]
Decimal: TypeAlias = Literal[".", ","]

MISSING = frozenset(
    {"", "?", "-", "--", ".", "..", "n/a", "#n/a", "na", "n.a.", "n.a", "<na>", "nan", "-nan", "null"}
) | {
    *("nil", "none", "missing", "unknown", "not available", "inf", "-inf", "+inf", "infinity", "-infinity"),
}
"""What stands for a missing value among numbers and among true and false, in small letters; in a text a blank does."""
TRUE, FALSE = frozenset({"true", "yes", "y", "t", "on"}), frozenset({"false", "no", "n", "f", "off"})
MARKS = ("%", "$", "€", "£", "¥", "₹", "₩", "₽", "₺", "₪", "USD", "EUR", "GBP", "CHF", "JPY")
"""What may stand before or after a number and says its unit."""

_PLAIN = {
    ".": re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII),
    ",": re.compile(r"(?:\d+(?:,\d*)?|,\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII),
}
_GROUPED = {
    ".": re.compile(r"[1-9]\d{0,2}([, '’\u00a0\u2009\u202f])\d{3}(?:\1\d{3})*(?:\.\d*)?", re.ASCII),
    ",": re.compile(r"[1-9]\d{0,2}([. '’\u00a0\u2009\u202f])\d{3}(?:\1\d{3})*(?:,\d*)?", re.ASCII),
}


class UnfitError(ValueError):
    """A cell that is not what its column is."""


@dataclass(frozen=True, slots=True)
class CellReader:
    """How the cells of one column are read. `mark` is a unit that may stand beside its numbers, `missing` more words
    for a missing value; `day_first` says which of the two in 1/2/2024 is the day; of texts with `first_word` that alone
    counts."""

    kind: Kind
    decimal: Decimal = "."
    mark: str = ""
    missing: tuple[str, ...] = ()
    day_first: bool = False
    first_word: bool = False

    def read(self, text: str) -> int | float | bool | str | None:
        """The value of a cell, None where it is missing; raises UnfitError. 18.1% is 18.1, a date its ISO text."""
        text = text.strip()
        if not text or text in self.missing:
            return None
        if self.kind == "text":
            return text.split(maxsplit=1)[0] if self.first_word else text
        small = text.lower()
        if small in MISSING:
            return None
        if self.kind == "date":
            return _date(text, self.day_first)
        return _truth(small) if self.kind == "boolean" else number(text, self.decimal, self.mark)

    def document(self) -> dict[str, Any]:
        """As the manifest of a model keeps it."""
        if self.kind == "date":
            return {"kind": self.kind, "day_first": self.day_first, "missing": list(self.missing)}
        first = {"first_word": True} if self.first_word else {}
        return {"kind": self.kind, "decimal": self.decimal, "mark": self.mark, "missing": list(self.missing), **first}


def from_document(value: object) -> CellReader | None:
    """The reader that a manifest keeps; None where it is not one."""
    if not isinstance(value, Mapping):
        return None
    kind, decimal, mark = value.get("kind"), value.get("decimal", "."), value.get("mark", "")
    missing = value.get("missing", [])
    if kind not in ("number", "boolean", "text", "date") or decimal not in (".", ",") or not isinstance(mark, str):
        return None
    if not isinstance(missing, list) or not all(isinstance(word, str) for word in missing):
        return None
    day_first, first_word = value.get("day_first") is True, value.get("first_word") is True
    return CellReader(kind, decimal, mark, tuple(missing), day_first, first_word)


def _date(text: str, day_first: bool) -> str:
    when = dates.read(text, day_first)
    if when is None:
        raise UnfitError("is not a date")
    return dates.iso(when)


def _truth(small: str) -> bool:
    if small in TRUE:
        return True
    if small in FALSE:
        return False
    raise UnfitError("is neither true nor false")


def number(text: str, decimal: Decimal, mark: str = "") -> int | float:
    """A number as people write it: grouped by thousands, with its unit, negative in brackets; raises UnfitError."""
    body = text.replace("\u2212", "-")
    negative = len(body) > 2 and body[0] == "(" and body[-1] == ")"
    body = body[1:-1].strip() if negative else body
    body, minus = _unsigned(body)
    if mark:
        # The sign stands before the unit or behind it.
        body = (body.removeprefix(mark) if body.startswith(mark) else body.removesuffix(mark)).strip()
        if not minus:
            body, minus = _unsigned(body)
    if match := _GROUPED[decimal].fullmatch(body):
        body = body.replace(match[1], "")
    elif not _PLAIN[decimal].fullmatch(body):
        raise UnfitError("is not a number")
    body = body.replace(",", ".")
    value: int | float = int(body) if body.isdecimal() and len(body) <= 40 else float(body)
    return -value if negative != minus else value


def _unsigned(text: str) -> tuple[str, bool]:
    """Without its sign, and whether that was a minus."""
    return (text[1:].strip(), text[0] == "-") if text[:1] in ("-", "+") and text else (text, False)
