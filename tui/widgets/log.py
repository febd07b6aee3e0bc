"""Pane 6: what was said, newest last. Filtered by words or by who said it."""

from core.state.snapshot import LogLine
from tui import format as as_text
from tui.output import pasteable
from tui.styled import Line, left
from tui.view import View
from tui.widgets.pane import Pane

LEVELS = {"info": "text", "warning": "waits", "error": "fails"}
SOURCES = {"traffic": "good", "gates": "waits", "asks": "moves", "back": "back"}
SOURCE = 11
BEGINS = "begins"
"""That a stage begins stands in the list of stages; here it would only take room from what was said."""


class Log(Pane):
    """The log of the endpoint.

    `source` names the stage or replica shown alone, `sources` what its lines are under; `words` is the filter.
    """

    NUMBER = "6"

    def __init__(self, **rest: str) -> None:
        super().__init__(**rest)
        self.source = ""
        self.sources: frozenset[str] = frozenset()
        self.words = ""
        self.above = 0

    def parts(self, view: View) -> tuple[object, ...]:
        """The lines, and what is looked for."""
        return (view.log, view.name, self.source, self.words, self.above)

    def name_of(self, view: View) -> str:  # noqa: ARG002
        """With what it is filtered by."""
        return "log" + (f" of {self.source}" if self.source else "") + (f" / {self.words}" if self.words else "")

    def note_of(self, view: View) -> str:  # noqa: ARG002
        """How many lines are below the last one shown."""
        return f"{self.above} newer" if self.above else ""

    def shown(self, view: View) -> list[LogLine]:
        """The lines that pass the filter."""
        needle = self.words.lower()
        tails = view.endpoint.tails if view.endpoint else {}
        return [
            line
            for line in view.log
            if line.endpoint in ("", view.name)
            and (line.source in self.sources if self.source else line.source not in tails and line.text != BEGINS)
            and (not needle or needle in f"{line.source} {line.who} {line.text}".lower())
        ]

    def lines(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """The newest that fit."""
        found = self.shown(view)
        if not found:
            return [((self._nothing(), "dim"),)]
        self.above = max(0, min(self.above, len(found) - height))
        last = len(found) - self.above
        return [self._row(line) for line in found[max(0, last - height) : last]]

    def _nothing(self) -> str:
        if self.words:
            return f"no line has {self.words!r}; escape shows all"
        return f"{self.source} has said nothing yet" if self.source else "nothing has happened yet"

    def _row(self, line: LogLine) -> Line:
        return (
            (as_text.clock(line.at) + " ", "dim"),
            (left(line.source, SOURCE) + " ", SOURCES.get(line.source, "dim")),
            (pasteable(" ".join(line.text.split())), LEVELS[line.level]),
        )

    def move(self, by: int) -> None:
        """Older lines by going up."""
        self.above = max(0, self.above - by)
        if self.view is not None:
            self.look(self.view)

    def why(self, view: View) -> list[str]:
        """The last thing that went wrong."""
        bad = [line for line in self.shown(view) if line.level != "info"]
        said = [f"{as_text.clock(line.at)} {line.source}: {line.text}" for line in bad[-5:]]
        return said or ["no line of the log is a warning or an error"]
