"""Pane 2: the load, in figures and over time."""

from collections.abc import Sequence

from core.domain.model import Sample
from core.state.snapshot import LoadState
from tui import format as as_text
from tui.sample_figures import Figures, Total, figures_of
from tui.styled import Line, cut, right
from tui.summary import recent
from tui.view import View
from tui.widgets.chart import Axis, Chart, Curve, axis, legend, times
from tui.widgets.pane import Pane

KINDS = ("rps", "latency")
STALE_S = 5.0


class LoadPane(Pane):
    """Users, requests, failures and latencies; in little room one of two charts (`kind`)."""

    NUMBER = "2"
    CHARTS = True

    def __init__(self, **rest: str) -> None:
        super().__init__(**rest)
        self.kind = KINDS[0]
        self._charts = {kind: Chart() for kind in KINDS}
        self._told: dict[float, Figures] = {}
        self._total = Total()

    def parts(self, view: View) -> tuple[object, ...]:
        """The load, its samples, and the marks."""
        endpoint = view.endpoint
        return (endpoint and endpoint.load, view.series(None), endpoint and endpoint.marks, self.kind)

    def name_of(self, view: View) -> str:
        """With what kind of load it is."""
        load = view.endpoint.load if view.endpoint else None
        if load is None:
            return "load"
        state = "" if load.running else " · ended"
        return f"load · {load.kind}{' · paused' if load.paused and load.running else state}"

    def note_of(self, view: View) -> str:
        """What sends it, or where it is watched in a browser."""
        load = view.endpoint.load if view.endpoint else None
        return " · ".join(text for text in (load.web_url, load.label) if text and text != load.kind) if load else ""

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """The figures, then the charts."""
        samples = view.series(None).samples
        load = view.endpoint.load if view.endpoint else None
        if not samples:
            return self._empty(view, load)
        over = axis(view.end, samples[0].at if self.full else None)
        old = samples[-1].at < view.end - STALE_S
        rows = [self._over(view, load) if old else self._figures(samples[-1], load, width)]
        room = height - 1
        if self.full and height > 24:
            more = self._more(view, load, width)
            rows += [*more, ()]
            room -= len(more) + 1
        marks = view.endpoint.marks if view.endpoint else ()
        kinds = KINDS if room >= 8 and not self.narrow else (self.kind,)
        # The scaling pane has the times under its chart; folded, it leaves them to this one.
        below = [times(over, width), legend(marks, over, width)] if (self.narrow or self.full) and room >= 7 else []
        room -= len(below)
        first = room - room // 2 if len(kinds) == 2 else room
        curves = self._curves(samples, over)
        for kind, rows_of in zip(kinds, (first, room - first), strict=False):
            key = (samples, marks)
            rows += self._charts[kind].lines(key, curves[kind], over, marks, (width, rows_of))
        return [*rows, *below]

    def _empty(self, view: View, load: LoadState | None) -> list[Line]:
        if load is not None and load.running:
            return [(("waits for the first sample", "dim"),)]
        served = view.endpoint is not None and bool(view.endpoint.slots)
        todo: Line = (
            (("no load: press ", "dim"), ("w", "key"), (" to send some", "dim"))
            if served and not view.read_only
            else (
                ("no load: it comes with a release, or by ", "dim"),
                ("w", "key"),
                (" once something is served", "dim"),
            )
        )
        return [todo]

    def _over(self, view: View, load: LoadState | None) -> Line:
        """What the load came to that sends nothing any more."""
        last = view.series(None).samples[-1]
        total = self._total.of(view.series(None), min(load.started_at if load else 0.0, last.at - 1))
        if total is None or (load is not None and load.running):
            return ((f"no sample since {as_text.clock(last.at)}", "waits"),)
        spread = total.latency
        line: Line = (
            (f"ended {as_text.clock(last.at)}   ", "dim"),
            (f"{total.requests:,}", "strong"),
            (" requests   ", "dim"),
        )
        line = (
            *line,
            (as_text.percent(total.failed_percent), "waits" if total.failures else "strong"),
            (" failed", "dim"),
        )
        if total.errors:
            line = (*line, (f"   {sum(total.errors.values()):,} exceptions", "fails"))
        for percent in (50, 95, 99):
            line = (
                *line,
                (f"   {as_text.ms(spread.percentile_ms(percent))}", "strong"),
                (f" p{percent}", f"p{percent}"),
            )
        return (*line, (" ms", "dim"))

    def _figures(self, last: Sample, load: LoadState | None, width: int) -> Line:
        one = self._of(last)
        p50, p95, p99 = one.latency or (None, None, None)
        users = last.users if last.users is not None else load.users if load else None
        wanted = load.users if load is not None and load.running else None
        toward = f" → {wanted}" if wanted is not None and users is not None and wanted != users else ""
        gap = "   " if width >= 80 else "  "
        raised = sum(last.errors.values())
        return (
            (right(as_text.whole(users), 4), "strong"),
            (f"{toward} users" + gap, "users"),
            (right(as_text.whole(last.rps), 4), "strong"),
            (" rps" + gap, "rps"),
            (right(as_text.percent(last.failed_percent), 6), "strong" if not last.failures else "waits"),
            (" failed" + gap, "dim"),
            *(((f"{raised:,} exceptions" + gap, "fails"),) if raised else ()),
            (right(as_text.ms(p50), 4), "strong"),
            (" p50" + gap, "p50"),
            (right(as_text.ms(p95), 4), "strong"),
            (" p95" + gap, "p95"),
            (right(as_text.ms(p99), 4), "strong"),
            (" p99", "p99"),
            (" ms", "dim"),
        )

    def _of(self, sample: Sample) -> Figures:
        found = self._told.get(sample.at)
        if found is None:
            found = self._told[sample.at] = figures_of(sample)
        return found

    def _curves(self, samples: Sequence[Sample], over: Axis) -> dict[str, list[Curve]]:
        seen = [(sample.at, self._of(sample)) for sample in samples if sample.at >= over.start]
        self._told = dict(seen)
        xs = [at for at, _ in seen]
        users = [(at, float(one.users)) for at, one in seen if one.users is not None]
        timed = [(at, one.latency) for at, one in seen if one.latency]
        known = [[(at, ms) for at, latency in timed if (ms := latency[place]) is not None] for place in range(3)]
        return {
            "rps": [
                Curve("users", [at for at, _ in users], [count for _, count in users], STALE_S),
                Curve("rps", xs, [one.rps for _, one in seen], STALE_S),
            ],
            "latency": [
                Curve(role, [at for at, _ in known[place]], [ms for _, ms in known[place]], STALE_S)
                for place, role in ((2, "p99"), (1, "p95"), (0, "p50"))
            ],
        }

    def _more(self, view: View, load: LoadState | None, width: int) -> list[Line]:
        """What the whole load came to, where there is room."""
        since = load.started_at if load else 0.0
        total = self._total.of(view.series(None), since)
        if total is None:
            return []
        spread = total.latency
        figures = [("min", spread.min_ms), ("average", spread.mean_ms), ("median", spread.percentile_ms(50))]
        figures += [(f"p{p}", spread.percentile_ms(p)) for p in (90, 95, 99)] + [("max", spread.max_ms)]
        line: Line = ((f"{total.requests:,} requests since {as_text.clock(since)}   ", "dim"),)
        for name, value in figures:
            line = (*line, (as_text.ms(value), "strong"), (f" {name}   ", "dim"))
        rows = [line]
        counted = [*total.failed.items(), *total.errors.items()]
        for kind, count in sorted(counted, key=lambda item: -item[1])[:4]:
            rows.append(((right(f"{count:,}", 8), "strong"), ("  ✖ ", "fails"), (cut(kind, width - 14), "fails")))
        return rows

    def turn(self) -> None:
        """The other chart, where there is room for one."""
        self.kind = KINDS[(KINDS.index(self.kind) + 1) % len(KINDS)]
        if self.view is not None:
            self.look(self.view)

    def why(self, view: View) -> list[str]:
        """Why load ended, and what failed in the last minute."""
        load = view.endpoint.load if view.endpoint else None
        said = [f"{load.kind} load ended: {load.why or 'it was over'}"] if load and not load.running else []
        lately = recent(view.series(None), view.end - 60)
        failed = lately.failed if lately else {}
        said += [f"{count:,} failed with {kind} in the last minute" for kind, count in failed.items()]
        raised = lately.errors if lately else {}
        said += [f"{count:,} times the locustfile raised {kind} in the last minute" for kind, count in raised.items()]
        return said or ["nothing failed in the last minute"]
