"""What goes wrong when a test wants it: each fault meets the requests that it names, so many times."""

import asyncio
import re
from dataclasses import dataclass, field
from enum import Enum
from itertools import count


class FaultKind(Enum):
    """How a request fares."""

    LATENCY = "latency"
    """Done and answered after `seconds`."""
    HANG = "hang"
    """Nothing for `seconds`, whoever may have left by then; then it is done. The late landing."""
    DROP = "drop"
    """The connection breaks before anything is done."""
    LOSE = "lose"
    """It is done, and the connection breaks instead of an answer."""
    BUSY = "busy"
    """429 with Retry-After `seconds`."""
    STATUS = "status"
    """An answer with this `status` and nothing done: 500, 503 …"""


@dataclass(slots=True)
class ApiFault:
    """One of them. `path` is a pattern found anywhere in path and query; `times` None: until taken back."""

    kind: FaultKind
    method: str = ""
    path: str = ""
    seconds: float = 0.0
    status: int = 503
    times: int | None = None
    met: int = 0
    number: int = 0

    def meets(self, method: str, path: str) -> bool:
        """Does it hold for this request?"""
        left = self.times is None or self.met < self.times
        return left and self.method in {"", method} and re.search(self.path, path) is not None


@dataclass(slots=True)
class Faults:
    """Those that are set."""

    active: list[ApiFault] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def add(self, fault: ApiFault) -> ApiFault:
        """Set one."""
        fault.number = next(self._numbers)
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        """Take all back."""
        self.active.clear()

    def met_by(self, method: str, path: str) -> list[ApiFault]:
        """Those that hold for a request, each counted."""
        found = [one for one in self.active if one.meets(method, path)]
        for one in found:
            one.met += 1
        return found


async def slowed(faults: list[ApiFault]) -> None:
    """Wait as long as these say."""
    await asyncio.sleep(sum(one.seconds for one in faults if one.kind in {FaultKind.LATENCY, FaultKind.HANG}))
