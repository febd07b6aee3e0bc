"""Pane 1: the stages of a release. All shifts and holds make one line, for they are one movement."""

from core.domain.plan import Load, Retire
from core.state.release import Release, ReleaseState, Status, StepState
from core.system.text import in_digits
from tui import format as as_text
from tui.actions import begins
from tui.evidence import nobody_drives
from tui.release_stages import Stage, stages, turned
from tui.styled import Line, apart, bar, cut, left, right
from tui.summary import label
from tui.theme import slot_role
from tui.view import View
from tui.why import service
from tui.widgets.pane import Pane

GLYPHS = {
    Status.DONE: ("✔", "good"),
    Status.RUNNING: ("▶", "moves"),
    Status.WAITING: ("◦", "dim"),
    Status.FAILED: ("✖", "fails"),
    Status.INTERRUPTED: ("‖", "waits"),
}
NAME, TIME = 10, 6


def glyph(stage: Stage, release: Release) -> tuple[str, str]:
    """A stage's sign and its role; one that is held back by a person is paused."""
    if stage.status is Status.RUNNING and release.paused:
        return "‖", "moves"
    if release.awaits_next and any(step is release.current for step in stage.steps):
        return "‖", "moves"
    if stage.name == "traffic" and stage.status is not Status.WAITING and turned(release):
        return "◀", "back"
    if stage.status is Status.RUNNING and not release.live:
        return "‖", "dim"
    return GLYPHS[stage.status]


def _share(release: Release, view: View) -> float:
    """The share of the traffic that the release has now, in percent; what it was given where that is not known."""
    weights = view.endpoint.weights if view.endpoint else {}
    return weights.get(release.slot, 0.0) if release.slot and turned(release) else release.reached


class Stages(Pane):
    """The list of stages, with a cursor for `l` and `y`."""

    NUMBER = "1"
    TICKS = True

    def parts(self, view: View) -> tuple[object, ...]:
        """The release, and the traffic it has."""
        return (view.release, view.endpoint and view.endpoint.weights)

    def note_of(self, view: View) -> str:
        """The strategy and how long it takes so far."""
        release = view.release
        if release is None:
            return ""
        if release.way is not None and release.state in (ReleaseState.BACK, ReleaseState.FORWARD):
            return f"{release.state.value} · for {as_text.span(view.now - release.way.began_at)}"
        if release.live and release.paused:
            since = f" since {as_text.clock(view.paused_at)}" if view.paused_at is not None else ""
            return f"{release.plan.strategy} · paused{since}"
        if release.live:
            return f"{release.plan.strategy} · for {as_text.span(view.now - release.since)}"
        over = release.ended_at or release.since
        word = release.outcome.value if release.outcome else "over"
        return f"{release.plan.strategy} · {word} in {as_text.span(over - release.since)}"

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """One line a stage; where there is no room, those around what runs."""
        release = view.release
        if release is None:
            return self._empty(begins(view))
        found = stages(release)
        if self.folded:
            return [_folded(found, release, view, width)]
        rows = [self._row(stage, release, view, width, at) for at, stage in enumerate(found)]
        if self.full:
            return [row for at, row in enumerate(rows) for row in (row, *_said(found[at], width))]
        if len(rows) > height > 0:
            first = min(max(0, self._at(found) - height // 2), len(rows) - height)
            rows = rows[first : first + height]
        return rows

    def _empty(self, by_key: bool) -> list[Line]:
        how: Line = (("n", "key"),) if by_key else (("quarterdeck release", "strong"),)
        if self.folded:
            return [(("◦ no release yet: ", "dim"), *how)]
        return [(("no release yet", "dim"),), (), (("begin one with ", "dim"),), how]

    def _at(self, found: list[Stage]) -> int:
        going = (Status.RUNNING, Status.FAILED, Status.INTERRUPTED)
        return next((at for at, stage in enumerate(found) if stage.status in going), len(found) - 1)

    def chosen(self) -> Stage | None:
        """The stage under the cursor, or else the one that runs."""
        release = self.view.release if self.view else None
        if release is None:
            return None
        found = stages(release)
        at = self._at(found) if self.cursor is None else min(self.cursor, len(found) - 1)
        return found[at]

    def move(self, by: int) -> None:
        """The cursor up or down."""
        release = self.view.release if self.view else None
        if release is None or self.view is None:
            return
        found = stages(release)
        at = self._at(found) if self.cursor is None else self.cursor
        self.cursor = min(max(0, at + by), len(found) - 1)
        self.look(self.view)

    def why(self, view: View) -> list[str]:
        """Why the release or the stage under the cursor is where it is, and what is known of the service now."""
        release, stage = view.release, self.chosen()
        if release is None or stage is None:
            return ["no release yet", "", *service(view)]
        ended = [f"{label(release)} {release.outcome.value}: {release.why}"] if release.outcome and release.why else []
        said = [
            f"{stage.name}: {text}" for step in stage.steps for text in (step.why, *_refusal(step), step.text) if text
        ]
        return [*ended, *(said or [f"{stage.name}: {stage.status.value}"]), "", *service(view)]

    def _row(self, stage: Stage, release: Release, view: View, width: int, at: int) -> Line:
        sign, role = glyph(stage, release)
        running = stage.status is Status.RUNNING and release.live
        if running and nobody_drives(view):
            sign, role = "‖", "moves"
        name = _called(stage, release)
        name_role = "moves" if running else "dim" if stage.status is Status.WAITING else "text"
        room = max(0, width - 2 - NAME - 1 - TIME)
        here = self.cursor == at and self.has_focus
        mark = ("▸", "key") if here else (" ", "text")
        head: Line = ((sign, role), mark, (left(name, NAME), name_role), (" ", "text"))
        if stage.name == "traffic" and stage.status is not Status.WAITING:
            now = _share(release, view)
            # Yellow is what moves; what has come to stay has its slot's own colour.
            stays = stage.status is Status.DONE and release.slot is not None
            moved: Line = bar(now / 100, room, slot_role(release.slot or "", "bar") if stays else "bar.moves")
            if release.way is not None and now < release.reached:
                moved = ((left(f"was {release.reached:.3g} %", room), "dim"),)
            return (*head, *moved, (right(f"{now:.3g} %", TIME), "strong"))
        # A release that is paused stands still, and looks so.
        seconds = stage.took(view.now if view.paused_at is None else view.paused_at)
        time = "" if seconds is None else as_text.took(seconds)
        return (*head, (left(_figure(stage, release), room), "dim"), (right(time, TIME), "dim"))


def _refusal(step: StepState) -> list[str]:
    """What the target last said when it did not take what a step asks."""
    return [f"refused so far: {step.refusal}"] if step.refusal and step.status is Status.RUNNING else []


def _called(stage: Stage, release: Release) -> str:
    if stage.name == "retire" and release.old_version is not None:
        return f"retire {release.old_version.label}"
    return stage.name


def _figure(stage: Stage, release: Release) -> str:
    step = stage.steps[-1]
    if step.status is Status.FAILED:
        return step.why
    if step.figure or step.text:
        return step.figure or step.text
    if step.fraction is not None and step.status is Status.RUNNING:
        return as_text.percent(100 * step.fraction, 0)
    match step.step:
        case Load(profile=profile):
            return f"{profile.users} × {as_text.about(profile.duration_s or 0)}"
        case Retire(after_s=after) if release.old is not None:
            return f"in {as_text.about(after)}" if after else "at once"
        case _:
            return ""


def _said(stage: Stage, width: int) -> list[Line]:
    """What a stage said of itself, under it, where there is room for it."""
    said: list[Line] = []
    for step in stage.steps:
        if step.why:
            said.append((("   " + cut(step.why, width - 3), "fails"),))
        figures = " · ".join(f"{name} {_short(value)}" for name, value in step.figures.items())
        if figures:
            said.append((("   " + cut(figures, width - 3), "dim"),))
    return said


def _short(value: object) -> str:
    return in_digits(value) if isinstance(value, float) else str(value)


def _folded(found: list[Stage], release: Release, view: View, width: int) -> Line:
    """All stages in a line: `✔8  ▶ traffic 10 %  ◦3`."""
    back = [stage for stage in found if stage.name == "traffic" and turned(release)]
    done = sum(stage.status is Status.DONE and stage not in back for stage in found)
    waiting = sum(stage.status is Status.WAITING for stage in found)
    line: Line = ((f"✔{done}  ", "good"),)
    for stage in found:
        if stage.status is Status.WAITING or (stage.status is Status.DONE and stage not in back):
            continue
        sign, role = ("‖", "moves") if nobody_drives(view) else glyph(stage, release)
        figure = f"{_share(release, view):.3g} %" if stage.name == "traffic" else _figure(stage, release)
        line = (*line, (f"{sign} ", role), (stage.name, role), (f" {cut(figure, 24)}  ", "strong"))
    end: Line = ((release.plan.strategy, "dim"),)
    rest: Line = ((f"◦{waiting}", "dim"),) if waiting else ()
    return apart((*line, *rest), end, width)
