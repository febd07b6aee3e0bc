"""Keys that ask the link for nothing, or only for a log: what they do to the screen."""

import pytest

from core.state import commands as c
from core.state.events import Event, LoadEnded
from tests.recordings.make import ENDPOINT, MOMENT
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, shown, until
from tests.tui.replay import FakeLink
from tui.actions import ACTIONS
from tui.screens.deck import PANES
from tui.screens.sheet import Sheet
from tui.widgets.log import Log


async def test_a_log_of_the_stage_under_the_cursor(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        await pilot.press("1", *["up"] * 7, "l")
        await shown(app, pilot)
        log = app.deck.query_one(Log)
        assert log.source == "train"
        assert log.full
        assert "best of 20: depth 6" in log.plain
        await pilot.press("escape")
        await shown(app, pilot)
        assert not log.full
        assert log.source == ""


async def test_a_log_of_the_replica_under_the_cursor_is_asked_for(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_ten())
    async with open_deck(link) as (app, pilot):
        await pilot.press("4", "down", "down", "l")
        await until(pilot, lambda: bool(link.asked))
        assert link.asked == [c.Tail(ENDPOINT, "blue-2")]
        assert app.deck.query_one(Log).source == "blue-2"


async def test_a_number_goes_to_its_pane_and_again_opens_it(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        for key, name in PANES.items():
            app.deck.set_focus(None)
            await pilot.press(key)
            assert app.focused is app.deck.pane(name)
            assert app.deck.open is None
            await pilot.press(key)
            assert app.deck.open == name
            await shown(app, pilot)
            assert app.deck.pane(name).outer_size.height == 33
            await pilot.press("escape")
            assert app.deck.open is None


async def test_in_little_room_a_number_opens_its_pane_at_once(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten()), size=(80, 24)) as (app, pilot):
        await pilot.press("5")
        await shown(app, pilot)
        assert app.deck.open == "gates"
        assert "1647 of 4000 requests" in app.deck.pane("gates").plain
        await pilot.press("4")
        await shown(app, pilot)
        assert "blue-8" in app.deck.pane("traffic").plain
        await pilot.press("4")
        assert app.deck.open is None


async def test_m_opens_the_chosen_pane_and_closes_it(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        await pilot.press("2", "m")
        assert app.deck.open == "load"
        await pilot.press("m")
        assert app.deck.open is None


async def test_y_explains_the_chosen_pane(open_deck: OpenDeck) -> None:
    quiet = [e for e in scenes.at_ten() if not getattr(getattr(e.body, "sample", None), "failed", None)]
    link = FakeLink([e for e in quiet if getattr(getattr(e.body, "scaled", None), "before", 8) == 8])
    async with open_deck(link) as (app, pilot):
        for pane, said in (
            ("1", "traffic: running"),
            ("2", "0 of 32,271 requests failed"),
            ("3", "blue 8 → 8"),
            ("4", "blue has restarted ×1: blue-3 ×1"),
            ("5", "is < 5 over 1647 requests"),
            ("6", "no line of the log is a warning or an error"),
        ):
            app.deck.set_focus(None)
            await pilot.press(pane, "y")
            assert isinstance(app.screen, Sheet)
            assert said in "\n".join(app.screen.said)
            await pilot.press("y")
            assert len(app.screen_stack) == 1


async def test_slash_filters_the_log_while_it_is_typed(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        await pilot.press("slash", *"VERIFIED")
        await shown(app, pilot)
        log = app.deck.query_one(Log)
        assert len(log.plain.splitlines()) == 2
        await pilot.press("enter")
        assert app.focused is log
        assert log.words == "VERIFIED"
        await pilot.press("escape")
        assert log.words == ""


async def test_question_mark_shows_every_key_there_is(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink()) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, Sheet)
        said = "\n".join(app.screen.said)
        assert all(action.words in said for action in ACTIONS)


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_palette_finds_a_command_by_its_name(open_deck: OpenDeck, key: str) -> None:
    link = FakeLink(scenes.at_ten())
    async with open_deck(link) as (app, pilot):
        await pilot.press(key)
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"pause")
        await until(pilot, lambda: bool(app.screen.query("#--results OptionList, CommandList")))
        await until(pilot, lambda: bool(getattr(app.screen.query("CommandList").first(), "option_count", 0)))
        await pilot.press("enter")
        await until(pilot, lambda: bool(link.asked))
        assert link.asked == [c.Pause(ENDPOINT)]


async def test_brackets_go_through_the_endpoints(open_deck: OpenDeck) -> None:
    first = scenes.at_ten()
    other = Event(first[-1].seq + 1, MOMENT, "ops", LoadEnded("late-dev", "manual"))
    async with open_deck(FakeLink([*first, other])) as (app, pilot):
        assert app.view.name == "late"
        await pilot.press("right_square_bracket")
        assert app.view.name == "late-dev"
        await pilot.press("left_square_bracket")
        assert app.view.name == "late"


async def test_v_shows_the_other_chart_in_little_room(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten()), size=(80, 24)) as (app, pilot):
        load = app.deck.pane("load")
        before = load.plain
        await pilot.press("v")
        await shown(app, pilot)
        assert load.plain != before
        assert "600" in load.plain


async def test_q_leaves(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
        assert app.return_code == 0


async def test_a_demo_shows_each_key_that_it_presses(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_ten())
    async with open_deck(link, caption="The demo ships a model.") as (app, pilot):
        caption = app.deck.pane("caption")
        assert caption.plain == "The demo ships a model."
        await app.press("R", "takes it back")
        await until(pilot, lambda: bool(link.asked))
        await shown(app, pilot)
        assert caption.plain == " R  takes it back"


async def test_a_key_turns_the_time_that_charts_show(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        assert "-3:00" in app.deck.pane("scaling").plain
        for shown_first in ("-15:00", "-1:00:00"):
            await pilot.press("T")
            await shown(app, pilot)
            assert shown_first in app.deck.pane("scaling").plain
        await pilot.press("T", "E")
        await until(pilot, lambda: len(app.screen_stack) == 2)
