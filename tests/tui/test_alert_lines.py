"""Alerts on the deck: bounded, the loudest first, with what comes and in how long."""

import pytest

from core.domain.model import Observation
from core.state import events as ev
from core.state.alert import Alert, AlertState, Topic
from core.state.fold import fold_all
from tests.environments import V1
from tui.alert_lines import MOST, lines, loudest
from tui.history import History
from tui.styled import Line, width
from tui.view import View

NOW = 1000.0
SERVES = ev.Observed("late", Observation("blue", V1, 2, 2, 100.0))
PENDING = Alert("errors", AlertState.PENDING, 940, 940, 1240, "8 %", "rolls back in steps 100 → 50 → 0 %")
FIRED = Alert("availability", AlertState.FIRED, 400, 990, 1890, "98 %", "rolls back at once", topic=Topic.PAGE)
TICKET = Alert("latency", AlertState.FIRED, 100, 990, 1890, "p95 2,400 ms", "told again", topic=Topic.TICKET)
SILENT = Alert("burn-fast", AlertState.SILENCED, 100, 990, 1600, "20x", "nothing, silenced by ada")
OVER = Alert("burn-slow", AlertState.RESOLVED, 100, 990, 990, "0x")


def view(*alerts: Alert, serves: bool = True) -> View:
    facts: list[ev.Body] = [*([SERVES] if serves else []), *(ev.Alerted("late", one) for one in alerts)]
    snapshot = fold_all(ev.Event(seq, NOW, "watch", body) for seq, body in enumerate(facts, 1))
    return View(snapshot, History(), "late", NOW)


def plain(line: Line) -> str:
    return "".join(text for text, _ in line)


def test_each_says_what_it_will_do_and_in_how_long() -> None:
    assert [plain(line) for line in lines(view(PENDING, FIRED, OVER), 80)] == [
        "✖ availability 600 s 98 %".replace("600 s", "10 min"),
        "◔ errors 4:00 then rolls back in steps 100 → 50 → 0 %",
    ]
    assert [plain(line) for line in lines(view(SILENT), 80)] == ["◌ burn-fast 10:00 silenced"]


def test_what_serves_and_was_deleted_where_it_stands_has_its_alerts_on_the_screen() -> None:
    deleted = ev.Observed("late", Observation("blue", None, 0, 0, 0.0))
    facts: list[ev.Body] = [SERVES, ev.Routed("late", {"blue": 100.0}), ev.Alerted("late", PENDING), deleted]
    snapshot = fold_all(ev.Event(seq, NOW, "watch", body) for seq, body in enumerate(facts, 1))
    (line,) = lines(View(snapshot, History(), "late", NOW), 80)
    assert plain(line).startswith("◔ errors 4:00")


def test_what_does_not_fit_goes_on_below_where_lines_are_to_spare() -> None:
    assert [plain(line) for line in lines(view(PENDING), 32, spare=2)] == [
        "◔ errors 4:00 ",
        "  then rolls back in steps 100 →",
        "  50 → 0\N{NO-BREAK SPACE}%",
    ]
    (line,) = lines(view(PENDING), 32, spare=1)
    assert plain(line) == "◔ errors 4:00 then rolls back i…"


def test_they_are_bounded_in_both_directions() -> None:
    shown = lines(view(PENDING, FIRED, TICKET, SILENT), 80)
    assert len(shown) == MOST
    assert plain(shown[-1]) == "and 2 more: quarterdeck alerts"
    for cells in (24, 40, 60):
        assert all(width(line) <= cells for line in lines(view(PENDING, FIRED, TICKET), cells))


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (view(PENDING, TICKET, SILENT, OVER), ""),
        (view(PENDING, FIRED), "✖ alert availability   "),
        (view(FIRED, serves=False), ""),
        (view(), ""),
    ],
)
def test_the_top_line_says_what_fired_and_people_must_look_at(shown: View, said: str) -> None:
    assert plain(loudest(shown)) == said
