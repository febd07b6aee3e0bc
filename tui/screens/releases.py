"""A list of releases over the deck; the one that is chosen is opened on the same deck, as it happened."""

import time
from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from core.state.release import Release
from tui.format import span
from tui.widgets.overlay import Overlay


class ReleaseList(Overlay[str | None]):
    """The newest first; says the id of the one that was chosen."""

    # The way back works from here too: nobody should have to close a list first.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "back", priority=True, show=False),
        Binding("escape,q,e", "leave", show=False),
    ]

    def __init__(self, releases: Sequence[Release], now: float) -> None:
        super().__init__()
        self.rows = [(one.id, line(one, now)) for one in sorted(releases, key=lambda one: -one.began_at)]

    def compose(self) -> ComposeResult:
        """A line each."""
        with Vertical(id="sheet") as sheet:
            sheet.border_title = Content("releases")
            sheet.border_subtitle = "enter opens one as it happened, escape closes"
            yield OptionList(*(Option(Content(text), id=name) for name, text in self.rows))

    @on(OptionList.OptionSelected)
    def picked(self, event: OptionList.OptionSelected) -> None:
        """This one."""
        self.dismiss(event.option_id)

    def action_leave(self) -> None:
        """None of them."""
        self.dismiss(None)

    async def action_back(self) -> None:
        """Close, and roll back."""
        self.dismiss(None)
        await self.run_action("app.act('rollback')")


def line(release: Release, now: float) -> str:
    """When, which version, how it ended, how long it took, by whom and why."""
    at = time.strftime("%d %b %H:%M", time.localtime(release.began_at))
    version = release.version.label if release.version else "-"
    outcome = release.outcome.value if release.outcome is not None else "under way"
    took = span((now if release.ended_at is None else release.ended_at) - release.began_at)
    return f"{at}  {release.endpoint} {version:<5} {outcome:<11} {took:>8}  {release.by}  {release.reason}".rstrip()
