"""A view of events, and what a pane says of it."""

from collections.abc import Sequence

from core.state.events import Event
from core.state.fold import fold_all
from tests.recordings.make import MOMENT
from tui.history import History
from tui.styled import Line
from tui.view import View, chosen
from tui.widgets.pane import Pane


def seen(events: Sequence[Event], at: float = MOMENT, name: str | None = None) -> View:
    """What there is to see after these events."""
    snapshot = fold_all(events)
    history = History()
    for event in events:
        history = history.plus(event)
    return View(snapshot, history, name or chosen(snapshot), at)


def text(line: Line) -> str:
    """A line without its colours."""
    return "".join(piece for piece, _ in line).rstrip()


def lines(pane: Pane, view: View, cells: int = 80, height: int = 12) -> list[str]:
    """What a pane says in so much room."""
    return [text(line) for line in pane.lines(view, cells, height)]
