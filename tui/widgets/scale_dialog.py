"""Asking how many replicas a slot is to have; what can't be is said while it is typed again."""

import re
from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from core.domain.errors import Refused
from core.domain.model import Slot
from core.state.acceptance import accept
from core.state.commands import ScaleSlot
from core.state.endpoint import Endpoint
from tui.view import View
from tui.widgets.overlay import Overlay

_TYPED = re.compile(r"(?:([a-z][a-z0-9-]{0,31})\s+)?(\d{1,4})")


class ScaleDialog(Overlay[ScaleSlot | None]):
    """What to ask for; None when escape was pressed. `view` is what there is to see now."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "not now")]

    def __init__(self, endpoint: Endpoint, view: Callable[[], View]) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._view = view

    def compose(self) -> ComposeResult:
        """What there is now, and a line to type in."""
        seen = self._endpoint.slots
        more = f"; 'SLOT NUMBER' means another slot than {self._endpoint.serving}" if len(seen) > 1 else ""
        with Vertical(id="sheet") as sheet:
            sheet.border_title = Content(f"replicas of {self._endpoint.name}")
            yield Static("\n".join(_has(self._endpoint, slot) for slot in sorted(seen)), markup=False)
            yield Static(f"Type how many and enter{more}; escape leaves all as it is.", markup=False)
            yield Input(placeholder="how many", id="name")
            yield Static("", id="wrong", markup=False)

    @on(Input.Submitted)
    def typed(self, event: Input.Submitted) -> None:
        """A number that can be goes on; another says why not."""
        typed = _TYPED.fullmatch(event.value.strip())
        if typed is None:
            self._wrong("type a number, such as 4, or a slot and a number, such as green 4")
            return
        command, view = ScaleSlot(self._endpoint.name, int(typed[2]), typed[1] or ""), self._view()
        try:
            if accept(command, view.snapshot, view.now):
                self.dismiss(command)
            else:
                self._wrong(f"it has, or was asked for, {command.replicas} already")
        except Refused as no:
            self._wrong(str(no))

    def _wrong(self, why: str) -> None:
        self.query_one("#wrong", Static).update(Content(why))

    def action_leave(self) -> None:
        """Leave all as it is."""
        self.dismiss(None)


def _has(endpoint: Endpoint, slot: Slot) -> str:
    """`blue has 2 replicas, 2 ready; its autoscaler stays between 1 and 4`."""
    seen, look = endpoint.slots[slot], endpoint.scaled.get(slot)
    bounds = f"; its autoscaler stays between {look.min} and {look.max}" if look is not None else ""
    return f"{slot} has {seen.wanted} replicas, {seen.ready} ready{bounds}"
