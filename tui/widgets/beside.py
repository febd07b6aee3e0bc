"""Two slots side by side, a row of charts each, on one clock and one scale: for a person who is asked about one."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.domain.gates import Gate
from core.domain.model import Slot
from core.domain.plan import Hold
from core.domain.sample import Sample
from core.state.release import ReleaseState
from tui import format as as_text
from tui.judged import watched
from tui.sample_figures import Figures, figures_of
from tui.styled import Line, columns, fitting
from tui.theme import slot_role
from tui.view import View
from tui.widgets.chart import Axis, Chart, Curve, axis_of, breaks, ceiling
from tui.widgets.scaling import stairs

LEAST_WIDTH, LEAST_HEIGHT = 17, 7
KINDS = ("rps", "errors", "p95", "replicas")
STALE_S = 3.0
FIRST = ("errors", "p95", "rps", "replicas")
"""What stays longest where there is little room."""
COUNTED = {"kubernetes": "counted by the pods", "azureml": "counted on this machine"}
"""Whose figures a slot's are, by the kind of its place; elsewhere a router stands before all slots."""
LIMITED = {"errors": "failed_percent", "p95": "p95_ms"}


@dataclass(frozen=True, slots=True)
class Pair:
    """The slot that serves and the new one."""

    live: Slot
    new: Slot


def pair(view: View) -> Pair | None:
    """The two slots of a release, once both were measured; None where there is nothing to set side by side."""
    release = view.release
    if release is None or release.old is None or release.slot is None or view.endpoint is None:
        return None
    slots = (release.old, release.slot)
    known = all(slot in view.endpoint.slots and view.series(slot).samples for slot in slots)
    return Pair(*slots) if known else None


def unmeasured(view: View) -> list[Slot]:
    """Slots of a release that take traffic and of whose answers nobody has told anything, while load is sent."""
    sent = view.series(None).samples
    if not sent or not sent[-1].requests:
        return []
    release, slots = view.release, view.endpoint.slots if view.endpoint is not None else {}
    ours = [] if release is None else [slot for slot in (release.old, release.slot) if slot is not None]
    return [slot for slot in ours if slot in slots and slots[slot].weight > 0 and not view.series(slot).samples]


def answered(view: View, slots: Pair, since: float) -> bool:
    """Whether both slots answered something since a moment: two empty pictures help nobody to decide."""
    return all(
        any(sample.at >= since and sample.requests for sample in view.charted(slot)) for slot in (slots.live, slots.new)
    )


def asks(view: View) -> bool:
    """Whether a person is asked about the release now."""
    release = view.release
    step = release.current if release is not None and release.state is ReleaseState.RUNNING else None
    return step is not None and step.question is not None and step.answer is None


class SlotCharts:
    """The charts, each kept until its data is another."""

    def __init__(self) -> None:
        self._charts: dict[tuple[Slot, str], Chart] = {}
        self._figures: dict[tuple[Slot, float], Figures] = {}

    def lines(self, view: View, slots: Pair, size: tuple[int, int]) -> list[Line]:
        """A row of charts for each slot, under its figures of now; the limits are drawn in."""
        width, height = size
        chosen = FIRST[: max(1, min(len(KINDS), width // LEAST_WIDTH))]
        kinds = [kind for kind in KINDS if kind in chosen]
        over, limits = axis_of(view), _limits(view)
        both = {slot: self._curves(view, slot, over) for slot in (slots.live, slots.new)}
        tops = {kind: max(_top(curves[kind]) for curves in both.values()) for kind in kinds}
        cells = width // len(kinds)
        high = (height - 3) // 2
        rows: list[Line] = []
        for slot, curves in both.items():
            rows.append(self._head(view, slot, kinds, cells))
            charts = []
            for kind in kinds:
                limit = limits[kind].limit if kind in limits else None
                chart = self._charts.setdefault((slot, kind), Chart())
                made_of = (view.series(slot).samples, view.points, view.earlier)
                unit = " %" if kind == "errors" else ""
                top = ceiling(max(tops[kind], (limit or 0.0) * 1.1 if kind == "errors" else 0.0))
                charts.append(
                    chart.lines(made_of, [curves[kind]], over, (), (cells - 1, high), unit, top=top, limit=limit)
                )
            rows += [columns(parts, cells) for parts in zip(*charts, strict=True)]
        target = view.endpoint.target if view.endpoint is not None else ""
        by = COUNTED.get(target.partition(" ")[0], "measured by the router")
        return [*rows, _foot(over, limits, by, width)]

    def _head(self, view: View, slot: Slot, kinds: Sequence[str], cells: int) -> Line:
        seen = view.endpoint.slots[slot] if view.endpoint else None
        last = view.series(slot).last
        version = seen.version.label if seen is not None and seen.version else ""
        now = {"replicas": str(seen.ready) if seen is not None else as_text.NOTHING}
        # What came in the seconds before is no figure of now.
        if last is not None and view.now - last.at <= STALE_S + last.seconds:
            figures = self._of(slot, last)
            latency = figures.latency[1] if figures.latency else None
            now |= {"rps": as_text.whole(figures.rps), "errors": as_text.percent(figures.failed_percent)}
            now |= {"p95": f"{as_text.ms(latency)} ms" if latency is not None else as_text.NOTHING}
        parts: list[Line] = []
        for at, kind in enumerate(kinds):
            name: Line = ((f"{slot} {version}  ", slot_role(slot)),) if at == 0 else ()
            said: Line = ((now.get(kind, as_text.NOTHING), "strong"), (f" {kind}", "dim"))
            parts.append(fitting([(0, name), (0, said[:1]), (1, said[1:])], cells - 1))
        return columns(parts, cells)

    def _curves(self, view: View, slot: Slot, over: Axis) -> dict[str, Curve]:
        role = slot_role(slot, "bar")
        seen = [(s.at, self._of(slot, s)) for s in view.charted(slot) if s.at >= over.start]
        self._figures = {key: one for key, one in self._figures.items() if key[0] != slot or key[1] >= over.start}
        points = [point for point in view.charted_points if point.slot == slot]
        failed = [(at, one.failed_percent, one.seconds) for at, one in seen]
        p95 = [(at, one.latency[1] if one.latency else None, one.seconds) for at, one in seen]
        return {
            "rps": _curve(role, [(at, one.rps, one.seconds) for at, one in seen]),
            "errors": _curve(role, failed),
            "p95": _curve(role, p95),
            "replicas": stairs(points, over, role, view.charted_silences),
        }

    def _of(self, slot: Slot, sample: Sample) -> Figures:
        key = (slot, sample.at)
        if key not in self._figures:
            self._figures[key] = figures_of(sample)
        return self._figures[key]


def _curve(role: str, points: Sequence[tuple[float, float | None, float]]) -> Curve:
    known = [(at, value, seconds) for at, value, seconds in points if value is not None]
    xs = [at for at, _, _ in known]
    return Curve(role, xs, [value for _, value, _ in known], breaks(xs, [seconds for _, _, seconds in known]))


def _top(curve: Curve) -> float:
    return max(curve.ys, default=0.0)


def _limits(view: View) -> dict[str, Gate]:
    """The absolute limits of the gates that watch, by what is charted."""
    step = watched(view.release) if view.release is not None else None
    gates = step.step.gates if step is not None and isinstance(step.step, Hold) else ()
    return {
        kind: gate
        for kind, metric in LIMITED.items()
        for gate in gates
        if gate.metric == metric and gate.against is None
    }


def _foot(over: Axis, limits: dict[str, Gate], by: str, cells: int) -> Line:
    said = ", ".join(f"{kind} {as_text.gate_limit(gate)}" for kind, gate in limits.items())
    drawn: Line = ((" · ", "dim"), ("╌", "failed"), (f" {said}", "dim")) if said else ()
    return fitting(
        [
            (3, ((f"{as_text.span(over.end - over.start)} to now · ", "dim"),)),
            (0, ((by, "dim"),)),
            (2, drawn),
            (1, (("   c", "key"), (" the sum", "dim"))),
        ],
        cells,
    )
