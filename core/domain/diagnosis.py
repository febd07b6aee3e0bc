"""What an examination looks at and what it found: the nouns of `quarterdeck doctor`. Looks at nothing itself."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from core.system.aside import aside

LOOK_S = 5.0
"""As long as most looks may take; a machine that is busy answers within a tenth of that."""


class Condition(StrEnum):
    """How something is: as it should be, worth a word, or in the way of a release or of users."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was found, and what to `do` about it. `name` and `of` are those of the examination."""

    condition: Condition
    text: str
    do: str = ""
    name: str = ""
    of: str = ""


Diagnoses: TypeAlias = Iterable[Diagnosis]


@dataclass(frozen=True, slots=True)
class Examination:
    """Something to look at, on its own and no longer than `within_s`. `of` is the endpoint that it is about, if one."""

    name: str
    look: Callable[[], Awaitable[Diagnoses]]
    of: str = ""
    within_s: float = LOOK_S


def ok(text: str) -> Diagnosis:
    """As it should be."""
    return Diagnosis(Condition.OK, text)


def warn(text: str, do: str = "") -> Diagnosis:
    """Worth a word."""
    return Diagnosis(Condition.WARN, text, do)


def fail(text: str, do: str = "") -> Diagnosis:
    """In the way."""
    return Diagnosis(Condition.FAIL, text, do)


def looking(name: str, look: Callable[[], Diagnoses], of: str = "", within_s: float = LOOK_S) -> Examination:
    """An examination that may hang in the system's hands: each in a thread of its own."""
    return Examination(name, lambda: aside(lambda: list(look()), f"doctor {name}"), of, within_s)
