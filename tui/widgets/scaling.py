"""Pane 3: the autoscaler. How many replicas, what it measured, what it decided and why."""

import re
from collections.abc import Sequence

from core.domain.model import Scaled
from core.domain.obstacles import Cause
from core.scaling.facts import facts_of
from core.scaling.reasons import explain
from core.scaling.sentences import ScalingReason
from core.state.endpoint import Mark
from tui import format as as_text
from tui.evidence import silent_s
from tui.history import Point, Silence
from tui.styled import Line, Part, apart, cut, fitting, width as cells_of
from tui.theme import slot_role
from tui.view import View
from tui.widgets.chart import Axis, Chart, Curve, axis_of, times
from tui.widgets.marks import legend
from tui.widgets.pane import Pane

LEAST_WHY = 8
"""In fewer cells a reason says nothing."""
LEAST, ROOMY = 5, 11
"""From so many lines on the first reason has one of its own; from so many on all are told, and the last decisions."""
OLD_LOOKS = 2.0
"""A look is old after so many times as long as until its next one."""
IN_HEAD = frozenset({Cause.BELOW_TARGET, Cause.TOLERANCE})
"""What the head says already, in two words."""
CHART, DECISIONS, REASONS = 3, 5, 2
"""At least so many lines are the chart's; at most so many are the last decisions', and so many reasons are told."""
TOLD = frozenset({"scaling", "cluster"})
"""Of what the log's lines are that stand below: decisions, and what a cluster warned of."""


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


def reasons_of(view: View) -> list[ScalingReason]:
    """Why the slot that is shown is not of another size; nothing where that was long heard of, or is only unknown."""
    if view.name is None or view.endpoint is None or silent_s(view) is not None:
        return []
    one = watched(view)
    shown = one.slot if one is not None else view.endpoint.serving or next(iter(sorted(view.endpoint.slots)), "")
    facts = (each for each in facts_of(view.snapshot, view.name, view.now) if each.slot == shown)
    found = [reason for each in facts for reason in explain(each) if reason.cause is not Cause.UNSCALED]
    # How old a look is stands in the head.
    return [reason for reason in found if not (reason.cause is Cause.UNREAD and reason.calm)]


class Scaling(Pane):
    """The replicas between their bounds, the metric against its target, the last decision in words, and why there are
    not more or fewer."""

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
        return (endpoint.scaled, endpoint.slots, endpoint.marks, view.points, view.series(None), *view.charts)

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
        """The figures, why there are not others, the chart, its times, what the marks mean, the last decisions."""
        endpoint = view.endpoint
        if endpoint is None or not endpoint.slots:
            return [(("scaling: " if self.folded else "", "dim"), ("no replicas yet", "dim"))]
        reasons = reasons_of(view)
        head = self._head(view, width, reasons)
        if height <= 1:
            return [head]
        over = axis_of(view, self.full)
        told = _told(reasons, height)
        room = height - 1 - len(told) - (2 if height >= LEAST else 0)
        last = _decisions(view, room - CHART) if height >= ROOMY else []
        room -= len(last)
        chart = self._drawn(view, over, endpoint.marks, (width, room))
        below = [times(over, width), legend(endpoint.marks, over.start, width)] if height >= LEAST else []
        return [head, *told, *chart, *below, *last]

    def _drawn(self, view: View, over: Axis, marks: Sequence[Mark], size: tuple[int, int]) -> list[Line]:
        points = view.charted_points
        slots = sorted({point.slot for point in points})
        end = min(over.end, view.heard_at) if silent_s(view) is not None and view.heard_at is not None else over.end
        known = Axis(over.start, max(over.start, end))
        curves = [
            stairs([p for p in points if p.slot == slot], known, slot_role(slot, "bar"), view.charted_silences)
            for slot in slots
        ]
        key = (view.points, marks, view.silences, view.earlier)
        return self._chart.lines(key, [c for c in curves if c.xs], over, marks, size, woven=True)

    def _head(self, view: View, width: int, reasons: Sequence[ScalingReason]) -> Line:
        one = watched(view)
        slots = view.endpoint.slots if view.endpoint else {}
        if one is None:
            ready = sum(seen.ready for seen in slots.values())
            wanted = sum(seen.due for seen in slots.values())
            if silent_s(view) is not None:
                return ((f"{ready} of {wanted} replicas ready when last heard of", "dim"),)
            return ((f"{ready}", "strong"), (f" of {wanted} replicas ready · not scaled by itself", "dim"))
        seen = slots.get(one.slot)
        ago, old = as_text.about(view.now - one.at), view.now - one.at > OLD_LOOKS * one.next_look_s
        heard = silent_s(view) is None and not old
        held = any(obstacle.cause is Cause.HELD for obstacle in one.obstacles)
        between = f"{one.min}–{one.max}" if one.min < one.max else f"{one.max}"
        bounds = " held" if held else f" of {between}{' replicas' if width >= 100 else ''}"
        if seen is not None and seen.due == 0:
            bounds = " replicas"
        parts: list[Part] = [
            (5, (("scaling " if self.folded else "", "dim"),)),
            (0, (("" if heard else f"as of {ago} ago: ", "moves"),)),
            (0, ((f"{seen.due if seen else one.after}", slot_role(one.slot) if heard else "dim"),)),
            (4, ((bounds, "dim"),)),
            (1, ((f" · {seen.ready if seen else 0} ready", "text" if heard else "dim"),)),
        ]
        for reading in one.readings:
            value = as_text.NOTHING if reading.value is None else f"{reading.value:.0f} %"
            role = (
                "dim"
                if not heard
                else "moves"
                if reading.value is not None and reading.value > reading.target * 1.1
                else "strong"
            )
            said: Line = ((f"   {reading.name} ", "dim"), (value, role), (f" of {reading.target:g} %", "dim"))
            parts.append((2, said))
        changed = one.before != one.after
        # Where the size is another since, what the look kept is past.
        kept = "keeps" if seen is None or seen.due == one.after else "kept"
        change, gap = (f"{one.before} → {one.after}", " ") if changed else (f"{kept} {one.after}", ": ")
        parts.append((3, ((f"   {change}", "moves" if changed else "dim"),)))
        wrong = next((reason.cause.value for reason in reasons if self.folded and not reason.calm), "")
        parts.append((0, ((f"   ! {wrong}", "moves"),) if wrong else ()))
        line = fitting(parts, width)
        end: Line = ((f"{ago} ago" if heard else "", "dim"),)
        if cells_of(line) + cells_of(end) + 1 > width:
            return line
        room = width - cells_of(line) - cells_of(end) - 1 - len(gap)
        why: Line = ((gap + cut(_why(one), room), "dim"),) if room > LEAST_WHY and not wrong else ()
        return apart((*line, *why), end, width)

    def why(self, view: View) -> list[str]:
        """Each slot's last look, and why the one that is shown is not of another size."""
        looks = view.endpoint.scaled.values() if view.endpoint else ()
        told = [
            f"{one.slot} {one.before} → {one.after} at {as_text.clock(one.at)}: {one.reason}; "
            + ", ".join(f"{r.name} {as_text.percent(r.value, 0)} of {r.target:g} %" for r in one.readings)
            + f"; between {one.min} and {one.max}"
            for one in looks
        ] or ["no autoscaler has looked yet"]
        return [*told, *(f"{one.text} → {one.todo}" for one in reasons_of(view))]


def _told(reasons: Sequence[ScalingReason], height: int) -> list[Line]:
    """The reasons as lines: in much room each with its next step, else the first that the head does not say too."""
    if height < LEAST:
        return []
    roomy = height >= ROOMY
    found: list[Line] = []
    for one in [one for one in reasons if roomy or one.cause not in IN_HEAD][: REASONS if roomy else 1]:
        found.append(((f"{'·' if one.calm else '!'} {one.text}", "dim" if one.calm else "moves"),))
        if roomy:
            found.append(((f"  → {one.todo}", "dim"),))
    return found


def _decisions(view: View, room: int) -> list[Line]:
    """What was decided last about the size, and what a cluster warned of, newest below."""
    most = min(room, DECISIONS)
    mine = [line for line in view.log if line.endpoint == view.name and line.source in TOLD]
    return [
        ((f"{as_text.clock(one.at)}  ", "dim"), (one.text, "text" if one.source == "scaling" else "moves"))
        for one in (mine[-most:] if most > 0 else [])
    ]


def _turn(one: Scaled) -> int:
    return (one.after > one.before) - (one.after < one.before)


def _why(one: Scaled) -> str:
    """The reason without the readings that it begins with: they stand beside it."""
    for reading in one.readings:
        said = re.match(rf"{re.escape(reading.name)} [\d.]+ % of [\d.]+ %[:;,]? *", one.reason)
        if said:
            return one.reason[said.end() :] or {1: "over its target", -1: "under its target"}.get(_turn(one), "enough")
    return one.reason


def stairs(points: Sequence[Point], over: Axis, role: str, silences: Sequence[Silence] = ()) -> Curve:
    """Replicas as stairs: as many as before up to the moment of a change. Time that nobody watched is left out."""
    steps: list[tuple[float, float | None]] = [(point.at, float(point.ready)) for point in points]
    # A silence ends what was known; what is seen at its end begins anew.
    steps += [(silence.start, None) for silence in silences]
    steps += [(silence.end, _ready(points, silence.end)) for silence in silences]
    steps.sort(key=lambda step: (step[0], step[1] is not None))
    xs: list[float] = []
    ys: list[float] = []
    breaks: set[int] = set()
    last: float | None = None
    known = [step for step in steps if step[0] <= over.end]
    for moment, ready in [*known, (over.end, None)]:
        at = min(max(moment, over.start), over.end)
        if moment <= over.start:
            xs, ys, last = [], [], None
        if ready is not None and ready == last:
            continue
        if last is not None:
            xs, ys = [*xs, at], [*ys, last]
        if ready is not None:
            breaks |= {len(xs)} if last is None else set()
            xs, ys = [*xs, at], [*ys, ready]
        last = ready
    return Curve(role, xs, ys, frozenset(breaks))


def _ready(points: Sequence[Point], at: float) -> float | None:
    """How many were ready at a moment, as far as it was seen."""
    before = [point.ready for point in points if point.at <= at]
    return float(before[-1]) if before else None
