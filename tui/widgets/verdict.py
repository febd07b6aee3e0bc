"""The second line: the verdict."""

from tui.styled import Line
from tui.verdict import verdict
from tui.view import View
from tui.widgets.bars import bears_on_health
from tui.widgets.pane import Pane


class VerdictLine(Pane, can_focus=False):
    """What happens next, in how long, by which gates, and what is armed."""

    TICKS = True

    def parts(self, view: View) -> tuple[object, ...]:
        """What the top line depends on; time does the rest."""
        return bears_on_health(view)

    def lines(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """One line."""
        return [verdict(view, width)]
