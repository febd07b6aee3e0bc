"""Asking before something that can't be taken back by itself: a plain yes, or the environment's name typed."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from core.state.confirmation import Confirmation
from tui.widgets.overlay import Overlay


class Confirm(Overlay[bool]):
    """True when it was confirmed; False when escape was pressed, or anything but a yes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "no", "not now")]

    def __init__(self, asked: Confirmation, plan: Sequence[str] = ()) -> None:
        super().__init__()
        self.asked = asked
        self.plan = tuple(plan)

    def compose(self) -> ComposeResult:
        """What would happen, and how to say yes."""
        name = self.asked.environment
        how = f"Type {name} and enter to do it" if self.asked.typed else "y or enter does it"
        with Vertical(id="sheet") as sheet:
            sheet.border_title = Content(name)
            if self.plan:
                with VerticalScroll(id="plan", can_focus=False):
                    yield Static("\n".join(self.plan), markup=False)
            yield Static(f"{self.asked.text}\n{how}; escape leaves all as it is.", markup=False)
            if self.asked.typed:
                yield Input(placeholder=name, id="name")
            yield Static("", id="wrong", markup=False)

    @on(Input.Submitted)
    def typed(self, event: Input.Submitted) -> None:
        """The right name goes on; another one says so."""
        if event.value.strip() == self.asked.environment:
            self.dismiss(True)
        else:
            self.query_one("#wrong", Static).update(f"that is not {self.asked.environment}")

    def on_key(self, event: events.Key) -> None:
        """Arrows scroll the plan. Where nothing must be typed, one key answers."""
        if self.plan and event.key in ("up", "down", "pageup", "pagedown"):
            event.stop()
            self.query_one("#plan").scroll_relative(y=-3 if "up" in event.key else 3, animate=False)
            return
        if self.asked.typed:
            return
        event.stop()
        if event.key in ("y", "enter"):
            self.dismiss(True)
        elif event.key in ("n", "q"):
            self.dismiss(False)

    def action_no(self) -> None:
        """Leave all as it is."""
        self.dismiss(False)
