"""The deck as an app: follows a link, folds what it says, shows it 15 times a second, and asks it for what keys say."""

import asyncio
import contextlib
import gc
import logging
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module

from textual import events
from textual.app import SystemCommand
from textual.screen import Screen

from core.domain.errors import QuarterdeckError
from core.state import commands
from core.state.link import Link
from core.state.snapshot import Snapshot
from core.system import terminal
from tui import theme
from tui.actions import ACTIONS, BY_NAME
from tui.asking import Asking, Prepare
from tui.earlier import NOTHING_EARLIER, LookBack, earlier
from tui.follower import Follower
from tui.screen_keys import KeyedApp
from tui.screens.deck import DeckScreen
from tui.view import WATCHES, View, chosen
from tui.widgets import chart
from tui.widgets.bars import Caption, Keys
from tui.widgets.pane import Pane

FRAMES_A_SECOND = 15
LOOK_S = 1.0
LOOK_BACK_S = 20.0
"""So often what an hour of charts needs is read again: more often than a snapshot forgets."""
MESSAGE_S = 8.0
log = logging.getLogger("quarterdeck")


class DeckApp(KeyedApp):
    """The deck over a link. `now` is the clock, `caption` a line for whoever is shown around.

    Where it `opens` releases, `opened` is the one that somebody left it for.

    `hangs_s` says for how long whoever drives an endpoint has been there without a sign of life.

    `prepare` makes a release ready to begin; without it none can be begun from here.

    `drill_s` says how old the last proof of an endpoint's way back may be.

    `look_back` reads what was measured before all that a snapshot keeps; without it charts show what that does.
    """

    CSS_PATH = "app.tcss"
    TITLE = "quarterdeck"
    COMMAND_PALETTE_BINDING = "ctrl+p"
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        link: Link,
        endpoint: str | None = None,
        read_only: bool = False,
        caption: str = "",
        now: Callable[[], float] = time.time,
        look: str = theme.DEFAULT,
        hangs_s: Callable[[str], float | None] = lambda _: None,
        prepare: Prepare | None = None,
        look_back: LookBack | None = None,
        drill_s: Callable[[str], float | None] = lambda _: None,
    ) -> None:
        super().__init__()
        self.link = link
        self.wanted = endpoint
        self.read_only = read_only
        self.watches = WATCHES
        self.stretch_s: float | None = None
        self.opens = False
        self.opened: str | None = None
        self.caption = caption
        self.earlier = NOTHING_EARLIER
        self._earlier_of = look_back
        self.asking = Asking(self, link, lambda: self.view, self.say, prepare)
        self.now = now
        self._hangs_s = hangs_s
        self._drill_s = drill_s
        self._hung: tuple[str | None, float | None] = (None, None)
        self.follower = Follower(link)
        self.drawn = asyncio.Event()
        self.key_at = now()
        self.failing = False
        self.palette = theme.load(look)
        for name in theme.names():
            self.register_theme(theme.textual_theme(theme.load(name)))
        self.theme = f"deck-{look}"
        self.deck = DeckScreen(self.palette, caption=bool(caption))

    def get_default_screen(self) -> Screen[None]:
        """The deck is the first screen."""
        return self.deck

    def on_mount(self) -> None:
        """Begin to follow and to draw, for as long as the terminal is there."""
        if not self.is_headless and sys.__stdin__ is not None and sys.__stdin__.isatty():
            terminal.end_with(sys.__stdin__.fileno())
        self.run_worker(self.follower.run(), name="follow", exit_on_error=True)
        self.run_worker(self._load_rest(), name="load the rest", exit_on_error=True)
        self.set_interval(1 / FRAMES_A_SECOND, self.frame)
        self.set_interval(LOOK_S, self.look_at_driver)
        self.set_interval(LOOK_BACK_S, self.look_back)

    @property
    def snapshot(self) -> Snapshot:
        """What the link has told so far, folded."""
        return self.follower.snapshot

    @property
    def view(self) -> View:
        """What there is to see now."""
        known = self.follower
        name = self.wanted or chosen(known.snapshot)
        hangs_s = self._hung[1] if self._hung[0] == name else None
        rest = (
            self.read_only,
            known.lost,
            self.caption,
            self.asking.refusals,
            hangs_s,
            self.watches,
            self.asking.prepare is not None,
            self.stretch_s,
            self.earlier,
            self._drill_s(name) if name else None,
        )
        return View(known.snapshot, known.history, name, self.now(), *rest)

    def look_at_driver(self) -> None:
        """Whether who drives the endpoint gives signs of life: what it does not say itself comes as no event."""
        name = self.view.name
        with contextlib.suppress(QuarterdeckError):
            self._hung = (name, self._hangs_s(name) if name else None)

    def look_back(self) -> None:
        """Read what was measured as far back as the charts go, where they go further than what is kept."""
        if self.stretch_s is not None and self._earlier_of is not None:
            self.run_worker(self._read(self._earlier_of, self.stretch_s), group="look back", exclusive=True)

    async def _read(self, read: LookBack, seconds: float) -> None:
        now = self.now()
        try:
            self.earlier = await asyncio.to_thread(lambda: earlier(read(now - seconds, now)))
        except QuarterdeckError as error:
            self.say(f"nothing earlier can be shown: {error}")

    def frame(self) -> None:
        """Show what changed since the last frame. One frame that fails is told, and the next one comes."""
        if not self.deck.ready:
            return
        try:
            self.deck.look(self.view)
            self.failing = False
        except Exception:
            if not self.failing:
                log.exception("a frame could not be shown")
            self.failing = True
        self.drawn.set()

    async def _load_rest(self) -> None:
        """What the first paint does without: charts and sheets, in a thread."""
        await self.drawn.wait()
        try:
            await asyncio.to_thread(chart.load)
        except Exception as error:
            log.exception("charts")
            self.say(f"no charts: {type(error).__name__}; see quarterdeck.log")
        for name in ("tui.screens.sheet", "tui.widgets.confirm"):
            await asyncio.to_thread(import_module, name)
        for pane in self.deck.query(Pane):
            pane.redraw()
        if not self.is_headless:
            # What is loaded stays; to look through it for garbage takes 80 ms, in which no key is answered.
            gc.freeze()

    async def on_event(self, event: events.Event) -> None:
        """Remember when a key went down: before it waited for its turn."""
        if isinstance(event, events.Key):
            self.key_at = self.now() - max(0.0, time.monotonic() - event.time)
        await super().on_event(event)

    async def action_act(self, name: str) -> None:
        """A key of the table. What fails in it is told in a line; the deck stays."""
        action = BY_NAME[name]
        try:
            if action.asks is not None:
                await self.asking.ask(action, self.key_at)
            else:
                self.answer(name)
        except QuarterdeckError as error:
            self.say(str(error))
        except Exception as error:
            log.exception("key %s", action.key)
            self.say(f"{action.key}: {type(error).__name__}; see quarterdeck.log")

    def say(self, text: str) -> None:
        """One line in the footer, for a while."""
        self.deck.query_one(Keys).say(text, self.now() + MESSAGE_S)

    def on_deck_screen_log_left(self, message: DeckScreen.LogLeft) -> None:
        """A replica's log that nobody reads is not followed any longer."""
        view = self.view
        if view.endpoint and message.source in view.endpoint.tails and not self.read_only:
            self.run_worker(self.asking.do(commands.Tail(view.endpoint.name, message.source, 0)))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002
        """The same table as a palette of commands, with the endpoints and the themes."""
        for action in ACTIONS:
            if action.name != "palette":
                yield SystemCommand(
                    action.words, f"key {action.key}", lambda n=action.name: self.run_worker(self.action_act(n))
                )
        for name in sorted(self.snapshot.endpoints):
            yield SystemCommand(f"endpoint {name}", "show it", lambda n=name: setattr(self, "wanted", n))
        for name in theme.names():
            yield SystemCommand(f"theme {name}", "other colours", lambda n=name: self.set_theme(n))

    def set_theme(self, name: str) -> None:
        """Another theme."""
        self.palette = theme.load(name)
        self.theme = f"deck-{name}"
        self.deck.set_palette(self.palette)

    def show_key(self, key: str, words: str) -> None:
        """Show a key that is pressed for somebody, and what for."""
        for caption in self.deck.query(Caption):
            caption.key, caption.words = key, words

    async def press(self, key: str, words: str) -> None:
        """Press a key as a person would, and show it."""
        self.show_key(key, words)
        self.simulate_key(key)
