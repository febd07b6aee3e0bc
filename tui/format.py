"""Figures as people read them. Absence is a dash; a width is kept by whoever sets the column."""

import time

from core.domain.gates import Gate

NOTHING = "–"


def clock(at: float) -> str:
    """A moment as local time: `14:02:31`."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def span(seconds: float) -> str:
    """A stretch of time on a clock: `0:41`, `1:02:03`."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def took(seconds: float) -> str:
    """How long a stage took: `12.1 s`, or on a clock from 100 s on."""
    return f"{max(0.0, seconds):.1f} s" if seconds < 99.95 else span(seconds)


def about(seconds: float) -> str:
    """A stretch of time in its largest unit: `24 h`, `5 min`, `12 s`."""
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:.0f} d"
    if seconds >= 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{max(0.0, seconds):.0f} s"


def percent(value: float | None, digits: int = 1) -> str:
    """A share that is given in percent. Only nothing is 0, and only all is 100."""
    if value is None:
        return NOTHING
    said, step = f"{value:.{digits}f} %", 10.0**-digits
    if value > 0 and float(said[:-2]) == 0:
        return f"<{step:g} %"
    return f">{100 - step:g} %" if value < 100 and float(said[:-2]) == 100 else said


def share(value: float) -> str:
    """A share in few cells: `8.3 %`, `72 %`, `100 %`."""
    return f"{value:.1f} %" if value < 9.95 else f"{value:.0f} %"


def whole(value: float | None) -> str:
    """A figure without a fraction in five cells at the most: `412`, `12.3k` from 10,000 on, `123k`, `1.2M`."""
    if value is None:
        return NOTHING
    for limit, unit, digits in ((9999.5, 1, 0), (99_950, 1e3, 1), (999_500, 1e3, 0), (99_950_000, 1e6, 1)):
        if abs(value) < limit:
            return f"{value / unit:.{digits}f}{ {1: '', 1e3: 'k', 1e6: 'M'}[unit] }"
    return f"{value / 1e6:.0f}M"


def ms(value: float | None) -> str:
    """Milliseconds without their unit: two digits at least where it is quick."""
    if value is None:
        return NOTHING
    return f"{value:.1f}" if value < 9.95 else whole(value)


def proved(took_ms: float) -> str:
    """How long it took to prove something: milliseconds, unless somebody had to come back for it."""
    return f"{took_ms:.0f} ms" if took_ms < 10_000 else about(took_ms / 1000)


AGAINST = {" vs production": ": prod", " vs baseline": ": base"}
POINTS = " pt"
"""A difference of two shares is in points, not in percent of one of them."""
SIGNS = {">=": "≥", "<=": "≤"}


def gate_name(gate: Gate) -> str:
    """As the gates pane calls it: `p95 : live`."""
    name = f"{gate.name} ({gate.source.partition(' ')[0]})" if gate.source else gate.name
    for long, short in AGAINST.items():
        name = name.replace(long, short)
    return name


def gate_value(gate: Gate, value: float | None) -> str:
    """What a gate measured, in its unit."""
    if value is None:
        return NOTHING
    if gate.against:
        unit = POINTS if gate.in_points else " %"
        return f"{value:+.0f}{unit}" if abs(value) >= 9.95 else f"{value:+.1f}{unit}"
    if gate.metric.endswith("_percent"):
        return percent(value)
    if gate.metric.endswith("_ms"):
        return f"{ms(value)} ms"
    if gate.metric == "converged":
        return "yes" if value else "no"
    return f"{value:.3f}" if abs(value) < 10 else whole(value)


def gate_limit(gate: Gate) -> str:
    """The limit of a gate: `< 5 %`."""
    sign = SIGNS.get(gate.op, gate.op)
    if gate.against:
        return f"{sign} {gate.limit:+g}{POINTS if gate.in_points else ' %'}"
    if gate.metric == "converged":
        return ""
    unit = " %" if gate.metric.endswith("_percent") else ""
    return f"{sign} {gate.limit:.3f}".rstrip("0").rstrip(".") + unit
