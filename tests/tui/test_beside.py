"""The slots of a release side by side, while a person is asked about one and where somebody wants it."""

import pytest

from core.state import events as ev
from tests.recordings.make import MOMENT, RELEASE
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, shown
from tests.tui.looking import lines, seen
from tests.tui.replay import FakeLink
from tui.styled import width
from tui.widgets import chart
from tui.widgets.beside import SlotCharts, answered, pair
from tui.widgets.load import LoadPane


def test_a_question_shows_each_slot_in_a_row_of_its_own_with_the_limit_drawn_in() -> None:
    chart.load()
    said = lines(LoadPane(), seen(scenes.asked()), 80, 15)
    blue, green = (at for at, line in enumerate(said) if line.startswith(("blue v6", "green v7")))
    assert (blue, green) == (0, 7)
    assert said[0].split() == ["blue", "v6", "377", "rps", "0.3", "%", "errors", "107", "ms", "p95", "8", "replicas"]
    assert said[7].split() == ["green", "v7", "42", "rps", "2.4", "%", "errors", "89", "ms", "p95", "4", "replicas"]
    for row in (said[blue + 1 : green], said[green + 1 : -1]):
        assert sum("╌" in line for line in row) == 1
    assert said[-1] == "3:00 to now · measured by the router · ╌ errors < 5 %, p95 < 2000   c the sum"


@pytest.mark.parametrize("cells", [40, 58, 76, 116, 196])
def test_no_line_is_wider_than_its_room_and_no_curve_lies_over_another(cells: int) -> None:
    chart.load()
    view = seen(scenes.asked())
    slots = pair(view)
    assert slots is not None
    rows = SlotCharts().lines(view, slots, (cells, 13))
    assert len(rows) == 13
    assert max(width(row) for row in rows) <= cells
    for at, row in enumerate(rows[:-1]):
        other = "green" if at < 6 else "blue"
        assert not any(role == f"bar.{other}" for _, role in row)


def test_what_is_old_is_no_figure_of_now() -> None:
    said = lines(LoadPane(), seen(scenes.asked(), MOMENT + 20), 80, 15)
    assert said[0].split() == ["blue", "v6", "–", "rps", "–", "errors", "–", "p95", "8", "replicas"]


def test_before_the_new_slot_has_answered_there_is_nothing_to_compare() -> None:
    assert pair(seen(scenes.served(), MOMENT - 200)) is None
    assert pair(seen(scenes.first())) is None


def test_a_question_sets_no_empty_pictures_side_by_side() -> None:
    view = seen(scenes.asked(), MOMENT)
    slots = pair(view)
    assert slots is not None
    assert answered(view, slots, MOMENT - 60)
    assert not answered(view, slots, MOMENT + 60)


async def test_a_key_turns_to_the_sum_and_the_next_question_to_the_slots(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.asked())
    async with open_deck(link) as (app, pilot):
        load = app.deck.pane("load")
        assert load.plain.startswith("blue v6")
        await pilot.press("c")
        await shown(app, pilot)
        assert "300 users" in load.plain
        await link.tell(*scenes.then(link.told, ev.Answered(RELEASE, scenes.HOLD, True))[-1:])
        await shown(app, pilot)
        assert "300 users" in load.plain
        await pilot.press("c")
        await shown(app, pilot)
        assert load.plain.startswith("blue v6")


async def test_with_one_slot_the_key_says_that_there_is_nothing_to_compare(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.served()), MOMENT - 200) as (app, pilot):
        await pilot.press("c")
        await shown(app, pilot)
        assert "no two slots" in app.deck.query_one("#keys").plain  # type: ignore[attr-defined]
