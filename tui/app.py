"""The deck as an app: follows a link, folds what it says, shows it 15 times a second, and asks it for what keys say."""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module

from textual import events
from textual.app import App, SystemCommand
from textual.screen import Screen

from core.domain.errors import QuarterdeckError
from core.state import commands
from core.state.link import Link
from core.state.snapshot import Snapshot
from core.system import terminal
from tui import theme
from tui.actions import ACTIONS, BY_NAME
from tui.asking import Asking, Prepare
from tui.environments import beside
from tui.follower import Follower
from tui.release_stages import sources
from tui.screens.deck import DeckScreen
from tui.view import WATCHES, View, chosen
from tui.widgets import chart
from tui.widgets.bars import Caption, Keys
from tui.widgets.pane import Pane
from tui.widgets.stages import Stages
from tui.widgets.traffic import TrafficPane

FRAMES_A_SECOND = 15
LOOK_S = 1.0
MESSAGE_S = 8.0
log = logging.getLogger("quarterdeck")


class DeckApp(App[None]):
    """The deck over a link. `now` is the clock, `caption` a line for whoever is shown around.

    Where it `opens` releases, `opened` is the one that somebody left it for.

    `hangs_s` says for how long whoever drives an endpoint has been there without a sign of life.

    `prepare` makes a release ready to begin; without it none can be begun from here.

    Long only because each key that the screen itself answers has a method here, named after its action.
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
        self.asking = Asking(self, link, lambda: self.view, self.say, prepare)
        self.now = now
        self._hangs_s = hangs_s
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
        )
        return View(known.snapshot, known.history, name, self.now(), *rest)

    def look_at_driver(self) -> None:
        """Whether who drives the endpoint gives signs of life: what it does not say itself comes as no event."""
        name = self.view.name
        with contextlib.suppress(QuarterdeckError):
            self._hung = (name, self._hangs_s(name) if name else None)

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
                getattr(self, f"_{name.rstrip('0123456789').rstrip('_')}")(name)
        except QuarterdeckError as error:
            self.say(str(error))
        except Exception as error:
            log.exception("key %s", action.key)
            self.say(f"{action.key}: {type(error).__name__}; see quarterdeck.log")

    def say(self, text: str) -> None:
        """One line in the footer, for a while."""
        self.deck.query_one(Keys).say(text, self.now() + MESSAGE_S)

    def _logs(self, _: str) -> None:
        pane = self.deck.chosen
        if isinstance(pane, TrafficPane) and (replica := pane.chosen()) is not None and self.view.name:
            self.deck.read_log(replica.name, (replica.name,))
            if not self.read_only:
                self.run_worker(self.asking.do(commands.Tail(self.view.name, replica.name)))
            return
        stage = self.deck.query_one(Stages).chosen()
        if stage is not None:
            self.deck.read_log(stage.name, sources(stage))

    def on_deck_screen_log_left(self, message: DeckScreen.LogLeft) -> None:
        """A replica's log that nobody reads is not followed any longer."""
        view = self.view
        if view.endpoint and message.source in view.endpoint.tails and not self.read_only:
            self.run_worker(self.asking.do(commands.Tail(view.endpoint.name, message.source, 0)))

    def _maximise(self, _: str) -> None:
        self.deck.maximise()

    def _why(self, _: str) -> None:
        from tui.screens.sheet import Sheet  # noqa: PLC0415

        pane = self.deck.chosen
        self.push_screen(Sheet(f"why · {pane.name_of(self.view)}", pane.explain(self.view)))

    def _filter(self, _: str) -> None:
        self.deck.filter()

    def _chart(self, _: str) -> None:
        from tui.widgets.load import LoadPane  # noqa: PLC0415

        self.deck.query_one(LoadPane).turn()

    def _compare(self, _: str) -> None:
        from tui.widgets.beside import pair  # noqa: PLC0415
        from tui.widgets.load import LoadPane  # noqa: PLC0415

        if pair(self.view) is None:
            self.say("there are no two slots of a release to set side by side")
        self.deck.query_one(LoadPane).compare(self.view)

    def _stretch(self, _: str) -> None:
        found = chart.STRETCHES
        self.stretch_s = found[(found.index(self.stretch_s) + 1) % len(found)]
        shown = "as much as there is" if self.stretch_s is None else f"{self.stretch_s / 60:g} minutes"
        self.say(f"the charts show {shown}")

    def _environments(self, _: str) -> None:
        from tui.screens.sheet import Sheet  # noqa: PLC0415

        lines = beside(self.snapshot, self.now()) or ["no two environments serve yet"]
        self.push_screen(Sheet("environments", lines))

    def _releases(self, _: str) -> None:
        from tui.screens.releases import ReleaseList  # noqa: PLC0415

        def chose(name: str | None) -> None:
            if name is not None:
                self.opened = name
                self.exit()

        if not self.opens:
            self.say("this is a recording already" if self.read_only else "no other release can be opened from here")
            return
        self.push_screen(ReleaseList(tuple(self.snapshot.releases.values()), self.now()), chose)

    def _endpoint_before(self, _: str) -> None:
        self._switch(-1)

    def _endpoint_after(self, _: str) -> None:
        self._switch(1)

    def _switch(self, by: int) -> None:
        names = sorted(self.snapshot.endpoints)
        if len(names) < 2:
            self.say("there is only one endpoint here")
            return
        at = names.index(self.view.name) if self.view.name in names else 0
        self.wanted = names[(at + by) % len(names)]

    def _pane(self, name: str) -> None:
        self.deck.to_pane(name[-1])

    def _palette(self, _: str) -> None:
        self.action_command_palette()

    def _help(self, _: str) -> None:
        from tui.screens.sheet import Sheet, keys  # noqa: PLC0415

        self.push_screen(Sheet("keys", keys()))

    def _leave(self, _: str) -> None:
        self.exit()

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
