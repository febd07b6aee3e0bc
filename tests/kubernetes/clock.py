"""The cluster's clock, which a test may set wrong."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(slots=True)
class SkewedClock:
    """This machine's time, `skew_s` seconds ahead."""

    skew_s: float = 0.0

    def now_s(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.skew_s

    def stamp(self, ahead_s: float = 0.0) -> str:
        """The time as `metadata` has it, in whole seconds."""
        return datetime.fromtimestamp(self.now_s() + ahead_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def micro(self) -> str:
        """The time as Leases and new events have it."""
        return datetime.fromtimestamp(self.now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_of(stamp: str) -> float:
    """Seconds since 1970 of a time in an object."""
    return datetime.fromisoformat(stamp).timestamp()
