"""A sheet over the deck: the keys, or why something was decided. Any key takes it away."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.actions import ACTIONS, GROUPS
from tui.output import pasteable
from tui.widgets.overlay import Overlay


class Sheet(Overlay[None]):
    """Lines of text with a title."""

    # The way back works from here too: nobody should have to close a page of help first.
    BINDINGS: ClassVar[list[BindingType]] = [Binding("R", "back", priority=True, show=False)]

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self.heading = title
        self.said = tuple(map(pasteable, lines))

    def compose(self) -> ComposeResult:
        """The lines, to be scrolled where there are many."""
        with VerticalScroll(id="sheet") as sheet:
            sheet.border_title = Content(self.heading)
            sheet.border_subtitle = "arrows scroll, any other key closes"
            yield Static("\n".join(self.said), markup=False)

    async def action_back(self) -> None:
        """Close, and roll back."""
        self.dismiss(None)
        await self.run_action("app.act('rollback')")

    def on_key(self, event: events.Key) -> None:
        """Arrows scroll; any other key closes."""
        if event.key not in ("up", "down", "pageup", "pagedown", "home", "end"):
            event.stop()
            event.prevent_default()
            self.dismiss(None)

    def on_click(self) -> None:
        """A click closes it too."""
        self.dismiss(None)


def keys() -> list[str]:
    """All keys with what they do, by group."""
    lines: list[str] = []
    for group, heading in GROUPS.items():
        lines += [heading, *(f"  {a.key:<10}{a.words}" for a in ACTIONS if a.group == group), ""]
    return [*lines, "tab, arrows  the next pane; the cursor in it", "escape       back to all panes"]
