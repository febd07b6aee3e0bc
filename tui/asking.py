"""What a key asks of the link: confirmed first by a person where `commands` says so; a refusal is a line."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from textual.app import App

from core.domain.errors import QuarterdeckError
from core.state.commands import Begin, Command
from core.state.confirmation import Confirmation, begins as planned, confirmation
from core.state.link import Link
from core.state.release import Release
from tui.actions import Action, begins, refused
from tui.summary import label
from tui.view import Refusal, View

REFUSALS = 5
"""So many of the last refusals are kept for whoever asks why."""
log = logging.getLogger("quarterdeck")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A release that could begin, and its plan in lines."""

    begin: Begin
    plan: tuple[str, ...]


Prepare: TypeAlias = Callable[[str | None], Prepared]
"""Prepares the next release of an endpoint, by what the project says now; may take a moment."""


class Asking:
    """Asks for the app. `view` is what there is to see now, `say` puts a line on the screen."""

    def __init__(
        self,
        app: App[None],
        link: Link,
        view: Callable[[], View],
        say: Callable[[str], None],
        prepare: Prepare | None = None,
    ) -> None:
        self.prepare = prepare
        self._app = app
        self._link = link
        self._view = view
        self._say = say
        self.refusals: tuple[Refusal, ...] = ()

    async def ask(self, action: Action, at: float) -> None:
        """Ask the link for what a key stands for that went down at a moment; where it must be, a person first."""
        view = self._view()
        if action.name == "next" and begins(view):
            await self.begin(view)
            return
        if view.read_only or view.name is None or action.asks is None:
            self._say(refused(action, view) or "")
            return
        command = action.asks(view, at)
        asked = confirmation(command, view.snapshot, view.now)
        if asked is not None and (no := refused(action, view)) is not None:
            # What would not be taken needs no yes, and goes nowhere without one.
            self._refused(no)
        else:
            await self.offer(command)

    async def offer(self, command: Command) -> None:
        """Ask for a command that would be taken; where it must be, a person agrees first."""
        view = self._view()
        asked = confirmation(command, view.snapshot, view.now)
        if asked is None:
            await self.do(command)
        else:
            self._confirm(command, asked)

    async def begin(self, view: View) -> None:
        """Show what a release would do, and begin it if that is wanted; production by its name."""
        if self.prepare is None:
            return
        ready = await asyncio.to_thread(self.prepare, view.name)
        plain = Confirmation(ready.begin.environment, f"begins {planned(ready.begin.plan)}", typed=False)
        self._confirm(ready.begin, confirmation(ready.begin, view.snapshot, view.now) or plain, ready.plan)

    async def do(self, command: Command) -> None:
        """Ask for something; a refusal is a line on the screen, and `y` remembers it."""
        try:
            await self._link.do(command)
        except QuarterdeckError as error:
            self._refused(str(error))
        except Exception as error:
            log.exception("%s", type(command).__name__)
            self._refused(f"{type(command).__name__.lower()}: {type(error).__name__}; see quarterdeck.log")

    def _refused(self, why: str) -> None:
        self.refusals = (*self.refusals[-REFUSALS + 1 :], Refusal(self._view().now, why))
        self._say(why)

    def _confirm(self, command: Command, asked: Confirmation, plan: Sequence[str] = ()) -> None:
        from tui.widgets.confirm import Confirm  # noqa: PLC0415

        def answered(yes: bool | None) -> None:
            if not yes:
                self._say("nothing was done")
            # While somebody types, a hold may end: the yes was for what it would have done then.
            elif self._moved(release):
                what = label(release) if release is not None else command.endpoint
                self._say(f"{what} moved on meanwhile; nothing was done, look and press again")
            else:
                self._app.run_worker(self.do(command), exit_on_error=False)

        release = self._view().snapshot.release_of(command.endpoint)
        self._app.push_screen(Confirm(asked, plan), answered)

    def _moved(self, then: Release | None) -> bool:
        """Whether a release stands elsewhere than it stood."""
        now = self._view().snapshot.releases.get(then.id) if then is not None else None
        if now is None or then is None:
            return now is not then
        return (now.index, now.state, now.paused) != (then.index, then.state, then.paused)
