"""Which profile of autoscale settings holds at a moment, as Azure Monitor chooses it. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from core.targets.azureml.autoscale_bodies import USUAL
from core.targets.azureml.schedule import DAYS, ZONES

Json: TypeAlias = Mapping[str, Any]
_ZONES = {azure: name for name, azure in ZONES.items()}


def holding(profiles: list[Json], now: float) -> Json:
    """The profile that holds at a moment: one of a fixed date first, then which recurred last, else the usual one."""
    at = datetime.fromtimestamp(now, UTC)
    for one in profiles:
        if (fixed := one.get("fixedDate")) and _date(fixed, "start") <= at <= _date(fixed, "end"):
            return one
    begun = [(start, n) for n, one in enumerate(profiles) if (start := _began(one, at)) is not None]
    if begun:
        return profiles[max(begun)[1]]
    usual = [one for one in profiles if not one.get("recurrence") and not one.get("fixedDate")]
    return (usual or profiles or [{}])[0]


def schedule_name(profile: Json) -> str:
    """Whose times hold; the end of a time is the usual bounds once more."""
    name = str(profile.get("name") or "")
    if name.startswith("{"):
        try:
            return str(json.loads(name).get("name") or "")
        except ValueError:
            return ""
    return name if profile.get("recurrence") or profile.get("fixedDate") else USUAL


def _began(profile: Json, at: datetime) -> datetime | None:
    """When a profile that recurs began last; None for others, and in a time zone that nobody here knows."""
    schedule = (profile.get("recurrence") or {}).get("schedule") or {}
    zone = _ZONES.get(str(schedule.get("timeZone") or "UTC"))
    if not schedule.get("hours") or zone is None:
        return None
    here, days = at.astimezone(ZoneInfo(zone)), {str(day).casefold() for day in schedule.get("days") or ()}
    minutes = schedule.get("minutes") or [0]
    for back in range(8):
        day = here.date() - timedelta(days=back)
        if DAYS[day.weekday()] not in days:
            continue
        starts = [
            datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=here.tzinfo)
            for hour in schedule["hours"]
            for minute in minutes
        ]
        if before := [start for start in starts if start <= here]:
            return max(before)
    return None


def _date(fixed: Json, key: str) -> datetime:
    """A moment of a fixed date; one that can't be read is long ago."""
    try:
        found = datetime.fromisoformat(str(fixed.get(key)))
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)
    zone = _ZONES.get(str(fixed.get("timeZone") or "UTC"), "UTC")
    return found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(zone))
