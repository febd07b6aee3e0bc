"""Pane 5: what the gates say, what comes next, and the question when there is one."""

from pathlib import Path

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.plan import Ask, Hold, Retire, Shift
from core.state.events import Outcome as Ended
from core.state.release import Release, ReleaseState, StepState
from core.state.verdict_words import unsure, why_of
from tui import alert_lines, format as as_text
from tui.health import health
from tui.judged import held_s, judges, old_s, place, watched
from tui.offered import awaited, offered
from tui.styled import Line, Part, apart, cut, fitting, left, right, width as cells_of, wrapped
from tui.summary import back_to
from tui.verdicts import DRY, SIGNS, UNSURE
from tui.view import View
from tui.why import service
from tui.widgets.pane import Pane

ENDS = {Ended.DONE: ("✔", "good"), Ended.ROLLED_BACK: ("◀", "back"), Ended.ABORTED: ("✖", "back")}
VALUE, LIMIT, COLUMN, NAME = 8, 8, 44, 4


class Gates(Pane):
    """The gates of the hold that runs, or of the last that did."""

    NUMBER = "5"
    TICKS = True

    def parts(self, view: View) -> tuple[object, ...]:
        """The release, and what alerts found beside it."""
        return (view.release, view.endpoint.alerts if view.endpoint else None)

    def name_of(self, view: View) -> str:
        """With where the gates stand."""
        step = watched(view.release) if view.release else None
        return f"gates {place(view.release, step)}" if view.release and step else "gates"

    def note_of(self, view: View) -> str:
        """How long the hold has to go; paused, where it stands still."""
        release = view.release
        gone = held_s(view)
        step = release.current if release is not None else None
        if release is None or step is None or not isinstance(step.step, Hold) or gone is None:
            return ""
        whole = f"{'warm-up ' if step.step.warm_up else ''}{as_text.span(step.step.seconds)}"
        if release.paused:
            return f"paused at {as_text.span(gone)} of {whole}"
        if gone > step.step.seconds:
            return f"held {as_text.span(gone)} of {whole}"
        return f"{as_text.span(step.step.seconds - gone)} of {whole} left"

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """A line a gate, then what follows from them."""
        release = view.release
        if release is None:
            said = ("gates judge a release", "while its traffic grows")
            if self.folded:
                return [((" ".join(said), "dim"),)]
            return [*(((line, "dim"),) for line in said), *alert_lines.lines(view, width)]
        step = watched(release)
        if self.folded:
            return [_folded(release, step, view, width)]
        asked = _question(release, view, width)
        rows = [*asked, *([()] if asked else [])]
        if step is None:
            return [*rows, *_planned(release, width), *alert_lines.lines(view, width)]
        known = {verdict.gate: verdict for verdict in step.verdicts}
        gates = step.step.gates if isinstance(step.step, Hold) else tuple(known)
        roomy = self.full or height > 2 * len(gates) + 10
        very_roomy = height > 4 * len(gates) + 10
        beside, age = width >= 2 * COLUMN, old_s(step, view.now)
        if age is not None:
            rows.append(((f"judged {as_text.about(age)} ago", "waits" if judges(release) else "dim"),))
        for gate in gates:
            line = row(gate, known.get(gate), COLUMN if beside else width, age is not None)
            why = shortly(known[gate]) if gate in known and roomy else ""
            rows.append((*line, (f"   {why}", "dim")) if beside else line)
            if why and not beside:
                told = wrapped(why, width - 2, "dim") if very_roomy else (((cut(why, width - 2), "dim"),),)
                rows += [(("  ", "dim"), *line) for line in told]
        after = _then(release, view) if release.live else _over(release, width)
        rows += alert_lines.lines(view, width, height - len(rows) - len(after) - 1 - alert_lines.MOST)
        return [*rows, (), *after]

    def why(self, view: View) -> list[str]:
        """Each verdict in words, and what is known of the service now."""
        step = watched(view.release) if view.release else None
        if step is None or not step.verdicts:
            return ["no gate has judged yet", "", *service(view)]
        age = old_s(step, view.now)
        judged = [f"judged {as_text.about(age)} ago, and not since:"] if age is not None else []
        failing = health(view)[0][1] == "fails"
        said = [
            f"{SIGNS[v.outcome][0]} {as_text.gate_name(v.gate)}: {why_of(v)}{' (only shown)' if v.gate.dry_run else ''}"
            for v in step.verdicts
        ]
        # Who asks while callers fail does not ask about the gates.
        return [*service(view), "", *judged, *said] if failing else [*judged, *said, "", *service(view)]


def shortly(verdict: Verdict) -> str:
    """Why, in a line; of a comparison only what is shown, for its figures stand above and all of it under `y`."""
    if verdict.gate.source and verdict.value is not None:
        return f"{verdict.why}, by {verdict.gate.source}"
    return verdict.why.rpartition("; ")[2] if verdict.gate.compared else verdict.why


def row(gate: Gate, verdict: Verdict | None, width: int, old: bool = False) -> Line:
    """A gate: its sign, its name, what was measured, and its limit. An `old` verdict looks it."""
    limit = right(as_text.gate_limit(gate), max(LIMIT, len(as_text.gate_limit(gate)) + 1))
    if verdict is None:
        return _row("◦ ", "dim", gate, (right("", VALUE), "dim"), limit, width)
    sign, role, value_role = SIGNS[verdict.outcome]
    held = verdict.outcome in (GateResult.PASS, GateResult.INCONCLUSIVE)
    if gate.dry_run or (old and held):
        role = value_role = "dim"
    if unsure(verdict):
        limit = right(UNSURE, LIMIT)
    if gate.dry_run:
        # It ends nothing and lets nothing go on: no sign of one that does.
        sign, limit = DRY, right("dry run", LIMIT)
    if verdict.outcome is GateResult.INCONCLUSIVE and verdict.value is None:
        seen, _, of = verdict.why.partition(" of ")
        short = of.split(" ", maxsplit=1)[0]
        if seen.isdigit() and short.isdigit():
            value = f"{as_text.whole(float(seen))}{'' if gate.source else ' rq'}"
            limit = limit if gate.dry_run else right(f"of {as_text.whole(float(short))}", LIMIT)
        else:
            value = as_text.NOTHING
    else:
        value = as_text.gate_value(gate, verdict.value)
    return _row(f"{sign} ", role, gate, (right(value, max(VALUE, len(value) + 1)), value_role), limit, width)


def _row(sign: str, role: str, gate: Gate, value: tuple[str, str], limit: str, width: int) -> Line:
    """Sign, name, value and limit; the name gives way first, then the limit."""
    room = width - cells_of(((sign, ""), value))
    parts: list[Part] = [(0, ((sign, role),))]
    name_room = max(NAME, room - len(limit)) if room - len(limit) >= NAME else max(0, room)
    name = as_text.gate_name(gate)
    name = name if len(name) <= name_room else name.replace(" : ", ":")
    parts += [(0, ((left(name, name_room), "dim" if role == "dim" else "text"),)), (0, (value,))]
    return fitting([*parts, (1, ((limit, "dim"),))], width)


def _question(release: Release, view: View, width: int) -> list[Line]:
    step = release.current
    if step is None or step.question is None or step.answer is not None or release.state is not ReleaseState.RUNNING:
        return []
    until = step.question.until
    left_s = as_text.span(until - view.now)
    return [
        *wrapped(f"? {step.question.question}", width, "moves"),
        offered(view, ("n", " yes   "), ("A", " no, abort")) or ((f"waits for {awaited(view)}", "moves"),),
        ((f"until {as_text.clock(until)}, ", "dim"), (left_s, "strong"), (" left", "dim")),
        (("then it is given up", "dim"),),
    ]


def _planned(release: Release, width: int) -> list[Line]:
    holds = [step.step for step in release.steps if isinstance(step.step, Hold) and not step.step.warm_up]
    hold = holds[0] if holds else None
    if hold is None:
        return [(("this plan has no gates", "dim"),)]
    return [(("will hold while traffic grows", "dim"),), *(row(gate, None, width) for gate in hold.gates)]


def _then(release: Release, view: View) -> list[Line]:
    if release.state is not ReleaseState.RUNNING:
        return []
    if not isinstance(release.current and release.current.step, Hold):
        return []
    rest = [step.step for step in release.steps[release.index + 1 :]]
    shift = next((step for step in rest if isinstance(step, Shift | Ask | Retire)), None)
    rows: list[Line] = []
    if isinstance(shift, Shift):
        by = awaited(view, "when you say so (n)", "when a person says so") if release.step_by_step else "when all hold"
        rows.append((("then ", "dim"), (f"{shift.percent:g} %", "moves"), (f" {by}", "dim")))
    else:
        comes = awaited(view, "you are asked", "a person is asked") if isinstance(shift, Ask) else "it is released"
        rows.append((("then ", "dim"), (comes, "text"), (" when all hold", "dim")))
    if release.old_version is not None:
        rows.append((("armed ", "dim"), ("any gate fails", "text"), (" → ", "dim"), (back_to(release), "strong")))
    return rows


def _over(release: Release, width: int) -> list[Line]:
    """How it ended, and where that is written down."""
    done = release.outcome is Ended.DONE
    word = release.outcome.value if release.outcome else "over"
    text = f"{word}{': ' + release.why if release.why not in ('', word) else ''}"
    sign, role = ENDS.get(release.outcome or Ended.STUCK, ("✖", "fails"))
    rows = wrapped(f"{sign} {text}", width, role)
    if not done and release.old_version is not None:
        rows.append((("serving ", "dim"), (back_to(release), "strong")))
    if release.folder:
        rows += [(("report in", "dim"),), *wrapped("/".join(Path(release.folder).parts[-2:]), width, "text")]
    return rows


def _folded(release: Release, step: StepState | None, view: View, width: int) -> Line:
    """All gates in a line; the question instead when there is one."""
    current = release.current
    if current is not None and current.question is not None and current.answer is None and release.live:
        left_s = as_text.span(current.question.until - view.now)
        offer = offered(view, ("n", f" yes · {left_s}")) or ((f"waits for {awaited(view)} · {left_s}", "text"),)
        return apart(((f"? {current.question.question}", "moves"),), offer, width)
    if step is None or not step.verdicts:
        return (("gates ", "dim"), ("nothing judged yet", "dim"))
    age = old_s(step, view.now)
    line: Line = (("gates ", "dim"),)
    for outcome in (GateResult.PASS, GateResult.FAIL, GateResult.ERROR, GateResult.INCONCLUSIVE):
        found = [v for v in step.verdicts if v.outcome is outcome and not v.gate.dry_run]
        if not found:
            continue
        sign, role, _ = SIGNS[outcome]
        role = "dim" if age is not None and outcome in (GateResult.PASS, GateResult.INCONCLUSIVE) else role
        names = "" if outcome is GateResult.PASS else " " + ", ".join(as_text.gate_name(v.gate) for v in found)
        line = (*line, (f"{sign}{len(found)}", role), (f"{names}  ", "text"))
    # A dry run ends nothing: it stands beside what does, not among it.
    dry = sum(v.gate.dry_run for v in step.verdicts)
    line = (*line, (f"{DRY}{dry} dry run{'s' if dry > 1 else ''}", "dim")) if dry else line
    end: Line = ((place(release, step), "dim"),)
    gone = held_s(view)
    if age is not None:
        end = ((f"judged {as_text.about(age)} ago ", "waits" if judges(release) else "dim"), *end)
    elif release.paused:
        end = (("paused ", "moves"), *end)
    elif gone is not None and step is release.current and isinstance(step.step, Hold):
        end = ((as_text.span(max(0, step.step.seconds - gone)) + " left ", "strong"), *end)
    return apart(line, end, width)
