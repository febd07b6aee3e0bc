"""Other bounds at set times: what a project writes of them, and the names that Azure has for time zones. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from core.config.quantities import Count, SettingsPart, listed

Day: TypeAlias = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DAYS: tuple[Day, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ZONES: Mapping[str, str] = {
    "UTC": "UTC",
    "Europe/London": "GMT Standard Time",
    "Europe/Berlin": "W. Europe Standard Time",
    "Europe/Paris": "Romance Standard Time",
    "Europe/Warsaw": "Central European Standard Time",
    "Europe/Helsinki": "FLE Standard Time",
    "Europe/Istanbul": "Turkey Standard Time",
    "America/New_York": "Eastern Standard Time",
    "America/Chicago": "Central Standard Time",
    "America/Denver": "Mountain Standard Time",
    "America/Los_Angeles": "Pacific Standard Time",
    "America/Sao_Paulo": "E. South America Standard Time",
    "Asia/Kolkata": "India Standard Time",
    "Asia/Shanghai": "China Standard Time",
    "Asia/Singapore": "Singapore Standard Time",
    "Asia/Tokyo": "Tokyo Standard Time",
    "Australia/Sydney": "AUS Eastern Standard Time",
}
"""From the names that everybody has to those of Windows, which Azure takes; Unicode's windowsZones has all."""
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DAY_MIN = 24 * 60


def _minutes(text: Any) -> Any:
    """`20:30` as minutes of the day. YAML reads it as a number to the base of 60, which is the same."""
    if isinstance(text, str) and (found := _TIME.fullmatch(text.strip())):
        return 60 * int(found[1]) + int(found[2])
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text < _DAY_MIN:
        return text
    raise ValueError(f"{text!r} should be a time of day, such as '20:00'")


class AzureScheduleSettings(SettingsPart):
    """Between `from` and `to` on these days other bounds hold; a `to` that is not later is on the day after."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    days: Annotated[tuple[Day, ...], BeforeValidator(listed), Field(min_length=1)] = DAYS
    begin: Annotated[int, BeforeValidator(_minutes), Field(alias="from")]
    end: Annotated[int, BeforeValidator(_minutes), Field(alias="to")]
    min: Count = 1
    max: Count

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self

    def begins(self) -> set[tuple[Day, int]]:
        """The days and minutes that it begins on."""
        return {(day, self.begin) for day in self.days}

    def end_days(self, begins: Collection[tuple[Day, int]]) -> tuple[Day, ...]:
        """The days that it ends on, but where at that minute one of `begins` takes over."""
        later = int(self.end <= self.begin)
        ends = (DAYS[(DAYS.index(day) + later) % 7] for day in self.days)
        return tuple(day for day in ends if (day, self.end) not in begins)

    def minutes(self) -> Iterator[int]:
        """The minutes of the week that it holds in."""
        lasts = (self.end - self.begin) % _DAY_MIN or _DAY_MIN
        for day in self.days:
            start = DAYS.index(day) * _DAY_MIN + self.begin
            yield from ((start + n) % (7 * _DAY_MIN) for n in range(lasts))


def overlapping(schedule: tuple[AzureScheduleSettings, ...]) -> str:
    """Which two hold at one time, in a line; empty where none do."""
    taken: dict[int, str] = {}
    for one in schedule:
        for minute in one.minutes():
            if (other := taken.setdefault(minute, one.name)) != one.name:
                day, rest = divmod(minute, _DAY_MIN)
                return f"{other} and {one.name} both hold on {DAYS[day]} at {rest // 60:02}:{rest % 60:02}; part them"
    return ""
