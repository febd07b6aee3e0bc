"""When something began, for whoever comes after this process: its age is right whatever the wall's clock is set to."""

import time
from dataclasses import dataclass

from core.system.clock import boottime_s
from core.system.processes import boot


@dataclass(frozen=True, slots=True)
class KeptMoment:
    """A moment, written down: `at` in seconds since the epoch, `boot_s` since the machine started (`boot`)."""

    at: float
    boot: str
    boot_s: float

    @classmethod
    def now(cls) -> "KeptMoment":
        """This one."""
        return cls(time.time(), boot(), boottime_s())

    @property
    def age_s(self) -> float:
        """Seconds since then, never below 0; from before a start of the machine only the wall's clock tells."""
        here = self.boot == boot()
        return max(0.0, boottime_s() - self.boot_s if here else time.time() - self.at)
