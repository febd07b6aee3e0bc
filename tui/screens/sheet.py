"""A sheet over the deck: the keys, or why something was decided. Any key takes it away."""

from collections.abc import Callable, Sequence
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

LOOK_S = 1.0


class Sheet(Overlay[None]):
    """Lines of text with a title, asked for again each second: what stands open says what is, and not what was."""

    # The way back works from here too: nobody should have to close a page of help first.
    BINDINGS: ClassVar[list[BindingType]] = [Binding("R", "back", priority=True, show=False)]

    def __init__(self, title: Callable[[], str], lines: Callable[[], Sequence[str]]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self.said: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        """The lines, to be scrolled where there are many."""
        with VerticalScroll(id="sheet") as sheet:
            sheet.border_subtitle = "arrows scroll, any other key closes"
            yield Static(markup=False)

    def on_mount(self) -> None:
        """Say it, and say it anew."""
        self._say()
        self.set_interval(LOOK_S, self._say)

    def told(self) -> tuple[str, ...]:
        """The lines as they are now."""
        return tuple(map(pasteable, self._lines()))

    def _say(self) -> None:
        lines = self.told()
        self.query_one("#sheet").border_title = Content(self._title())
        if lines != self.said:
            self.said = lines
            self.query_one(Static).update("\n".join(lines))

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
