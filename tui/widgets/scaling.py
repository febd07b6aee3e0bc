"""Pane 3: the autoscaler. How many replicas, what it measured, what it decided and why."""

import re
from collections.abc import Sequence

from core.domain.model import Scaled
from core.state.snapshot import Mark
from tui import format as as_text
from tui.styled import Line, apart
from tui.summary import slot_role
from tui.view import Point, View
from tui.widgets.chart import Axis, Chart, Curve, axis, legend, times
from tui.widgets.pane import Pane


def watched(view: View) -> Scaled | None:
    """The look to show: of the slot that was scaled last, of the serving one otherwise."""
    endpoint = view.endpoint
    if endpoint is None or not endpoint.scaled:
        return None
    serving = endpoint.scaled.get(endpoint.serving or "")
    changed = [one for one in endpoint.scaled.values() if one.before != one.after]
    return (
        max(changed, key=lambda one: one.at)
        if changed
        else serving or max(endpoint.scaled.values(), key=lambda s: s.at)
    )


class Scaling(Pane):
    """The replicas between their bounds, the metric against its target, the last decision in words."""

    NUMBER = "3"
    TICKS = True

    def __init__(self, **rest: str) -> None:
        super().__init__(**rest)
        self._chart = Chart()

    def parts(self, view: View) -> tuple[object, ...]:
        """The looks, the replicas, the marks, and the time axis that a sample moves."""
        endpoint = view.endpoint
        if endpoint is None:
            return (None,)
        return (endpoint.scaled, endpoint.slots, endpoint.marks, view.points, view.series(None))

    def name_of(self, view: View) -> str:
        """With the slot it is about."""
        one = watched(view)
        return f"scaling {one.slot}" if one else "scaling"

    def note_of(self, view: View) -> str:
        """When the autoscaler looks again, and whether its clock is shortened."""
        one = watched(view)
        if one is None:
            return ""
        left = one.at + one.next_look_s - view.now
        text = f"next look in {left:.0f} s" if left > 0 else f"looked {as_text.about(view.now - one.at)} ago"
        return f"clock shortened (--fast) · {text}" if one.fast else text

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """The figures, the chart, its times, and what the marks mean."""
        endpoint = view.endpoint
        if endpoint is None or not endpoint.slots:
            return [(("scaling: " if self.folded else "", "dim"), ("no replicas yet", "dim"))]
        head = self._head(view, width)
        if height <= 1:
            return [head]
        over = axis(view.end, view.points[0].at if self.full and view.points else None)
        room = height - 3 if height >= 5 else height - 1
        chart = self._drawn(view, over, endpoint.marks, (width, room))
        below = [times(over, width), legend(endpoint.marks, over, width)] if height >= 5 else []
        return [head, *chart, *below]

    def _drawn(self, view: View, over: Axis, marks: Sequence[Mark], size: tuple[int, int]) -> list[Line]:
        points = view.points
        slots = sorted({point.slot for point in points})
        curves = [stairs([p for p in points if p.slot == slot], over, slot_role(slot, "bar")) for slot in slots]
        return self._chart.lines((points, marks), [c for c in curves if c.xs], over, marks, size)

    def _head(self, view: View, width: int) -> Line:
        one = watched(view)
        slots = view.endpoint.slots if view.endpoint else {}
        if one is None:
            ready = sum(seen.ready for seen in slots.values())
            wanted = sum(seen.wanted for seen in slots.values())
            return ((f"{ready}", "strong"), (f" of {wanted} replicas ready · not scaled by itself", "dim"))
        seen = slots.get(one.slot)
        line: Line = (
            ("scaling " if self.folded else "", "dim"),
            (f"{seen.wanted if seen else one.after}", slot_role(one.slot)),
            (f" of {one.low}–{one.high}{' replicas' if width >= 100 else ''} · ", "dim"),
            (f"{seen.ready if seen else 0} ready", "text"),
        )
        for reading in one.readings:
            value = as_text.NOTHING if reading.value is None else f"{reading.value:.0f} %"
            role = "moves" if reading.value is not None and reading.value > reading.target * 1.1 else "strong"
            line = (*line, (f"   {reading.name} ", "dim"), (value, role), (f" of {reading.target:g} %", "dim"))
        ago = as_text.about(view.now - one.at)
        change = f"{one.before} → {one.after} " if one.before != one.after else f"keeps {one.after}: "
        line = (*line, (f"   {change}", "moves" if one.before != one.after else "dim"))
        return apart((*line, (_why(one), "dim")), ((f"{ago} ago", "dim"),), width)

    def why(self, view: View) -> list[str]:
        """Each slot's last look."""
        looks = view.endpoint.scaled.values() if view.endpoint else ()
        return [
            f"{one.slot} {one.before} → {one.after} at {as_text.clock(one.at)}: {one.reason}; "
            + ", ".join(f"{r.name} {as_text.percent(r.value, 0)} of {r.target:g} %" for r in one.readings)
            + f"; between {one.low} and {one.high}"
            for one in looks
        ] or ["no autoscaler has looked yet"]


def _turn(one: Scaled) -> int:
    return (one.after > one.before) - (one.after < one.before)


def _why(one: Scaled) -> str:
    """The reason without the readings that it begins with: they stand beside it."""
    for reading in one.readings:
        said = re.match(rf"{re.escape(reading.name)} [\d.]+ % of [\d.]+ %[:;,]? *", one.reason)
        if said:
            return one.reason[said.end() :] or {1: "over its target", -1: "under its target"}.get(_turn(one), "enough")
    return one.reason


def stairs(points: Sequence[Point], over: Axis, role: str) -> Curve:
    """Replicas as stairs: as many as before up to the moment of a change."""
    xs: list[float] = []
    ys: list[float] = []
    for point in points:
        if point.at > over.end:
            break
        at = max(point.at, over.start)
        if xs:
            xs, ys = [*xs, at], [*ys, ys[-1]]
        if point.at <= over.start:
            xs, ys = [], []
        xs, ys = [*xs, at], [*ys, float(point.ready)]
    return Curve(role, [*xs, over.end], [*ys, ys[-1]]) if xs else Curve(role, [], [])
