"""The environments of the project side by side, on a deck with room for them."""

from tui.environments import beside
from tui.styled import Line, cut
from tui.view import View
from tui.widgets.pane import Pane


class EnvironmentsPane(Pane, can_focus=False):
    """A line an environment: what it serves, since when, and what the next one has; the one shown is marked."""

    TICKS = True

    def parts(self, view: View) -> tuple[object, ...]:
        """What is served anywhere."""
        return (view.snapshot.endpoints, view.snapshot.releases, view.name)

    def name_of(self, view: View) -> str:  # noqa: ARG002
        """What the key for it says more of."""
        return "environments"

    def note_of(self, view: View) -> str:
        """How to get to another."""
        return "[ ] the one before, the next" if len(view.snapshot.endpoints) > 1 else ""

    def lines(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """The lines that `E` shows."""
        here = view.endpoint.environment if view.endpoint is not None else ""
        rows: list[Line] = []
        for line in beside(view.snapshot, view.now):
            shown = line.split(maxsplit=1)[0] == here
            rows.append((("▸ " if shown else "  ", "key"), (cut(line, width - 2), "strong" if shown else "text")))
        return rows
