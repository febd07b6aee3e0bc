"""A column of dates: in which order they are written, and what a model can use of them. Pure."""

from collections.abc import Sequence

import pandas as pd

from scoring.dates import PARTS, ambiguous, read

ENOUGH = 20_000
"""So many different moments say which parts are of use."""


def is_date(text: str) -> bool:
    """Whether it is one in a usual form, whichever comes first of day and month."""
    return read(text, True) is not None or read(text, False) is not None


def order(texts: Sequence[str]) -> tuple[bool, str]:
    """Whether the day comes before the month, decided by the many; and what to say where nothing decides it."""
    pairs = [(text, pair) for text in texts if (pair := ambiguous(text))]
    days_first, months_first = sum(one > 12 for _, (one, _) in pairs), sum(two > 12 for _, (_, two) in pairs)
    if days_first != months_first or not pairs:
        return days_first > months_first, ""
    day_first = "/" not in pairs[0][0]
    text, (one, two) = pairs[0]
    day, month = (one, two) if day_first else (two, one)
    return day_first, f"{text} is taken for day {day} of month {month}"


def parts_of(values: pd.Series) -> tuple[str, ...]:
    """The parts of dates, as `scoring.dates.iso` writes them, that are not the same in all rows."""
    moments = [moment for text in values.dropna().unique()[:ENOUGH] if (moment := read(text, True))]
    return tuple(name for name, part in PARTS.items() if len({part(moment) for moment in moments}) > 1)
