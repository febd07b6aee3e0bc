"""The two sides of a split beside each other, with how sure that is: failures, times, labels, truth. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from core.domain.figures import RightAnswers
from core.domain.intervals import sure_difference
from core.domain.sample import Sample
from core.domain.shares import Mix, labelled, mix_of
from core.system.text import in_digits

Z = 1.96
"""Of a 95 % interval."""
TIMES = (50.0, 95.0)
NEW, LIVE, NEITHER = "the new version", "the one that serves", "neither, as far as this shows"


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the 95 % interval around it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{in_digits(self.value, 3)} ({in_digits(self.low, 3)} to {in_digits(self.high, 3)})"


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


def right_apart(new: RightAnswers, live: RightAnswers) -> Interval:
    """By how many points more often the new side is right (Newcombe's interval)."""
    one, other = (new.right, new.of), (live.right, live.of)
    value = 100 * (new.right / new.of - live.right / live.of)
    return Interval(value, 100 * sure_difference(*one, *other, Z), -100 * sure_difference(*other, *one, Z))


def by_truth(new: RightAnswers, live: RightAnswers, new_name: str, live_name: str) -> str:
    """Which of two versions is right more often, in words, with the interval; or that this does not show it."""
    right = right_apart(new, live)
    side = _side(right.low, right.high)
    better = {NEW: f"better: {new_name}", LIVE: f"better: {live_name}"}.get(side, f"better: {NEITHER}")
    return f"{better}, {new_name} is right {_points(right)} more often, 95 % sure"


def beside(
    new: Sample | None, live: Sample | None, truth: tuple[RightAnswers, RightAnswers] | None = None
) -> Mapping[str, object]:
    """Both sides as figures, and in words which is better; empty where one of them answered nothing.

    `truth` is how often the new side was right, and the other one.
    """
    if new is None or live is None or not (new.requests and live.requests):
        return {}
    failed = failed_apart(new, live)
    times = {f"p{percent:g}_ms": (took(new, percent), took(live, percent)) for percent in TIMES}
    mix = mix_of(new, live) if labelled(new) and labelled(live) else None
    right = right_apart(*truth) if truth is not None else None
    winner, by = named(failed, times[f"p{TIMES[-1]:g}_ms"], right)
    lines = [f"failed {_points(failed)}"]
    lines += [f"{name.removesuffix('_ms')} {a} ms against {b} ms" for name, (a, b) in times.items() if a and b]
    lines += [_mixed(mix)] if mix is not None else []
    lines += [f"right {truth[0]} against {truth[1]}, {_points(right)}"] if truth and right else []
    return {
        "requests": {"new": new.requests, "live": live.requests},
        "failed_points": [failed.value, failed.low, failed.high],
        **{name: {"new": _plain(a), "live": _plain(b)} for name, (a, b) in times.items()},
        **({} if mix is None else {"mix": {"label": mix.label, "new": mix.new, "live": mix.live}}),
        **({} if right is None else {"right_points": _plain(right)}),
        "winner": winner,
        "by": by,
        "text": "; ".join([*lines, f"better: {winner}{f', by {by}' if by else ''}"]),
    }


def _plain(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.value, interval.low, interval.high]


def _points(interval: Interval) -> str:
    return f"{interval.value:+.2f} points ({interval.low:+.2f} to {interval.high:+.2f})"


def _mixed(mix: Mix) -> str:
    """The label whose share differs most, and whether that may be chance."""
    sure = "" if mix.sure_points > 0 else ", which may be chance"
    return f"{mix.label} {mix.new:.1f} % of the answers against {mix.live:.1f} %{sure}"


def named(
    failed: Interval, times: tuple[Interval | None, Interval | None], right: Interval | None = None
) -> tuple[str, str]:
    """The better side and by what; neither where chance explains it.

    It is the one that surely is right more often, where the truth is known, unless it surely fails more; else the one
    that surely fails less, or else is surely quicker at its p95.
    """
    fails = _side(-failed.low, -failed.high)
    if right is not None and (quality := _side(right.low, right.high)):
        if fails and fails != quality:
            return NEITHER, f"right answers for {quality} and failures against it"
        return quality, f"right answers, {_points(right)}"
    if fails:
        return fails, f"failures, {_points(failed)}"
    new, live = times
    if new is None or live is None:
        return NEITHER, ""
    quicker = NEW if new.high < live.low else LIVE if live.high < new.low else ""
    return (quicker, f"p95, {new} ms against {live} ms") if quicker else (NEITHER, "")


def _side(one: float, other: float) -> str:
    """Whom an interval of what is good speaks for; empty where it holds 0."""
    low, high = sorted((one, other))
    return NEW if low > 0 else LIVE if high < 0 else ""
