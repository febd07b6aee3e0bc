"""How verdicts look: a sign, its role, and the role of what was measured; and many of them in a line."""

from collections.abc import Sequence

from core.domain.gates import GateResult, Verdict
from core.domain.plan import Hold
from core.state.release import Release, StepState
from core.state.verdict_words import unsure
from tui import format as as_text
from tui.judged import old_s, place, watched
from tui.styled import Line, fitting, width as cells_of
from tui.view import View

SIGNS = {
    GateResult.PASS: ("✔", "good", "text"),
    GateResult.FAIL: ("✖", "fails", "fails"),
    GateResult.INCONCLUSIVE: ("?", "waits", "waits"),
    GateResult.ERROR: ("!", "fails", "fails"),
}
DRY, UNSURE = "~", "unsure"
ORDER = (GateResult.FAIL, GateResult.ERROR, GateResult.INCONCLUSIVE, GateResult.PASS)
"""What does not hold stands first."""


def with_gates(view: View, head: Line, armed: Line, cells: int, sure: bool) -> Line:
    """Head, as many gates as have room, those that do not hold first, and what is armed."""
    release = view.release
    step = watched(release) if release is not None else None
    if release is None or step is None or not step.verdicts:
        return fitting([(0, head), (2, ((f"   {_unjudged(release, step)}", "dim"),)), (1, armed)], cells)
    age = old_s(step, view.now)
    said: Line = ((f"   judged {as_text.about(age)} ago", "waits"),) if age is not None else ()
    sure = sure and age is None
    real = sorted((v for v in step.verdicts if not v.gate.dry_run), key=lambda v: ORDER.index(v.outcome))
    for count in range(len(real), -1, -1):
        shown = tuple(piece for v in real[:count] for piece in gate_piece(v, sure))
        line = (*head, *said, *shown, *_counted(real[count:], sure), *armed)
        if cells_of(line) <= cells:
            return line
    return fitting([(0, head), (2, said), (1, _counted(real, sure)), (3, armed)], cells)


def _unjudged(release: Release | None, step: StepState | None) -> str:
    if release is None or step is None or not isinstance(step.step, Hold):
        return "no gate watches"
    at = place(release, step)
    return f"{len(step.step.gates)} gates{' ' + at if at else ''}, none has judged yet"


def gate_piece(one: Verdict, sure: bool) -> Line:
    """A gate in few cells: `errors 0.3 < 5 % ✔`; what was not measured says how much there is."""
    sign, role, value_role = SIGNS[one.outcome]
    if not sure and one.outcome in (GateResult.PASS, GateResult.INCONCLUSIVE):
        role = value_role = "dim"
    name = as_text.gate_name(one.gate).replace(" : ", ":")
    if one.value is None:
        seen, of, need = one.why.partition(" of ")
        short = need.split(" ", maxsplit=1)[0]
        value = (
            f"{seen}{of}{short} rq{' on live' if need.endswith('on live') else ''}"
            if seen.isdigit()
            else as_text.NOTHING
        )
        return ((f"   {name} ", "dim"), (f"{value} {sign}", role))
    limit = UNSURE if unsure(one) else as_text.gate_limit(one.gate)
    value = as_text.gate_value(one.gate, one.value)
    for unit in (" %", as_text.POINTS):
        value = value.removesuffix(unit) if limit.endswith(unit) else value
    return ((f"   {name} ", "dim"), (value, value_role), (f" {limit} " if limit else " ", "dim"), (sign, role))


def _counted(rest: Sequence[Verdict], sure: bool) -> Line:
    """Those that found no room, as signs and counts."""
    line: Line = ()
    for outcome in ORDER:
        count = sum(v.outcome is outcome for v in rest)
        sign, role, _ = SIGNS[outcome]
        role = role if sure or outcome in (GateResult.FAIL, GateResult.ERROR) else "dim"
        line = (*line, (f" {sign}{count}", role)) if count else line
    return (("  ", "dim"), *line) if line else ()
