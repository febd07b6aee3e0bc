"""The deck on a recording: the same panes, with keys to play it and a bar that says where it stands."""

import re
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from core.domain.errors import BadInput
from core.state.events import Event
from core.state.link import Link
from tui import format as as_text, theme
from tui.app import DeckApp
from tui.moments import moment
from tui.widgets.overlay import Overlay

SKIP_S = 10.0
WATCHES = "this is a recording; it can only be watched"
_OFFSET = re.compile(r"^(?:(\d+):)?(\d{1,2}):(\d{2})$|^(\d+(?:\.\d+)?)$")
KEYS = "space ←→ [ ] < > :"


class Playback(Link, Protocol):
    """A link that can be played: `core.engine.player.Player`."""

    begin: float
    end: float
    speed: float
    playing: bool

    def now(self) -> float:
        """The moment that is shown."""
        ...

    def earlier(self, begin: float, end: float) -> Sequence[Event]:
        """What happened between two moments."""
        ...

    def toggle(self) -> None:
        """Play or stand still."""
        ...

    def faster(self, by: int) -> None:
        """The next speed, or the one before."""
        ...

    def seek(self, at: float) -> None:
        """Be at a moment."""
        ...

    def skip(self, seconds: float) -> None:
        """So far on, or back."""
        ...

    def jump(self, by: int) -> None:
        """To the next event, or the one before."""
        ...


def bar(player: Playback, cells: int) -> str:
    """Where it stands, how fast it plays, and by which keys."""
    now, whole = player.now(), max(player.end - player.begin, 1e-9)
    done = (now - player.begin) / whole
    head = f"{'▶' if player.playing and now < player.end else '❚❚'} {player.speed:g}x"
    tail = f"{as_text.span(now - player.begin)} of {as_text.span(whole)} · {as_text.clock(now)}"
    keys = f"  {KEYS}" if cells >= len(head) + len(tail) + len(KEYS) + 16 else ""
    room = max(4, cells - len(head) - len(tail) - len(keys) - 5)
    place = min(room - 1, int(done * room))
    return f"{head} {'━' * place}●{'─' * (room - place - 1)} {tail}{keys}"


def wanted(text: str, player: Playback) -> float:
    """The moment that somebody typed: `1:30` and `90` from its begin, `14:02:31` and a date by the clock."""
    found = _OFFSET.match(text.strip())
    if found is not None and found[1] is None:
        return player.begin + (float(found[4]) if found[4] else 60 * int(found[2]) + int(found[3]))
    return moment(text, player.now())


class Seek(Overlay[str | None]):
    """A line to type a moment in."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def compose(self) -> ComposeResult:
        """What may be typed, and the line."""
        with Vertical(id="sheet") as sheet:
            sheet.border_title = Content("go to")
            yield Static(self.text, markup=False)
            yield Input(placeholder="1:30 from its begin, or 14:02:31")

    @on(Input.Submitted)
    def typed(self, event: Input.Submitted) -> None:
        """Go there."""
        self.dismiss(event.value)

    def action_leave(self) -> None:
        """Stay."""
        self.dismiss(None)


class ReplayApp(DeckApp):
    """The deck over something that is played. Its clock is the recording's."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play('toggle')", "play, or stand still", priority=True),
        Binding("left", "play('back')", "ten seconds back", priority=True),
        Binding("right", "play('on')", "ten seconds on", priority=True),
        Binding("left_square_bracket", "play('before')", "the event before", priority=True),
        Binding("right_square_bracket", "play('next')", "the next event", priority=True),
        Binding("less_than_sign,minus", "play('slower')", "slower", priority=True),
        Binding("greater_than_sign,plus", "play('faster')", "faster", priority=True),
        Binding("colon", "play('seek')", "go to a moment", priority=True),
    ]

    def __init__(self, player: Playback, endpoint: str, look: str = theme.DEFAULT) -> None:
        super().__init__(
            player, endpoint, read_only=True, caption=" ", now=player.now, look=look, look_back=player.earlier
        )
        self.player = player
        self.watches = WATCHES
        self._plays: dict[str, Callable[[], None]] = {
            "toggle": player.toggle,
            "back": lambda: player.skip(-SKIP_S),
            "on": lambda: player.skip(SKIP_S),
            "before": lambda: player.jump(-1),
            "next": lambda: player.jump(1),
            "slower": lambda: player.faster(-1),
            "faster": lambda: player.faster(1),
            "seek": self._ask_where,
        }

    def frame(self) -> None:
        """As the deck, with the bar as it is now."""
        self.caption = bar(self.player, self.size.width - 2)
        super().frame()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where somebody types, or reads a sheet, its keys are those of that."""
        if action == "play" and (isinstance(self.focused, Input) or self.screen is not self.deck):
            return False
        return super().check_action(action, parameters)

    def action_play(self, what: str) -> None:
        """A key of the player."""
        self._plays[what]()

    def _ask_where(self) -> None:
        begin, end = (as_text.clock(at) for at in (self.player.begin, self.player.end))

        def typed(text: str | None) -> None:
            if not text:
                return
            try:
                self.player.seek(wanted(text, self.player))
            except BadInput as error:
                self.say(str(error))

        self.push_screen(Seek(f"from {begin} to {end}"), typed)
