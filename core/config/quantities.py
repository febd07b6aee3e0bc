"""What settings are made of: shares, counts, lists, names, CPU and memory as people write them."""

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

LONGEST_NAME = 42
_NAME = re.compile(r"[a-z]([a-z0-9_-]*[a-z0-9])?")
_NAME_PARTS = re.compile(r"[a-z0-9_-]+")
_SPAN = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|min|h|d)$")
_SPANS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_CPU = re.compile(r"^(\d+)m$|^(\d+(?:\.\d+)?)$")
_MEMORY = re.compile(r"^(\d+(?:\.\d+)?)(Ki|Mi|Gi|k|M|G)$")
_BYTES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}

MOST_S = 366 * 86400.0
"""No span of time is longer: a year on a calendar is a slip of the hand."""
LEAST_HOLD_S = 1.0
"""Samples are of a second each."""


class SettingsPart(BaseModel):
    """A part of the settings: unknown keys and loose types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def listed(value: object) -> object:
    """A list as a tuple; `7,8,9` and a single value as people type them after `--set`."""
    if isinstance(value, str) and "," in value:
        parts = [part.strip() for part in value.split(",")]
        return tuple(int(part) if part.isdecimal() else part for part in parts if part)
    if isinstance(value, int | str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def worded(value: object) -> object:
    """`cpu: 1` and `cpu: 0.5` as text, as Kubernetes takes both."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def to_cpu_m(cpu: str) -> int:
    """`500m`, `0.5` or `1` in thousandths of a core; raises ValueError."""
    match = _CPU.match(cpu)
    amount = 0 if match is None else int(match[1]) if match[1] else round(float(match[2]) * 1000)
    if amount < 1:
        raise ValueError(f"{cpu!r} is not an amount of CPU; write 500m or 0.5")
    return amount


def to_bytes(memory: str) -> int:
    """`256Mi`, `1Gi` or `200M` in bytes; raises ValueError, also under a million."""
    match = _MEMORY.match(memory)
    amount = 0 if match is None else int(float(match[1]) * _BYTES[match[2]])
    if amount < 10**6:
        raise ValueError(f"{memory!r} is not an amount of memory; write 256Mi or 1Gi")
    return amount


def to_seconds(text: str) -> float:
    """`90s`, `10m`, `1.5h` or `2d` in seconds; raises ValueError."""
    match = _SPAN.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time; write 90s, 10m, 1.5h or 2d")
    return float(match[1]) * _SPANS[match[2]]


def timed(value: object) -> object:
    """A time as people write it, or seconds."""
    return to_seconds(value) if isinstance(value, str) else value


def _span(seconds: float) -> float:
    if seconds > MOST_S:
        raise ValueError(f"{seconds / 86400:.0f} d is longer than {MOST_S / 86400:.0f} d, the most")
    return seconds


def held(seconds: float) -> float:
    """How long a hold lasts; raises ValueError where nothing could be judged in it."""
    if 0 < seconds < LEAST_HOLD_S:
        raise ValueError(f"{seconds:g} s is too short to judge anything by; at least {LEAST_HOLD_S:g} s, or 0 for none")
    return seconds


def _name(text: str) -> str:
    # It becomes a folder and a part of an address.
    if len(text) > LONGEST_NAME:
        raise ValueError(f"{text[:20]}… has {len(text)} characters, and {LONGEST_NAME} are the most")
    if not _NAME.fullmatch(text) and _NAME_PARTS.fullmatch(text):
        raise ValueError(f"{text!r} should begin with a letter and end with a letter or a digit")
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} should be small letters, digits, - and _, such as late-flights")
    return text


Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Percent: TypeAlias = Annotated[float, Field(ge=0, le=100)]
Seconds: TypeAlias = Annotated[float, BeforeValidator(timed), Field(ge=0), AfterValidator(_span)]
HoldSeconds: TypeAlias = Annotated[Seconds, AfterValidator(held)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
Name: TypeAlias = Annotated[str, AfterValidator(_name)]
Names: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(listed)]
Numbers: TypeAlias = Annotated[tuple[int, ...], BeforeValidator(listed)]
