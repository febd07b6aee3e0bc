"""Alert rules: what each one looks for, for how long, and what it does about it. Nouns alone."""

from dataclasses import dataclass
from enum import StrEnum

from core.state.alert import Topic


class Measure(StrEnum):
    """What a rule looks at."""

    SMOKE = "smoke"
    ERRORS = "errors"
    AVAILABILITY = "availability"
    REQUESTS = "requests"
    P95 = "p95"
    BURN = "burn"


class Does(StrEnum):
    """What a rule does once it fires; a way back is told too."""

    TELL = "tell"
    TICKET = "ticket"
    PAGE = "page"
    ROLLBACK = "rollback"
    GRADUAL = "gradual rollback"


GOES_BACK = (Does.ROLLBACK, Does.GRADUAL)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `limit` is in the measure's own unit: percent, milliseconds, or times the error budget.

    It is judged over the last `window_s` (of a burn: over `long_s` and `short_s`, both), by `at_least` requests, and
    fires once it was true for `for_s`. While it stays true it is told again after `escalate_s`, then after twice that.
    `shares` and `pause_s` are the steps of a gradual rollback.
    """

    name: str
    measure: Measure
    limit: float
    for_s: float
    does: Does
    window_s: float = 60.0
    at_least: int = 20
    long_s: float = 0.0
    short_s: float = 0.0
    escalate_s: float = 900.0
    shares: tuple[float, ...] = (50.0,)
    pause_s: float = 60.0

    @property
    def topic(self) -> Topic:
        """Who is told of it."""
        return {Does.TICKET: Topic.TICKET, Does.TELL: Topic.ALERT}.get(self.does, Topic.PAGE)

    @property
    def longest_s(self) -> float:
        """How far back it looks."""
        return max(self.window_s, self.for_s, self.long_s)

    @property
    def will(self) -> str:
        """What it does, in words."""
        match self.does:
            case Does.ROLLBACK:
                return "rolls back at once"
            case Does.GRADUAL:
                steps = " → ".join(f"{share:g}" for share in (100.0, *self.shares, 0.0))
                return f"rolls back in steps {steps} %, {self.pause_s:g} s apart"
            case Does.PAGE if self.measure is Measure.REQUESTS:
                return "asks /health and sends a request itself, and pages"
            case Does.PAGE:
                return "pages"
            case Does.TICKET:
                return "opens a ticket"
            case Does.TELL:
                return "tells people"


MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

RULES = (
    Rule("smoke", Measure.SMOKE, 0, 0, Does.ROLLBACK),
    Rule("errors", Measure.ERRORS, 5, 5 * MINUTE, Does.GRADUAL),
    Rule("errors-lasting", Measure.ERRORS, 5, 10 * MINUTE, Does.TELL),
    Rule("availability", Measure.AVAILABILITY, 99, 10 * MINUTE, Does.ROLLBACK),
    Rule("availability-lasting", Measure.AVAILABILITY, 99, 15 * MINUTE, Does.ROLLBACK),
    Rule("no-requests", Measure.REQUESTS, 0, 15 * MINUTE, Does.PAGE),
    Rule("latency", Measure.P95, 2000, 15 * MINUTE, Does.TICKET),
    Rule("burn-fast", Measure.BURN, 14.4, 0, Does.PAGE, long_s=HOUR, short_s=5 * MINUTE),
    Rule("burn-slow", Measure.BURN, 6, 0, Does.PAGE, long_s=6 * HOUR, short_s=30 * MINUTE),
    Rule("burn-budget", Measure.BURN, 1, 0, Does.TICKET, long_s=3 * DAY, short_s=6 * HOUR, escalate_s=DAY),
)
"""What is looked for where nothing else is said; the burn rates are those of Google's SRE workbook, chapter 5."""
