"""Every key, asked of the real deck: what the link is asked for, or what the screen does."""

import time

import pytest

from core import commands as c
from core.events import Event, LoadEnded
from tests.recordings.make import ENDPOINT, KEY, MOMENT
from tests.tui import scenes
from tests.tui.conftest import Board, shown, until
from tests.tui.replay import FakeLink
from tui.actions import ACTIONS, MANUAL
from tui.screens.deck import PANES
from tui.screens.sheet import Sheet
from tui.widgets.bars import Keys
from tui.widgets.confirm import Confirm
from tui.widgets.log import Log


@pytest.mark.parametrize(
    ("scene", "at", "key", "command"),
    [
        (scenes.at_ten, MOMENT, "p", c.Pause(ENDPOINT)),
        (scenes.at_ten, MOMENT, "a", c.Abort(ENDPOINT, MOMENT)),
        (scenes.at_ten, MOMENT, "R", c.Rollback(ENDPOINT, MOMENT)),
        (scenes.rolled_back, KEY + 5, "u", c.Undo(ENDPOINT, KEY + 5)),
        (scenes.at_ten, MOMENT, "w", c.SetLoad(ENDPOINT, change=1)),
        (scenes.at_ten, MOMENT, "s", c.SetLoad(ENDPOINT, change=-1)),
        (scenes.at_ten, MOMENT, "W", c.SetLoad(ENDPOINT, change=10)),
        (scenes.at_ten, MOMENT, "S", c.SetLoad(ENDPOINT, change=-10)),
        (scenes.served, MOMENT - 200, "w", c.StartLoad(ENDPOINT, MANUAL)),
        (scenes.served, MOMENT - 200, "n", c.Next(ENDPOINT)),
    ],
)
async def test_a_key_asks_the_link_for_one_thing(
    board: Board, scene: object, at: float, key: str, command: c.Command
) -> None:
    link = FakeLink(scene())  # type: ignore[operator]
    async with board(link, at) as (_, pilot):
        await pilot.press(key)
        await until(pilot, lambda: bool(link.asked))
    (asked,) = link.asked
    when = getattr(asked, "asked_at", None)
    if when is None:
        assert asked == command
    else:
        assert type(asked) is type(command)
        assert at - 1 < when <= at


async def test_the_time_of_a_key_is_when_it_went_down_not_when_its_turn_came(board: Board) -> None:
    link = FakeLink(scenes.at_ten())
    async with board(link) as (_, pilot):
        pilot.app.simulate_key("R")
        time.sleep(0.05)  # noqa: ASYNC251  the loop is held up: the key waits
        await until(pilot, lambda: bool(link.asked))
    (asked,) = link.asked
    assert isinstance(asked, c.Rollback)
    assert asked.asked_at is not None
    assert 0.045 < MOMENT - asked.asked_at < 2


async def test_in_production_n_asks_for_the_name_of_the_environment(board: Board) -> None:
    link = FakeLink(scenes.asked())
    async with board(link) as (app, pilot):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press(*"staging", "enter")
        assert isinstance(app.screen, Confirm)
        assert link.asked == []
        await pilot.press(*["backspace"] * 7, *"prod", "enter")
        await until(pilot, lambda: link.asked == [c.Next(ENDPOINT)])


async def test_escape_leaves_all_as_it_is(board: Board) -> None:
    link = FakeLink(scenes.asked())
    async with board(link) as (app, pilot):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await shown(app, pilot)
        assert "nothing was done" in app.deck.query_one(Keys).plain
    assert link.asked == []


async def test_a_refusal_is_one_line_on_the_screen(board: Board) -> None:
    link = FakeLink(scenes.at_ten(), refuses="late: late-0007 is on its way back already")
    async with board(link) as (app, pilot):
        await pilot.press("R")
        await until(pilot, lambda: bool(app.deck.query_one(Keys).message))
        await shown(app, pilot)
        assert "on its way back already" in app.deck.query_one(Keys).plain
        assert app.is_running


async def test_a_deck_that_only_watches_asks_for_nothing_and_says_so(board: Board) -> None:
    link = FakeLink(scenes.at_ten())
    async with board(link, read_only=True) as (app, pilot):
        keys = app.deck.query_one(Keys)
        assert "pause" not in keys.plain
        assert "roll back" not in keys.plain
        for key in ("n", "p", "a", "R", "u", "w", "s", "W", "S"):
            keys.message = ""
            await pilot.press(key)
            await shown(app, pilot)
            assert "only watches" in keys.plain
    assert link.asked == []


async def test_the_footer_has_only_keys_that_do_something_now(board: Board) -> None:
    async with board(FakeLink(scenes.at_ten())) as (app, _):
        assert app.deck.query_one(Keys).plain.startswith("n go on   p pause   a abort   w/s users")
        assert app.deck.query_one(Keys).plain.endswith("R  roll back → v6 · 8/8 ready")
    async with board(FakeLink(scenes.rolled_back()), KEY + 5) as (app, _):
        assert "pause" not in app.deck.query_one(Keys).plain
        assert app.deck.query_one(Keys).plain.endswith("u  undo → v7 · 0:55 left")
    async with board(FakeLink()) as (app, _):
        assert app.deck.query_one(Keys).plain.startswith("m maximise")


async def test_a_log_of_the_stage_under_the_cursor(board: Board) -> None:
    async with board(FakeLink(scenes.at_ten())) as (app, pilot):
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


async def test_a_log_of_the_replica_under_the_cursor_is_asked_for(board: Board) -> None:
    link = FakeLink(scenes.at_ten())
    async with board(link) as (app, pilot):
        await pilot.press("4", "down", "down", "l")
        await until(pilot, lambda: bool(link.asked))
        assert link.asked == [c.Tail(ENDPOINT, "blue-2")]
        assert app.deck.query_one(Log).source == "blue-2"


async def test_a_number_goes_to_its_pane_and_again_opens_it(board: Board) -> None:
    async with board(FakeLink(scenes.at_ten())) as (app, pilot):
        for key, name in PANES.items():
            app.deck.set_focus(None)
            await pilot.press(key)
            assert app.focused is app.deck.pane(name)
            assert app.deck.open is None
            await pilot.press(key)
            assert app.deck.open == name
            await shown(app, pilot)
            assert app.deck.pane(name).outer_size.height == 34
            await pilot.press("escape")
            assert app.deck.open is None


async def test_in_little_room_a_number_opens_its_pane_at_once(board: Board) -> None:
    async with board(FakeLink(scenes.at_ten()), size=(80, 24)) as (app, pilot):
        await pilot.press("5")
        await shown(app, pilot)
        assert app.deck.open == "gates"
        assert "1647 of 4000 requests" in app.deck.pane("gates").plain
        await pilot.press("4")
        await shown(app, pilot)
        assert "blue-8" in app.deck.pane("traffic").plain
        await pilot.press("4")
        assert app.deck.open is None


async def test_m_opens_the_chosen_pane_and_closes_it(board: Board) -> None:
    async with board(FakeLink(scenes.at_ten())) as (app, pilot):
        await pilot.press("2", "m")
        assert app.deck.open == "load"
        await pilot.press("m")
        assert app.deck.open is None


async def test_y_explains_the_chosen_pane(board: Board) -> None:
    quiet = [e for e in scenes.at_ten() if not getattr(getattr(e.body, "sample", None), "failed", None)]
    link = FakeLink([e for e in quiet if getattr(getattr(e.body, "scaled", None), "before", 8) == 8])
    async with board(link) as (app, pilot):
        for pane, said in (
            ("1", "traffic: running"),
            ("2", "nothing failed in the last minute"),
            ("3", "blue 8 → 8"),
            ("4", "all replicas are as they should be"),
            ("5", "is < 5 over 1647 requests"),
            ("6", "nothing went wrong"),
        ):
            app.deck.set_focus(None)
            await pilot.press(pane, "y")
            assert isinstance(app.screen, Sheet)
            assert said in "\n".join(app.screen.said)
            await pilot.press("y")
            assert len(app.screen_stack) == 1


async def test_slash_filters_the_log_while_it_is_typed(board: Board) -> None:
    async with board(FakeLink(scenes.at_ten())) as (app, pilot):
        await pilot.press("slash", *"VERIFIED")
        await shown(app, pilot)
        log = app.deck.query_one(Log)
        assert len(log.plain.splitlines()) == 2
        await pilot.press("enter")
        assert app.focused is log
        assert log.words == "VERIFIED"
        await pilot.press("escape")
        assert log.words == ""


async def test_question_mark_shows_every_key_there_is(board: Board) -> None:
    async with board(FakeLink()) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, Sheet)
        said = "\n".join(app.screen.said)
        assert all(action.words in said for action in ACTIONS)


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_palette_finds_a_command_by_its_name(board: Board, key: str) -> None:
    link = FakeLink(scenes.at_ten())
    async with board(link) as (app, pilot):
        await pilot.press(key)
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"pause")
        await until(pilot, lambda: bool(app.screen.query("#--results OptionList, CommandList")))
        await until(pilot, lambda: bool(getattr(app.screen.query("CommandList").first(), "option_count", 0)))
        await pilot.press("enter")
        await until(pilot, lambda: link.asked == [c.Pause(ENDPOINT)])


async def test_brackets_go_through_the_endpoints(board: Board) -> None:
    first = scenes.at_ten()
    other = Event(first[-1].seq + 1, MOMENT, "ops", LoadEnded("late-dev", "manual"))
    async with board(FakeLink([*first, other])) as (app, pilot):
        assert app.view.name == "late"
        await pilot.press("right_square_bracket")
        assert app.view.name == "late-dev"
        await pilot.press("left_square_bracket")
        assert app.view.name == "late"


async def test_v_shows_the_other_chart_in_little_room(board: Board) -> None:
    async with board(FakeLink(scenes.at_ten()), size=(80, 24)) as (app, pilot):
        load = app.deck.pane("load")
        before = load.plain
        await pilot.press("v")
        await shown(app, pilot)
        assert load.plain != before
        assert "600" in load.plain


async def test_q_leaves(board: Board) -> None:
    async with board(FakeLink(scenes.at_ten())) as (app, pilot):
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)


async def test_a_demo_shows_each_key_that_it_presses(board: Board) -> None:
    link = FakeLink(scenes.at_ten())
    async with board(link, lead="The demo ships a model.") as (app, pilot):
        caption = app.deck.pane("caption")
        assert caption.plain == "The demo ships a model."
        await app.press("R", "takes it back")
        await until(pilot, lambda: bool(link.asked))
        await shown(app, pilot)
        assert caption.plain == " R  takes it back"


async def test_keys_that_come_all_at_once_go_where_a_person_means_them(board: Board) -> None:
    link = FakeLink(scenes.at_ten())
    async with board(link) as (app, pilot):
        for key in ("4", "down", "l"):
            app.simulate_key(key)
        await until(pilot, lambda: bool(link.asked))
        assert link.asked == [c.Tail(ENDPOINT, "blue-1")]
