"""A pane: lines over a part of the snapshot, drawn again only when that part is another one."""

import logging
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.styled import Line, cut, padded, strip
from tui.theme import DEFAULT, Palette, load
from tui.view import View

log = logging.getLogger("quarterdeck")


class Pane(Widget, can_focus=True):
    """What all panes share. A pane says what it depends on (`parts`), whether it shows time, and its lines."""

    NUMBER: ClassVar[str] = ""
    TICKS: ClassVar[bool] = False
    CHARTS: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = []

    palette: Palette
    folded = False
    narrow = False
    full = False

    def __init__(self, **rest: str) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self.palette = load(DEFAULT)
        self.view: View | None = None
        self.cursor: int | None = None
        self._seen: tuple[object, ...] = ()
        self._tick: tuple[object, ...] = ()
        self._lines: list[Line] = []
        self._names = ("", "")
        self.broken = ""

    def parts(self, view: View) -> tuple[object, ...]:
        """The parts of the snapshot that the pane shows; compared by identity."""
        raise NotImplementedError

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """What the pane shows in so many cells."""
        raise NotImplementedError

    def name_of(self, view: View) -> str:  # noqa: ARG002
        """The pane's title."""
        return type(self).__name__.lower()

    def note_of(self, view: View) -> str:  # noqa: ARG002
        """What stands at the lower right edge."""
        return ""

    def why(self, view: View) -> list[str]:  # noqa: ARG002
        """What `y` explains here."""
        return []

    def look(self, view: View) -> None:
        """Show another view; costs next to nothing when the pane's parts are the same.

        A pane that can't be drawn says so in a line, and the others go on.
        """
        self.view = view
        try:
            self._look(view)
        except Exception as error:
            self._fail(error)

    def explain(self, view: View) -> list[str]:
        """What `y` explains here, or that it can't be explained."""
        try:
            return self.why(view)
        except Exception as error:
            log.exception("pane %s: why", type(self).__name__)
            return [f"this could not be explained: {type(error).__name__}; see quarterdeck.log"]

    def _fail(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        # The same error comes at each frame; it is told once.
        if said != self.broken:
            log.error("pane %s could not be drawn", type(self).__name__, exc_info=error)
        self.broken = said
        text = f"! this pane could not be drawn: {type(error).__name__}; see quarterdeck.log"
        self._draw(padded([((text, "fails"),)], self.content_size.height), self.content_size.width)

    def _look(self, view: View) -> None:
        seen = self.parts(view)
        width, height = self.content_size
        moved = (int(view.now) if self.TICKS else 0, view.end if self.CHARTS else 0.0)
        tick = (
            *moved,
            width,
            height,
            self.full,
            self.folded,
            self.narrow,
            self.cursor,
            self.has_focus,
        )
        same = len(seen) == len(self._seen) and all(one is two for one, two in zip(seen, self._seen, strict=True))
        if same and tick == self._tick:
            return
        self._seen, self._tick = seen, tick
        self._entitle(view)
        self._draw(padded(self.lines(view, width, height), height), width)
        self.broken = ""

    def redraw(self, palette: Palette | None = None) -> None:
        """Draw all of it again, in another theme if one is given."""
        self.palette = palette or self.palette
        self._seen, self._tick, self._lines = (), (), []
        self.refresh()
        if self.view is not None:
            self.look(self.view)

    def _entitle(self, view: View) -> None:
        # The border takes two cells at each end, and a blank at each side of the text.
        room = max(1, self.outer_size.width - 6)
        note = self.note_of(view)
        # What stands first in a note says least: it leaves as a whole before the rest is cut.
        while cell_len(note) > room and " · " in note:
            note = note.partition(" · ")[2]
        names = (cut(f"{self.NUMBER} {self.name_of(view)}".strip(), room), cut(note, room))
        if names != self._names:
            self._names = names
            self.border_title = Content(names[0])
            self.border_subtitle = Content(names[1]) if names[1] else None

    def _draw(self, lines: list[Line], width: int) -> None:
        before, self._lines = self._lines, lines
        changed = [y for y, line in enumerate(lines) if y >= len(before) or before[y] != line]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """One line, as Textual asks for it."""
        width = self.content_size.width
        return (
            strip(self._lines[y], width, self.palette)
            if y < len(self._lines)
            else Strip.blank(width, self.palette.style("text"))
        )

    @property
    def plain(self) -> str:
        """What the pane says, without colours."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._lines).rstrip()

    def on_resize(self, _: events.Resize) -> None:
        """More or less room: draw again."""
        self.redraw()

    def watch_has_focus(self, _has_focus: bool) -> None:
        """A cursor shows only where the keys go."""
        super().watch_has_focus(_has_focus)
        if self.view is not None:
            self.look(self.view)
