"""Asking for the environment's name before something moves forward in production."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class Confirm(ModalScreen[bool]):
    """True when the name was typed; False when escape was pressed."""

    BINDINGS = [("escape", "no", "not now")]  # noqa: RUF012

    def __init__(self, name: str, what: str) -> None:
        super().__init__()
        self.wanted = name
        self.what = what

    def compose(self) -> ComposeResult:
        """What it is about, and a line to type in."""
        with Vertical(id="sheet") as sheet:
            sheet.border_title = "production"
            yield Static(
                f"{self.what}\nType {self.wanted} and enter to do it; escape leaves all as it is.", markup=False
            )
            yield Input(placeholder=self.wanted, id="name")
            yield Static("", id="wrong", markup=False)

    @on(Input.Submitted)
    def typed(self, event: Input.Submitted) -> None:
        """The right name goes on; another one says so."""
        if event.value.strip() == self.wanted:
            self.dismiss(True)
        else:
            self.query_one("#wrong", Static).update(f"that is not {self.wanted}")

    def action_no(self) -> None:
        """Leave all as it is."""
        self.dismiss(False)
