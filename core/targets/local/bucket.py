"""A CPU limit as a token bucket: how long a process may run, and how long it must rest. Sends no signal itself."""

from dataclasses import dataclass

PERIOD_S = 0.1
"""As the kernel's own quota has it: a limit of 250m is 25 ms in every 100."""
TICK_S = 0.002
"""Never look more often than this."""


@dataclass(slots=True)
class Bucket:
    """The time a process has saved up. `share` is in cores; times in seconds.

    It fills at `share` a second up to one period's worth and pays for the time used, into debt where a look came
    late: so the average is exact, whatever the machine does meanwhile.
    """

    share: float
    at_s: float
    used_s: float
    saved_s: float = 0.0
    running: bool = True

    @classmethod
    def of(cls, cpu_m: int, at_s: float, used_s: float) -> "Bucket":
        """A full bucket for a limit in thousandths of a core."""
        share = cpu_m / 1000
        return cls(share, at_s, used_s, share * PERIOD_S)

    def look(self, at_s: float, used_s: float) -> float:
        """Settle up to now and set `running`; gives the seconds until the next look."""
        full = self.share * PERIOD_S
        self.saved_s += self.share * (at_s - self.at_s) - (used_s - self.used_s)
        if self.running:
            # What an idle process does not use is lost; one that rested too long gets it all.
            self.saved_s = min(full, self.saved_s)
        self.at_s, self.used_s = at_s, used_s
        # Rest until a whole turn is affordable: on and off then take one period together.
        enough = full * max(0.1, 1 - self.share)
        if self.running:
            self.running = self.saved_s > 0
        else:
            self.running = self.saved_s >= enough
        wait = self.saved_s if self.running else (enough - self.saved_s) / self.share
        return min(PERIOD_S, max(TICK_S, wait))
