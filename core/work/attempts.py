"""The different texts of a column, and what they give by one reader or another."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from core.config.columns import ColumnSettings
from core.work.dates import is_date, order
from scoring.cells import MARKS, CellReader, Decimal, UnfitError

LOOKED_AT = 20
"""So many different texts say whether a column may be one of dates."""
MOSTLY_UNIQUE, OF_WORDS, A_WORD = 0.5, 0.9, 5
"""Texts of which so many are unique say nothing as they are; the first words do, where so many have more than one and
each is there so often."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The different texts of a column, trimmed, and how often each is there. `codes` are places in them, -1 missing."""

    name: str
    codes: np.ndarray[Any, np.dtype[np.int64]]
    texts: list[str]
    counts: list[int]
    trimmed: int = 0

    @property
    def total(self) -> int:
        """Cells that are not missing."""
        return sum(self.counts)


def cells_of(values: pd.Series, missing: Iterable[str]) -> Cells:
    """The different texts of a column; blanks and the `missing` words are none of them."""
    codes, found = pd.factorize(values, use_na_sentinel=True)
    raw = [str(text) for text in found]
    words = set(missing)
    texts: dict[str, int] = {}
    places = np.full(len(raw) + 1, -1, dtype=np.int64)
    for place, text in enumerate(raw):
        trimmed = text.strip()
        if trimmed and trimmed not in words:
            places[place] = texts.setdefault(trimmed, len(texts))
    codes = places[codes]
    counts = np.bincount(codes[codes >= 0], minlength=len(texts)).tolist()
    return Cells(
        str(values.name), codes, list(texts), counts, sum(text != text.strip() for text in raw if text.strip())
    )


def first_words(cells: Cells) -> Cells | None:
    """The first words of names that mostly differ, as of cars and their makers; None where they say nothing."""
    if len(cells.texts) < MOSTLY_UNIQUE * cells.total:
        return None
    parts = [text.split(maxsplit=1) for text in cells.texts]
    words = {word: place for place, word in enumerate(dict.fromkeys(part[0] for part in parts))}
    several = sum(count for part, count in zip(parts, cells.counts, strict=True) if len(part) > 1)
    if several < OF_WORDS * cells.total or not 2 <= len(words) <= cells.total / A_WORD:
        return None
    if any(word.isdecimal() for word in words):
        # The number of a house or a row.
        return None
    places = np.array([*(words[part[0]] for part in parts), -1], dtype=np.int64)
    codes = places[cells.codes]
    counts = np.bincount(codes[codes >= 0], minlength=len(words)).tolist()
    return replace(cells, codes=codes, texts=list(words), counts=counts)


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """What a column gives by one reader: a value for each different text, None missing, and which did not fit."""

    raw: pd.Series
    cells: Cells
    reader: CellReader
    values: list[Any]
    odd: frozenset[int]
    notes: tuple[str, ...] = ()

    @property
    def unfit(self) -> int:
        """Cells that did not fit."""
        return sum(self.cells.counts[place] for place in self.odd)

    @property
    def missing(self) -> int:
        """Cells that are blank, or a word for that."""
        words = sum(
            n
            for n, value, at in zip(self.cells.counts, self.values, range(len(self.values)), strict=True)
            if value is None and at not in self.odd
        )
        return words + int((self.cells.codes < 0).sum())


def attempt(raw: pd.Series, cells: Cells, reader: CellReader) -> Attempt:
    """Read each different text once."""
    values: list[Any] = []
    odd = set()
    for place, text in enumerate(cells.texts):
        try:
            values.append(reader.read(text))
        except UnfitError:
            values.append(None)
            odd.add(place)
    return Attempt(raw, cells, reader, values, frozenset(odd))


def share(tried: Attempt) -> float:
    """The share of the cells that fit among those that are not missing."""
    there = len(tried.cells.codes) - tried.missing
    return 0.0 if there == 0 else 1 - tried.unfit / there


def booleans_in(raw: pd.Series, cells: Cells, asked: ColumnSettings) -> Attempt | None:
    """As true and false; None where no text is either."""
    tried = attempt(raw, cells, CellReader("boolean", missing=asked.missing))
    return tried if any(value is not None for value in tried.values) else None


def numbers_in(raw: pd.Series, cells: Cells, asked: ColumnSettings, prefer: Decimal) -> Attempt:
    """By the decimal sign and the unit that most cells fit; the preferred sign where both do."""
    mark = _mark(cells)
    other: Decimal = "," if prefer == "." else "."
    signs: tuple[Decimal, ...] = (asked.decimal,) if asked.decimal else (prefer, other)
    tries = [attempt(raw, cells, CellReader("number", sign, mark, asked.missing)) for sign in signs]
    best = min(tries, key=lambda tried: tried.unfit)
    if len(tries) == 2 and tries[0].unfit == tries[1].unfit and tries[0].values != tries[1].values:
        unsure = f"either sign would fit: data.columns.{cells.name}.decimal settles it"
        return Attempt(raw, cells, best.reader, best.values, best.odd, (unsure,))
    return best


def dates_in(raw: pd.Series, cells: Cells, asked: ColumnSettings) -> Attempt | None:
    """As dates; None where none of the first texts is one."""
    if asked.type is None and not any(is_date(text) for text in cells.texts[:LOOKED_AT]):
        return None
    day_first, unsure = (asked.day_first, "") if asked.day_first is not None else order(cells.texts)
    tried = attempt(raw, cells, CellReader("date", missing=asked.missing, day_first=day_first))
    note = f"{unsure}; data.columns.{cells.name}.day_first settles it"
    return replace(tried, notes=(note,)) if unsure else tried


def _mark(cells: Cells) -> str:
    """The unit that stands beside most of the numbers."""
    found: Counter[str] = Counter()
    for text, count in zip(cells.texts, cells.counts, strict=True):
        body = text.strip("+-()\u2212 ")
        for mark in MARKS:
            if body.startswith(mark) or body.endswith(mark):
                found[mark] += count
    return found.most_common(1)[0][0] if found else ""


def coded(cells: Cells) -> bool:
    """Whether digits are codes: some begin with 0, and all are of one length or many begin so."""
    digits = [(text, count) for text, count in zip(cells.texts, cells.counts, strict=True) if text.isdecimal()]
    zeros = sum(count for text, count in digits if len(text) > 1 and text[0] == "0")
    if not zeros or sum(count for _, count in digits) <= 0.5 * cells.total:
        return False
    return len({len(text) for text, _ in digits}) == 1 or zeros >= 0.01 * cells.total
