"""The deck: six panes over one snapshot, and the keys that act on it."""

from collections.abc import Iterable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from tui.actions import ACTIONS
from tui.environments import beside
from tui.release_stages import stages
from tui.screens.layout import FOLDED, share
from tui.summary import replicas_listed
from tui.theme import Palette
from tui.view import View
from tui.widgets.bars import Caption, Keys, Top
from tui.widgets.environments import EnvironmentsPane
from tui.widgets.gates import Gates
from tui.widgets.load import LoadPane
from tui.widgets.log import Log
from tui.widgets.pane import Pane
from tui.widgets.scaling import Scaling
from tui.widgets.stages import Stages
from tui.widgets.traffic import TrafficPane
from tui.widgets.verdict import VerdictLine

PANES = {"1": "stages", "2": "load", "3": "scaling", "4": "traffic", "5": "gates", "6": "log"}
BARS = 3
"""The lines above and below the panes."""


class DeckScreen(Screen[None]):
    """The panes and how they share the room. What a key asks of the link is the app's matter.

    Long because Textual wants a method for each event and action that a screen hears.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"app.act('{a.name}')", a.words, show=False) for a in ACTIONS for key in a.keys),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("escape", "back", show=False),
    ]

    class LogLeft(Message):
        """Nobody reads this log any more."""

        def __init__(self, source: str) -> None:
            super().__init__()
            self.source = source

    def __init__(self, palette: Palette, caption: bool) -> None:
        super().__init__()
        self.palette = palette
        self.captioned = caption
        self.open: str | None = None
        self.ready = False
        self._arranged: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """All panes; `apportion` gives them their room."""
        yield Top(id="top")
        yield VerdictLine(id="verdict")
        with Container(id="body"):
            with Vertical(id="left"):
                yield Stages(id="stages")
                yield Gates(id="gates")
            with Vertical(id="right"):
                yield TrafficPane(id="traffic")
                yield EnvironmentsPane(id="environments")
                yield LoadPane(id="load")
                yield Scaling(id="scaling")
                yield Log(id="log")
        if self.captioned:
            yield Caption(id="caption")
        yield Input(placeholder="filter the log; enter keeps it, escape shows all", id="prompt")
        yield Keys(id="keys")

    def on_mount(self) -> None:
        """Give each pane the theme, and the keys to the gates."""
        self.set_palette(self.palette)
        self.set_focus(self.pane("gates"))
        self.ready = True

    def set_palette(self, palette: Palette) -> None:
        """Another theme."""
        self.palette = palette
        for pane in self.query(Pane):
            pane.redraw(palette)

    def pane(self, name: str) -> Pane:
        """A pane by its name."""
        return self.query_one(f"#{name}", Pane)

    @property
    def chosen(self) -> Pane:
        """The pane that keys go to."""
        return self.focused if isinstance(self.focused, Pane) else self.pane(self.open or "gates")

    def look(self, view: View) -> None:
        """Show a view; panes whose part is the same do nothing."""
        self.apportion(view)
        for pane in self.query(Pane):
            if pane.display:
                pane.look(view)

    def apportion(self, view: View) -> None:
        """Share the room when the size, the number of stages or the open pane is another."""
        count = len(stages(view.release)) if view.release is not None else 12
        listed, others = replicas_listed(view), len(beside(view.snapshot, view.now))
        wanted = (self.size, count, listed, others, self.open)
        if wanted == self._arranged:
            return
        self._arranged = wanted
        rest = self.size.height - BARS - self.captioned
        room = share(self.size.width, rest, count, listed, others)
        self.set_class(room.narrow, "-narrow")
        self.query_one("#left").styles.width = room.left if room.left and not self.open else "1fr"
        for name in PANES.values():
            pane = self.pane(name)
            pane.full = self.open == name
            pane.narrow = room.narrow
            pane.folded = room.narrow and name in FOLDED and not pane.full
            pane.display = self.open in (None, name)
            pane.styles.height = "1fr" if pane.full else room.heights[name]
            pane.set_class(pane.folded, "-folded")
        others_too = self.query_one(EnvironmentsPane)
        others_too.display = self.open is None and room.heights["environments"] > 0
        others_too.styles.height = room.heights["environments"]
        left_open = self.open in ("stages", "gates")
        self.query_one("#left").display = self.open is None or left_open
        self.query_one("#right").display = not left_open
        self.query_one("#left").styles.height = 2 if room.narrow and not self.open else "1fr"

    def show(self, name: str | None) -> None:
        """One pane alone, or all of them."""
        self.open = name
        if name is not None:
            self.set_focus(self.pane(name))
        view = self.pane("log").view
        if view is not None:
            self.look(view)

    def to_pane(self, number: str) -> None:
        """Put the cursor in a pane; open it when it has it already, or when there is little room."""
        name = PANES[number]
        here = self.focused is self.pane(name)
        if self.open == name:
            self.show(None)
        elif self.has_class("-narrow") or here or self.open is not None:
            self.show(name)
        else:
            self.set_focus(self.pane(name))

    def maximise(self) -> None:
        """The chosen pane alone, or all again."""
        self.show(None if self.open is not None else self.chosen.id)

    def read_log(self, name: str, sources: Iterable[str]) -> None:
        """The log of one stage or replica, alone on the screen."""
        log = self.query_one(Log)
        log.source, log.sources, log.above = name, frozenset(sources), 0
        self.show("log")

    def filter(self) -> None:
        """A line to type what the log is filtered by."""
        prompt = self.query_one("#prompt", Input)
        prompt.add_class("-open")
        prompt.value = self.query_one(Log).words
        self.set_focus(prompt)

    @on(Input.Changed, "#prompt")
    def filtered(self, event: Input.Changed) -> None:
        """The log follows what is typed."""
        self.query_one(Log).words = event.value

    @on(Input.Submitted, "#prompt")
    def kept(self) -> None:
        """Keep the filter and go back to the log."""
        self.query_one("#prompt").remove_class("-open")
        self.set_focus(self.pane("log"))

    def action_move(self, by: int) -> None:
        """The cursor in the chosen pane."""
        move = getattr(self.chosen, "move", None)
        if move is not None:
            move(by)

    def action_back(self) -> None:
        """One step back: the filter, then the source, then the open pane."""
        log = self.query_one(Log)
        prompt = self.query_one("#prompt", Input)
        if prompt.has_class("-open") or log.words:
            log.words, prompt.value = "", ""
            prompt.remove_class("-open")
            self.set_focus(self.pane("log"))
        elif log.source:
            self.post_message(self.LogLeft(log.source))
            log.source = ""
            self.show(None)
        elif self.open is not None:
            self.show(None)

    def on_resize(self, _: events.Resize) -> None:
        """Another size: share the room again."""
        view = self.pane("log").view
        if view is not None:
            self.apportion(view)
