"""The charts of the load: requests with users, latency, and failures where there are any."""

from collections.abc import Sequence

from core.domain.sample import Sample
from core.state.endpoint import Mark
from tui.sample_figures import Figures, figures_of
from tui.styled import Line, columns
from tui.view import View
from tui.widgets.chart import Axis, Chart, Curve, breaks, times

KINDS = ("rps", "latency", "failed")
PER_CENT = {"failed": " %"}
HALF = 50
"""In so many cells a chart says enough: where it is low and wide, they stand side by side."""
LOW = 8
"""In fewer lines two charts do not stand one above the other."""


class LoadCharts:
    """The charts, each kept until its data is another."""

    def __init__(self) -> None:
        self._charts = {kind: Chart() for kind in KINDS}
        self._figures_at: dict[float, Figures] = {}

    @property
    def drawn(self) -> int:
        """How often any of them was drawn."""
        return sum(chart.drawn for chart in self._charts.values())

    def figures(self, sample: Sample) -> Figures:
        """The figures of a second, read once."""
        found = self._figures_at.get(sample.at)
        if found is None:
            found = self._figures_at[sample.at] = figures_of(sample)
        return found

    def lines(self, view: View, over: Axis, marks: Sequence[Mark], size: tuple[int, int], one: str) -> list[Line]:
        """The charts in the room there is: one above the other, or only `one` where it is named."""
        width, room = size
        curves = self._curves(view.charted(None), over)
        fails = any(value > 0 for value in curves["failed"][0].ys)
        kinds = [one] if one else ["rps", "latency"]
        heights = [room]
        strip = min(5, max(2, room // 4)) if fails and "failed" not in kinds and room >= 6 else 0
        if len(kinds) == 2:
            heights = [(room - strip) - (room - strip) // 2, (room - strip) // 2]
        elif strip:
            heights = [room - strip]
        if strip:
            kinds, heights = [*kinds, "failed"], [*heights, strip]
        return [
            line
            for kind, high in zip(kinds, heights, strict=True)
            for line in self._drawn(view, kind, curves[kind], over, marks, (width, high))
        ]

    def beside(self, view: View, over: Axis, marks: Sequence[Mark], size: tuple[int, int]) -> list[Line]:
        """The same side by side, each over times of its own."""
        width, room = size
        curves = self._curves(view.charted(None), over)
        fails = any(value > 0 for value in curves["failed"][0].ys)
        kinds = KINDS if fails else KINDS[:2]
        cells = width // len(kinds)
        sides = [
            [*self._drawn(view, kind, curves[kind], over, marks, (cells - 1, room - 1)), times(over, cells - 1)]
            for kind in kinds
        ]
        return [columns(parts, cells) for parts in zip(*sides, strict=True)]

    def _drawn(
        self, view: View, kind: str, curves: Sequence[Curve], over: Axis, marks: Sequence[Mark], size: tuple[int, int]
    ) -> list[Line]:
        made_of = (view.series(None).samples, view.earlier, marks)
        return self._charts[kind].lines(made_of, curves, over, marks, size, PER_CENT.get(kind, ""))

    def _curves(self, samples: Sequence[Sample], over: Axis) -> dict[str, list[Curve]]:
        seen = [(sample.at, self.figures(sample)) for sample in samples if sample.at >= over.start]
        self._figures_at = dict(seen)
        users = [(at, float(one.users), one.seconds) for at, one in seen if one.users is not None]
        failed = _spikes([(at, one.failed_percent or 0.0, one.seconds) for at, one in seen])
        timed = [(at, one) for at, one in seen if one.latency]
        latency = [
            _curve(role, [(at, ms, one.seconds) for at, one in timed if (ms := one.latency[place]) is not None])
            for place, role in ((2, "p99"), (1, "p95"), (0, "p50"))
        ]
        rps = _curve("rps", [(at, one.rps, one.seconds) for at, one in seen])
        return {"rps": [_curve("users", users), rps], "latency": latency, "failed": [_curve("failed", failed)]}


def _spikes(points: Sequence[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """The points above nothing and their neighbours: a red line along the bottom would look like failures."""
    last = len(points) - 1
    return [
        point
        for at, point in enumerate(points)
        if any(points[near][1] > 0 for near in range(max(0, at - 1), min(last, at + 1) + 1))
    ]


def _curve(role: str, points: Sequence[tuple[float, float, float]]) -> Curve:
    """A curve of moments, values, and the seconds that each covers."""
    xs = [at for at, _, _ in points]
    return Curve(role, xs, [value for _, value, _ in points], breaks(xs, [seconds for _, _, seconds in points]))
