"""The two sides of a split beside each other, with how sure that is: failures, times, which is better. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from core.domain.intervals import sure_difference
from core.domain.model import Sample

Z = 1.96
"""Of a 95 % interval."""
TIMES = (50.0, 95.0)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the 95 % interval around it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


def failed_apart(new: Sample, live: Sample) -> Interval:
    """By how many points more the new side fails (Newcombe's interval)."""
    one, other = (new.failures, new.requests), (live.failures, live.requests)
    value = 100 * (one[0] / one[1] - other[0] / other[1])
    return Interval(value, 100 * sure_difference(*one, *other, Z), -100 * sure_difference(*other, *one, Z))


def took(sample: Sample, percent: float) -> Interval | None:
    """A percentile in ms, with the interval of its order statistics (David & Nagaraja, Order Statistics, 2003, 7.1)."""
    count, value = sample.latency.count, sample.latency.percentile_ms(percent)
    if value is None or count < 2:
        return None
    spread = 100 * Z * sqrt(percent / 100 * (1 - percent / 100) / count)
    low, high = (sample.latency.percentile_ms(min(100.0, max(0.0, percent + off))) for off in (-spread, spread))
    return Interval(value, value if low is None else low, value if high is None else high)


def beside(new: Sample | None, live: Sample | None) -> Mapping[str, object]:
    """Both sides as figures, and in words which is better; empty where one of them answered nothing."""
    if new is None or live is None or not (new.requests and live.requests):
        return {}
    failed = failed_apart(new, live)
    times = {f"p{percent:g}_ms": (took(new, percent), took(live, percent)) for percent in TIMES}
    lines = [f"failed {failed.value:+.2f} points ({failed.low:+.2f} to {failed.high:+.2f})"]
    lines += [f"{name.removesuffix('_ms')} {a} ms against {b} ms" for name, (a, b) in times.items() if a and b]
    return {
        "requests": {"new": new.requests, "live": live.requests},
        "failed_points": [failed.value, failed.low, failed.high],
        **{name: {"new": _plain(a), "live": _plain(b)} for name, (a, b) in times.items()},
        "winner": _winner(failed, times),
        "text": "; ".join([*lines, f"better: {_winner(failed, times)}"]),
    }


def _plain(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.value, interval.low, interval.high]


def _winner(failed: Interval, times: Mapping[str, tuple[Interval | None, Interval | None]]) -> str:
    """The side that surely fails less, or else is surely quicker at its p95; neither where chance explains it."""
    if failed.high < 0 or failed.low > 0:
        return "the new version" if failed.high < 0 else "the one that serves"
    new, live = times[f"p{TIMES[-1]:g}_ms"]
    if new is not None and live is not None and (new.high < live.low or live.high < new.low):
        return "the new version" if new.high < live.low else "the one that serves"
    return "neither, as far as this shows"
