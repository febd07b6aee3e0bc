"""Whether a text is a date in one of the usual forms. Pure; says nothing of which day it is."""

import re

_MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?"
_TIME = r"(?:[T ,]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[ap]m)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?)?"
_FORMS = re.compile(
    "(?:"
    + "|".join(
        (
            r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}",
            r"\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})",
            rf"{_MONTHS} \d{{1,2}},? \d{{4}}",
            rf"\d{{1,2}}[-. ]{{1,2}}{_MONTHS}[- ,]{{1,2}}\d{{4}}",
        )
    )
    + ")"
    + _TIME,
    re.ASCII | re.IGNORECASE,
)


def is_date(text: str) -> bool:
    """`2024-01-31`, `31.1.2024`, `1/31/24`, `Jan 31 2024`, `31 January 2024`, each with or without a time."""
    return _FORMS.fullmatch(text) is not None
