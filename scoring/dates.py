"""How the text of a date is read, and the numbers that a model sees of it. The same in training and in serving."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone

EPOCH = date(1970, 1, 1).toordinal()
PARTS: Mapping[str, Callable[[datetime], float]] = {
    "year": lambda when: float(when.year),
    "month": lambda when: float(when.month),
    "weekday": lambda when: float(when.weekday()),
    "hour": lambda when: float(when.hour),
    "days": lambda when: float(when.toordinal() - EPOCH),
}
"""Monday is weekday 0; `days` counts from 1970. Of a moment with an offset those of UTC."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*\.?"
_TIME = (
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<half>[ap]m)?\s*(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})?)?"
)
_FORMS = tuple(
    re.compile(form + _TIME, re.ASCII | re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})",
        r"(?P<one>\d{1,2})[-/.](?P<two>\d{1,2})[-/.](?P<year>\d{4}|\d{2})",
        rf"{_NAME} (?P<day>\d{{1,2}}),? (?P<year>\d{{4}})",
        rf"(?P<day>\d{{1,2}})[-. ]{{1,2}}{_NAME}[- ,]{{1,2}}(?P<year>\d{{4}})",
    )
)
TWO_DIGITS_UNTIL = 68
"""`68` is 2068 and `69` is 1969, as POSIX has it."""


def read(text: str, day_first: bool) -> datetime | None:
    """The moment of `2024-01-31`, `31.1.2024`, `1/31/24`, `Jan 31 2024`, `31 January 2024`, with or without a time.

    None for any other text. `day_first` says what 1/2/2024 is.
    """
    text = text.strip()
    for form in _FORMS:
        if match := form.fullmatch(text):
            try:
                return _moment(match.groupdict(), day_first)
            except (ValueError, OverflowError):
                return None
    return None


def ambiguous(text: str) -> tuple[int, int] | None:
    """The two numbers of a date of which either may be the day; None for any other text."""
    match = _FORMS[1].fullmatch(text.strip())
    return (int(match["one"]), int(match["two"])) if match else None


def _moment(found: Mapping[str, str | None], day_first: bool) -> datetime:
    year = int(found["year"] or 0)
    if len(found["year"] or "") == 2:
        year += 2000 if year <= TWO_DIGITS_UNTIL else 1900
    if one := found.get("one"):
        two = found["two"] or ""
        day, month = (one, two) if day_first else (two, one)
    else:
        name = found.get("name")
        day = found["day"] or ""
        month = str(_MONTHS.index(name.lower()) + 1) if name else found["month"] or ""
    hour = int(found["hour"] or 0)
    if half := found["half"]:
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    when = datetime(  # noqa: DTZ001 - a date without an offset is what it says
        year, int(month), int(day), hour, int(found["minute"] or 0), int(found["second"] or 0)
    )
    zone = found["zone"]
    if zone is None or zone.upper() in ("Z", "UTC"):
        return when
    digits = zone[1:].replace(":", "")
    apart = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    offset = timezone(-apart if zone[0] == "-" else apart)
    return when.replace(tzinfo=offset).astimezone(UTC).replace(tzinfo=None)


def iso(when: datetime) -> str:
    """As JSON has dates: without a time where that is midnight."""
    return when.date().isoformat() if (when.hour, when.minute, when.second) == (0, 0, 0) else when.isoformat()
