"""The lines above and below the panes: where I am, and which keys do something now."""

from tui import format as as_text
from tui.actions import ACTIONS, refused, way_back
from tui.styled import Line, Piece, apart, fit, width
from tui.summary import health, on_its_way
from tui.view import View
from tui.widgets.pane import Pane

QUIET_S = 5.0
"""After so long without a fact while load runs, the top line says so."""
RARE = ("leave", "filter", "why", "maximise", "logs", "more", "help")
"""What leaves the footer first where there is little room."""


class Top(Pane, can_focus=False):
    """Where I am, whether the service is well, what is on its way, and what time it is."""

    TICKS = True

    def parts(self, view: View) -> tuple[object, ...]:
        """Nearly everything bears on the service's health, and a line costs little."""
        endpoint = view.endpoint
        return (
            view.release,
            endpoint and endpoint.slots,
            view.series(endpoint.serving if endpoint else None),
            view.lost,
        )

    def lines(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """One line; the middle gives way first."""
        where: list[Piece] = [("quarterdeck", "brand")]
        endpoint = view.endpoint
        if endpoint is not None:
            role = "env.production" if endpoint.production else "env.other"
            where += [("  ", "text"), (endpoint.name, "strong")]
            where += [(" · ", "dim"), (endpoint.environment, role)] if endpoint.environment else []
            where += [(" · ", "dim"), (endpoint.target, "dim")] if width >= 100 else []
        clock = self._clock(view)
        middle: Line = (*health(view), ("   ", "text"), *on_its_way(view))
        return [_three(tuple(where), middle, clock, width)]

    def _clock(self, view: View) -> Line:
        load = view.endpoint.load if view.endpoint else None
        quiet = view.now - view.snapshot.at
        now: Piece = (as_text.clock(view.now), "dim")
        if view.lost:
            return ((f"! {view.lost}  ", "fails"), now)
        if load is not None and load.running and quiet > QUIET_S:
            return ((f"‖ no news for {as_text.about(quiet)}  ", "waits"), now)
        return (now,)


def _three(one: Line, two: Line, three: Line, cells: int) -> Line:
    """Left, middle and right in a line; the middle stands in the same place whatever its length."""
    room = cells - width(one) - width(three) - 4
    while width(two) > room and two and two[-1][1] == "dim":
        two = two[:-1]
    middle = fit(two, max(0, room))
    start = max(width(one) + 2, min(cells * 44 // 100, cells - width(three) - width(middle) - 2))
    gap = " " * (start - width(one))
    return apart((*one, (gap, "text"), *middle), three, cells)


class Keys(Pane, can_focus=False):
    """The footer: keys that would do something now, and the way back at its right end. A message takes its place."""

    TICKS = True

    def __init__(self, **rest: str) -> None:
        super().__init__(**rest)
        self.message = ""
        self.until = 0.0

    def parts(self, view: View) -> tuple[object, ...]:
        """What decides which keys work."""
        endpoint = view.endpoint
        return (view.release, endpoint and endpoint.slots, endpoint and endpoint.load, self.message)

    def say(self, text: str, until: float) -> None:
        """A line in the footer's place for a while."""
        self.message, self.until = " ".join(text.split()), until

    def lines(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """Keys at the left, the way back at the right."""
        if self.message and view.now > self.until:
            self.message = ""
        end = self._end(view)
        if self.message:
            return [apart(((f"▸ {self.message}", "waits"),), end, width)]
        return [apart(self._keys(view, width - _cells(end) - 2), end, width)]

    def _keys(self, view: View, room: int) -> Line:
        working = [
            (action, word)
            for action in ACTIONS
            if action.foot is not None and (word := action.foot(view)) and refused(action, view) is None
        ]
        items = [
            (action.name, ((action.foot_key or action.key, "key"), (f" {word}   ", "dim"))) for action, word in working
        ]
        for name in RARE:
            if sum(_cells(item) for _, item in items) <= room:
                break
            items = [(other, item) for other, item in items if other != name]
        return tuple(piece for _, item in items for piece in item)

    def _end(self, view: View) -> Line:
        back = way_back(view)
        if not back.key:
            return ((back.text, "dim"),)
        return ((f" {back.key} ", "back-key"), (f" {back.text}", "back"))


class Caption(Pane, can_focus=False):
    """What the demo presses, and why. Not there unless somebody leads."""

    def __init__(self, **rest: str) -> None:
        super().__init__(**rest)
        self.key = ""
        self.words = ""

    def parts(self, view: View) -> tuple[object, ...]:
        """The key and its words."""
        return (self.key, self.words, view.lead)

    def lines(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """The key as a key, then what it is pressed for."""
        words = self.words or view.lead
        return [((f" {self.key} ", "shown"), (f" {words}", "text")) if self.key else ((words, "text"),)]


def _cells(line: Line) -> int:
    return width(line)
