"""Pane 2: the load, in figures and over time."""

from core.domain.load_profile import LoadOutcome
from core.domain.model import Slot
from core.domain.sample import Sample
from core.state.endpoint import LoadState
from tui import format as as_text
from tui.evidence import lately, sends_load
from tui.health import FAILING_PERCENT
from tui.load_end import ended_at, ends_well, how_it_ended
from tui.sample_figures import Total
from tui.styled import Line, Part, cut, fitting, right
from tui.verdicts import SIGNS
from tui.view import View
from tui.why import service, top
from tui.widgets.beside import LEAST_HEIGHT, Pair, SlotCharts, answered, asks, pair, unmeasured
from tui.widgets.chart import axis_of, times
from tui.widgets.load_charts import HALF, KINDS, LOW, LoadCharts
from tui.widgets.marks import legend
from tui.widgets.pane import Pane

STALE_S = 3.0


class LoadPane(Pane):
    """Users, requests, failures and latencies; in little room one chart (`kind`), and failures where there are any."""

    NUMBER = "2"
    CHARTS = True

    def __init__(self, **rest: str) -> None:
        super().__init__(**rest)
        self.kind = KINDS[0]
        self.choice: tuple[bool, bool] | None = None
        self._beside = SlotCharts()
        self._charts = LoadCharts()
        self._total = Total()

    def parts(self, view: View) -> tuple[object, ...]:
        """The load, its samples, and the marks."""
        endpoint, slots = view.endpoint, self.sides(view)
        sides = (view.release, view.points, view.series(slots.live), view.series(slots.new)) if slots else ()
        charts = (self.kind, *view.charts, slots is None, bool(self._missing(view)))
        return (endpoint and endpoint.load, view.series(None), endpoint and endpoint.marks, *charts, *sides)

    def sides(self, view: View) -> Pair | None:
        """The two slots to set side by side: where `c` turned to them, or a person is asked and both have answered."""
        asked, slots = asks(view), pair(view)
        if slots is None or (self.choice is not None and self.choice[0] == asked):
            return slots if self.choice is not None and self.choice[1] else None
        return slots if asked and answered(view, slots, axis_of(view).start) else None

    def compare(self, view: View) -> None:
        """Turn from the sum to the slots side by side, or back."""
        self.choice = (asks(view), self.sides(view) is None and not self._missing(view))

    def name_of(self, view: View) -> str:
        """With what kind of load it is."""
        load = view.endpoint.load if view.endpoint else None
        slots = self.sides(view)
        if slots is not None and self.content_size.height >= LEAST_HEIGHT:
            return f"load · {slots.live} beside {slots.new}"
        if load is None:
            return "load"
        state = "" if load.running else f" · {how_it_ended(load, view)}"
        return f"load · {load.kind}{' · paused' if load.paused and load.running else state}"

    def note_of(self, view: View) -> str:
        """What sends it, or where it is watched in a browser."""
        load = view.endpoint.load if view.endpoint else None
        return " · ".join(text for text in (load.web_url, load.label) if text and text != load.kind) if load else ""

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """The figures, what failed, then the charts."""
        slots = self.sides(view)
        if slots is not None and height >= LEAST_HEIGHT:
            return self._beside.lines(view, slots, (width, height))
        if height > 1 and (mute := self._mute(view, width)):
            return [mute, *self._sum(view, width, height - 1)]
        return self._sum(view, width, height)

    def _missing(self, view: View) -> list[Slot]:
        """Slots without figures, where somebody waits for both side by side."""
        wanted = asks(view) if self.choice is None or self.choice[0] != asks(view) else self.choice[1]
        return unmeasured(view) if wanted else []

    def _mute(self, view: View, width: int) -> Line:
        """Why the slots are not set side by side; nothing where nobody waits for that, or they are."""
        missing = self._missing(view)
        if not missing:
            return ()
        said = f"no figures of {' and '.join(missing)}, so nothing stands side by side: 'quarterdeck doctor' looks why"
        return ((cut(f"? {said}", width), "waits"),)

    def _sum(self, view: View, width: int, height: int) -> list[Line]:
        """The load as a whole."""
        samples = view.series(None).samples
        load = view.endpoint.load if view.endpoint else None
        if not samples:
            return self._empty(view, load)
        over = axis_of(view, self.full)
        last = samples[-1]
        earlier = load is not None and load.running and last.at <= load.started_at
        old = earlier or view.now - last.at > STALE_S + last.seconds
        rows = [self._over(view, load, width) if old else self._figures(samples[-1], load, width)]
        rows += self._failures(view, load, width)[: max(0, height - 6)]
        if self.full and height > 24:
            rows += [*self._more(view, load), ()]
        marks = view.endpoint.marks if view.endpoint else ()
        room, meaning = height - len(rows), legend(marks, over.start, width)
        if self.narrow and not self.full and width >= 2 * HALF and room > LOW:
            return [*rows, *self._charts.beside(view, over, marks, (width, room - 1)), meaning]
        # The scaling pane has the times under its chart; folded, it leaves them to this one.
        below = [times(over, width), meaning] if (self.narrow or self.full) and room >= 7 else []
        one = self.kind if self.narrow or room - len(below) < LOW else ""
        return [*rows, *self._charts.lines(view, over, marks, (width, room - len(below)), one), *below]

    def _empty(self, view: View, load: LoadState | None) -> list[Line]:
        if load is not None and load.running:
            return [(("waits for the first sample", "dim"),)]
        served = view.endpoint is not None and bool(view.endpoint.slots)
        if view.read_only:
            return [(("no load: it comes with a release", "dim"),)]
        if served:
            return [(("no load: press ", "dim"), ("w", "key"), (" to send some", "dim"))]
        later: Line = ((" once something is served", "dim"),)
        return [(("no load: it comes with a release, or by ", "dim"), ("w", "key"), *later)]

    def _over(self, view: View, load: LoadState | None, width: int) -> Line:
        """What the load came to that sends nothing any more."""
        last = view.series(None).samples[-1]
        counted = load.total if load is not None and not load.running else None
        total = counted or self._total.of(view.series(None), min(load.started_at if load else 0.0, last.at - 1))
        if load is not None and load.running and last.at <= load.started_at:
            return (("begins: waits for its first sample", "dim"),)
        if total is None or (load is not None and load.running):
            what = "paused, " if load is not None and load.paused else ""
            role = "fails" if sends_load(view) else "waits"
            return ((f"{what}no sample since {as_text.clock(last.at)}", role),)
        how = how_it_ended(load, view) if load is not None else "ended"
        if load is not None and how == LoadOutcome.NOT_BEGUN.value:
            # What was counted last is of the load before it.
            return ((cut(f"{how}: {load.why}", width), "fails"),)
        role = "dim" if ends_well(load) else "fails"
        moment = as_text.clock(ended_at(load, last))
        if load is not None and counted is None and last.at <= load.started_at:
            # Every sample is of the load before it.
            return ((how, role), (f" {moment}", "dim"), ("   no answer was counted", "dim"))
        parts: list[Part] = [
            (0, ((how, role), (f" {moment}", "dim"))),
            (1, ((f"   {total.requests:,}", "strong"), (f" requests{'' if counted else self._part()}", "dim"))),
            (0, ((f"   {as_text.percent(total.failed_percent)}", _failing_role(total)), (" failed", "dim"))),
        ]
        if total.errors:
            parts.append((0, ((f"   {sum(total.errors.values()):,} exceptions", "fails"),)))
        for rank, percent in ((5, 50), (3, 95), (4, 99)):
            value = as_text.ms(total.latency.percentile_ms(percent))
            parts.append((rank, ((f"   {value}", "strong"), (f" p{percent}", f"p{percent}"))))
        return fitting([*parts, (6, ((" ms", "dim"),))], width)

    def _part(self) -> str:
        """Since when the load was counted, where not from its beginning."""
        since = self._total.partly_since
        return f" since {as_text.clock(since)}" if since is not None else ""

    def _figures(self, last: Sample, load: LoadState | None, width: int) -> Line:
        one = self._charts.figures(last)
        p50, p95, p99 = one.latency or (None, None, None)
        users = last.users if last.users is not None else load.users if load else None
        wanted = load.users if load is not None and load.running else None
        toward = f" → {wanted}" if wanted is not None and users is not None and wanted != users else ""
        gap, raised = "   " if width >= 80 else "  ", sum(last.errors.values())
        parts: list[Part] = [
            (2, ((right(as_text.whole(users), 4), "strong"), (f"{toward} users{gap}", "users"))),
            (1, ((right(as_text.whole(last.rps), 5), "strong"), (f" rps{gap}", "rps"))),
            (0, ((right(as_text.percent(last.failed_percent), 7), _failing_role(last)), (f" failed{gap}", "dim"))),
            (1, ((f"{raised:,} exceptions{gap}", "fails"),) if raised else ()),
            (5, ((right(as_text.ms(p50), 4), "strong"), (f" p50{gap}", "p50"))),
            (3, ((right(as_text.ms(p95), 4), "strong"), (f" p95{gap}", "p95"))),
            (4, ((right(as_text.ms(p99), 4), "strong"), (" p99", "p99"))),
            (6, ((" ms", "dim"),)),
        ]
        return fitting(parts, width)

    def _failures(self, view: View, load: LoadState | None, width: int) -> list[Line]:
        """What failed since the load began, by kind, and what its own code raised."""
        total = self._total.of(view.series(None), load.started_at if load else 0.0)
        if total is None:
            return []
        rows: list[Line] = []
        if total.failures:
            text = f"{total.failures:,} failed{self._part() or ' in all'}: {top(total.failed)}"
            now = lately(view.series(None), view.now)
            role = "fails" if now is not None and now.failed_percent > FAILING_PERCENT else _failing_role(total)
            rows.append((("✖ ", role), (cut(text, width - 2), role)))
        if total.errors:
            text = f"{sum(total.errors.values()):,} exceptions in the load's own code: {top(total.errors)}"
            rows.append((("! ", "fails"), (cut(text, width - 2), "fails")))
        return rows

    def _more(self, view: View, load: LoadState | None) -> list[Line]:
        """What the whole load came to, where there is room."""
        since = load.started_at if load else 0.0
        total = self._total.of(view.series(None), since)
        if total is None:
            return []
        spread = total.latency
        figures = [("min", spread.min_ms), ("average", spread.mean_ms), ("median", spread.percentile_ms(50))]
        figures += [(f"p{p}", spread.percentile_ms(p)) for p in (90, 95, 99)] + [("max", spread.max_ms)]
        line: Line = ((f"{total.requests:,} requests{self._part() or f' since {as_text.clock(since)}'}   ", "dim"),)
        for name, value in figures:
            line = (*line, (as_text.ms(value), "strong"), (f" {name}   ", "dim"))
        return [line]

    def turn(self) -> None:
        """The next chart, where there is room for one."""
        self.kind = KINDS[(KINDS.index(self.kind) + 1) % len(KINDS)]
        if self.view is not None:
            self.look(self.view)

    def why(self, view: View) -> list[str]:
        """Why load ended, what failed of all of it, and what is known of the service now."""
        load = view.endpoint.load if view.endpoint else None
        ended = load is not None and not load.running
        said = [f"{load.kind} load {how_it_ended(load, view)}: {load.why or 'it was over'}"] if load and ended else []
        total = self._total.of(view.series(None), load.started_at if load else 0.0)
        if total is not None:
            kinds = f": {top(total.failed)}" if total.failures else ""
            failed = f"{total.failures:,} of {total.requests:,} requests failed"
            since = self._part().strip() or f"since {as_text.clock(load.started_at if load else total.at)}"
            said.append(f"{since} {failed}{kinds}")
            if total.errors:
                said.append(f"its own code raised {sum(total.errors.values()):,} exceptions: {top(total.errors)}")
        verdicts = load.verdicts if load else ()
        said += [f"{SIGNS[v.outcome][0]} {as_text.gate_name(v.gate)}: {v.why}" for v in verdicts]
        return [*(said or ["no load was counted yet"]), "", *service(view)]


def _failing_role(sample: Sample) -> str:
    return "strong" if not sample.failures else "waits" if (sample.failed_percent or 0.0) < FAILING_PERCENT else "fails"
