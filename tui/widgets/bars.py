"""The lines above and below the panes: where I am, and which keys do something now."""

from tui import format as as_text
from tui.actions import ACTIONS, refused, way_back
from tui.alert_lines import loudest
from tui.evidence import driver, no_answer_s
from tui.health import health
from tui.output import pasteable
from tui.styled import Line, Part, apart, cut, fit, fitting, width as cells_of
from tui.summary import on_its_way
from tui.view import View
from tui.widgets.pane import Pane

RARE = ("leave", "filter", "why", "maximise", "logs", "more", "help")
"""What leaves the footer first where there is little room."""
GAP: Line = (("   ", "text"),)
SHORT_NAME = 16
"""A long name is cut in the top line, for where it is belongs to it; whole it stands above the slots."""
NO_CLOCK = 72
"""On a narrower screen the time of day leaves the top line: which environment it is matters more."""
GOING = 28
"""So many cells of what is on its way stand before the name of this program does."""


def bears_on_health(view: View) -> tuple[object, ...]:
    """Nearly everything bears on the service's health, and a line costs little."""
    endpoint = view.endpoint
    series = [view.series(slot) for slot in (endpoint.slots if endpoint else ())]
    # The rule of no answer goes by the clock: it comes true between two samples, and between two ticks.
    mute = no_answer_s(view) is not None
    return (view.release, endpoint, view.series(None), view.lost, mute, view.hangs_s, *series)


class Top(Pane, can_focus=False):
    """Where I am, whether the service is well, what is on its way, and what time it is."""

    TICKS = True

    def parts(self, view: View) -> tuple[object, ...]:
        """What the service's health depends on."""
        return bears_on_health(view)

    def lines(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """One line. Where there is little room the health of the service stays longest."""
        well = health(view)
        going: Line = ((f"! {view.lost}", "fails"),) if view.lost else on_its_way(view)
        alert: Line = () if view.lost else loudest(view)
        clock: Line = ((as_text.clock(view.now), "dim"),) if width >= NO_CLOCK else ()
        needed = cells_of(well) + 3 + min(cells_of(going) + cells_of(_hangs(view)), GOING) + 4
        left = max(0, width - needed - cells_of(clock))
        where = fitting(_where(view, max(SHORT_NAME, width // 5), left), left)
        room = width - cells_of(where) - cells_of(clock) - 2 * bool(where) - 2 * bool(clock)
        return [_three(where, _middle(view, well, alert, going, room), clock, width)]


def _middle(view: View, well: Line, alert: Line, going: Line, cells: int) -> Line:
    """The service, what alerts, what is on its way: each leaves as a whole, and what goes on after what only ended."""
    live = view.release is not None and view.release.live
    kept = going
    while kept and kept[-1][1] == "dim":
        kept = kept[:-1]
    return fitting(
        [
            (0, well[:2]),
            (4, well[2:]),
            (0, GAP),
            (0, _hangs(view)),
            (3 if live else 1, alert),
            (1 if live else 3, kept),
            (5, going[len(kept) :]),
        ],
        cells,
    )


def _hangs(view: View) -> Line:
    """That nothing goes further, before where it stands."""
    if view.hangs_s is None:
        return ()
    return ((f"! {driver(view)} hangs for {as_text.about(view.hangs_s)}", "fails"), ("   ", "text"))


def _where(view: View, cells: int, room: int) -> list[Part]:
    """Where I am: the name of the endpoint leaves last, in so many cells; of a place stands as much as has room."""
    endpoint = view.endpoint
    if endpoint is None:
        return [(3, (("quarterdeck", "brand"),))]
    role = "env.production" if endpoint.production else "env.other"
    environment: Line = ((" · ", "dim"), (endpoint.environment, role)) if endpoint.environment else ()
    # Of another place it must be seen which it is; this machine goes without saying.
    name: Line = ((cut(endpoint.name, cells), "strong"),)
    kept = room - cells_of(name) - cells_of(environment)
    places: list[Line] = [((f" · {place}", "dim"),) for place in _places(view, endpoint.target)]
    return [
        (4 if view.elsewhere else 3, (("quarterdeck  ", "brand"),)),
        (1, name),
        (2, environment),
        (3 if view.elsewhere else 4, next((one for one in places if cells_of(one) <= kept), places[-1])),
        (5, ((f" · {view.account}", "dim"),) if view.account else ()),
    ]


def _places(view: View, target: str) -> list[str]:
    """A place in ever fewer words: without its kind, and without the first of three names."""
    if not view.elsewhere:
        return [target]
    rest = view.elsewhere.partition("/")[2]
    return [target, view.elsewhere, rest if "/" in rest else view.elsewhere]


def _three(one: Line, two: Line, three: Line, cells: int) -> Line:
    """Left, middle and right in a line; the middle stands in the same place whatever its length."""
    between, after = 2 if one else 0, 2 if three else 1
    room = cells - cells_of(one) - cells_of(three) - between - after
    while cells_of(two) > room and two and two[-1][1] == "dim":
        two = two[:-1]
    middle = fit(two, max(0, room))
    start = max(cells_of(one) + between, min(cells * 44 // 100, cells - cells_of(three) - cells_of(middle) - after))
    return apart((*one, (" " * (start - cells_of(one)), "text"), *middle), three, cells)


class Keys(Pane, can_focus=False):
    """The footer: keys that would do something now, and the way back at its right end. A message takes its place."""

    TICKS = True

    def __init__(self, **rest: str) -> None:
        super().__init__(**rest)
        self.message = ""
        self.until = 0.0

    def parts(self, view: View) -> tuple[object, ...]:
        """What decides which keys work."""
        endpoint = view.endpoint
        return (view.release, endpoint and endpoint.slots, endpoint and endpoint.load, self.message)

    def say(self, text: str, until: float) -> None:
        """A line in the footer's place for a while."""
        self.message, self.until = pasteable(" ".join(text.split())), until

    def lines(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """Keys at the left, the way back at the right."""
        if self.message and view.now > self.until:
            self.message = ""
        end = self._end(view)
        if self.message:
            return [apart(((f"▸ {self.message}", "waits"),), end, width)]
        return [apart(self._keys(view, width - cells_of(end) - 2), end, width)]

    def _keys(self, view: View, room: int) -> Line:
        working = [
            (action, word)
            for action in ACTIONS
            if action.foot is not None and (word := action.foot(view)) and refused(action, view) is None
        ]
        items = [
            (action.name, ((action.foot_key or action.key, "key"), (f" {word}   ", "dim"))) for action, word in working
        ]
        for name in RARE:
            if sum(cells_of(item) for _, item in items) <= room:
                break
            items = [(other, item) for other, item in items if other != name]
        while items and sum(cells_of(item) for _, item in items) > room:
            items.pop()
        return tuple(piece for _, item in items for piece in item)

    def _end(self, view: View) -> Line:
        back = way_back(view)
        if not back.key:
            return ((back.text, "dim"),)
        return ((f" {back.key} ", "back-key"), (f" {back.text}", "back"))


class Caption(Pane, can_focus=False):
    """What the demo presses, and why. Only in the demo."""

    def __init__(self, **rest: str) -> None:
        super().__init__(**rest)
        self.key = ""
        self.words = ""

    def parts(self, view: View) -> tuple[object, ...]:
        """The key and its words."""
        return (self.key, self.words, view.caption)

    def lines(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """The key as a key, then what it is pressed for."""
        words = self.words or view.caption
        return [((f" {self.key} ", "shown"), (f" {words}", "text")) if self.key else ((words, "text"),)]
