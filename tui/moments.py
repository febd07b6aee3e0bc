"""Moments as people write and read them: `2026-11-20 14:00`, `14:00`, `2h` ago; always with the zone they are in."""

import re
import time
from datetime import UTC, datetime, timedelta

from core.domain.errors import BadInput

_AGO = re.compile(r"^(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)(?:\s+ago)?$")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604_800}


def moment(text: str, now: float) -> float:
    """Seconds since the epoch; without a zone of its own in this machine's. Raises BadInput."""
    asked = text.strip()
    if (ago := _AGO.match(asked)) is not None:
        return now - float(ago[1]) * _SECONDS[ago[2]]
    today = datetime.fromtimestamp(now, UTC).astimezone()
    if asked in ("today", "yesterday"):
        midnight = today.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        return (midnight - timedelta(days=asked == "yesterday")).astimezone().timestamp()
    if re.match(r"^\d{1,2}:\d{2}", asked):
        asked = f"{today:%Y-%m-%d} {asked.rjust(5, '0') if len(asked) == 4 else asked}"
    try:
        found = datetime.fromisoformat(asked)
    except ValueError:
        raise BadInput(f"{text!r} is no moment; write 2026-11-20 14:00, 14:00, 2h or 3d") from None
    try:
        return found.astimezone().timestamp() if found.tzinfo is None else found.timestamp()
    except (OverflowError, OSError, ValueError):
        raise BadInput(f"{text!r} is no moment that this machine's clock knows") from None


def passed(flag: str, text: str, now: float) -> float:
    """A moment of the past, that a flag names; raises BadInput."""
    asked = moment(text, now)
    if asked > now + 1:
        raise BadInput(f"{flag} {text}: {dated(asked)} is still to come; it is {dated(now)} now")
    return asked


def dated(at: float) -> str:
    """A moment to the second with its zone: `2026-11-20 14:00:00 CET (+0100)`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z (%z)", time.localtime(at))


def iso(at: float | None) -> str | None:
    """As ISO 8601 with its zone, to the millisecond."""
    return None if at is None else datetime.fromtimestamp(at, UTC).astimezone().isoformat(timespec="milliseconds")
