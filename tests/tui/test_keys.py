"""Every key, asked of the real deck: what the link is asked for, or what the screen does."""

import re
import time
from collections.abc import Callable

import pytest
from textual.widgets import Static

from core.domain.errors import BadInput
from core.domain.plan import Plan, Shift
from core.state import commands as c, events as ev
from core.state.events import Event
from tests.recordings.make import ENDPOINT, KEY, MOMENT, PROFILE, RELEASE
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, shown, until
from tests.tui.replay import FakeLink
from tui.actions import ACTIONS, MANUAL
from tui.asking import Prepared
from tui.plan_steps import told
from tui.screens.sheet import keys
from tui.view import View
from tui.widgets.bars import Keys
from tui.widgets.confirm import Confirm
from tui.widgets.pane import Pane
from tui.widgets.verdict import VerdictLine

WATCHED = (list, scenes.asked, scenes.paused, scenes.by_steps, scenes.one_step_on, scenes.returning)


@pytest.mark.parametrize(
    ("scene", "at", "key", "command"),
    [
        (scenes.at_ten, MOMENT, "p", c.Pause(ENDPOINT)),
        (scenes.at_ten, MOMENT, "A", c.Abort(ENDPOINT, MOMENT)),
        (scenes.at_ten, MOMENT, "R", c.Rollback(ENDPOINT, MOMENT)),
        (scenes.at_ten, MOMENT, "w", c.SetLoad(ENDPOINT, change=1)),
        (scenes.at_ten, MOMENT, "s", c.SetLoad(ENDPOINT, change=-1)),
        (scenes.at_ten, MOMENT, "W", c.SetLoad(ENDPOINT, change=10)),
        (scenes.at_ten, MOMENT, "S", c.SetLoad(ENDPOINT, change=-10)),
        (scenes.at_ten, MOMENT, "P", c.SetLoad(ENDPOINT, paused=True)),
        (scenes.at_ten, MOMENT, "X", c.SetLoad(ENDPOINT, stop=True)),
        (scenes.at_ten, MOMENT, "Z", c.SetLoad(ENDPOINT, reset=True)),
        (scenes.at_ten, MOMENT, "plus", c.SetLoad(ENDPOINT, spawn_rate=PROFILE.spawn_rate + 1)),
        (scenes.at_ten, MOMENT, "minus", c.SetLoad(ENDPOINT, spawn_rate=PROFILE.spawn_rate - 1)),
        (scenes.at_ten, MOMENT, "M", c.Pause(ENDPOINT, step_by_step=True)),
        (scenes.served, MOMENT - 200, "w", c.StartLoad(ENDPOINT, MANUAL)),
        (scenes.served, MOMENT - 200, "n", c.Next(ENDPOINT)),
    ],
)
async def test_a_key_asks_the_link_for_one_thing(
    open_deck: OpenDeck, scene: object, at: float, key: str, command: c.Command
) -> None:
    link = FakeLink(scene())  # type: ignore[operator]
    async with open_deck(link, at) as (_, pilot):
        await pilot.press(key)
        await until(pilot, lambda: bool(link.asked))
    (asked,) = link.asked
    when = getattr(asked, "asked_at", None)
    if when is None:
        assert asked == command
    else:
        assert type(asked) is type(command)
        assert at - 1 < when <= at


async def test_the_time_of_a_key_is_when_it_went_down_not_when_its_turn_came(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_ten())
    async with open_deck(link) as (_, pilot):
        pilot.app.simulate_key("R")
        time.sleep(0.05)  # noqa: ASYNC251  the loop is held up: the key waits
        await until(pilot, lambda: bool(link.asked))
    (asked,) = link.asked
    assert isinstance(asked, c.Rollback)
    assert asked.asked_at is not None
    assert 0.045 < MOMENT - asked.asked_at < 2


async def test_undo_in_production_asks_for_the_name_and_then_does_it(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.rolled_back())
    async with open_deck(link, KEY + 5) as (app, pilot):
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press(*"prod", "enter")
        await until(pilot, lambda: bool(link.asked))
    assert isinstance(link.asked[0], c.Undo)


async def test_a_resume_that_moves_traffic_in_production_asks_for_the_name(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.paused())
    async with open_deck(link, MOMENT + 30) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
    assert link.asked == []


@pytest.mark.parametrize(("key", "asked"), [("y", 1), ("enter", 1), ("n", 0), ("escape", 0), ("R", 0)])
async def test_a_rollback_of_the_first_release_says_what_it_does_and_asks_once(
    open_deck: OpenDeck, key: str, asked: int
) -> None:
    link = FakeLink(scenes.first())
    async with open_deck(link) as (app, pilot):
        assert app.deck.query_one(Keys).plain.endswith(" R  takes late DOWN")
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert isinstance(app.screen, Confirm)
        assert app.screen.asked.text == "takes late DOWN: nothing served before it"
        await pilot.press(key)
        await pilot.pause()
        await until(pilot, lambda: len(link.asked) == asked)


async def test_in_production_n_asks_for_the_name_of_the_environment(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.asked())
    async with open_deck(link) as (app, pilot):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press(*"staging", "enter")
        assert isinstance(app.screen, Confirm)
        assert link.asked == []
        await pilot.press(*["backspace"] * 7, *"prod", "enter")
        await until(pilot, lambda: link.asked == [c.Next(ENDPOINT)])


PLAN = Plan("canary", (Shift(10), Shift(100)))


def prepared(production: bool = False) -> Prepared:
    begin = c.Begin(ENDPOINT, "late-0008", "prod" if production else "dev", PLAN, production)
    return Prepared(begin, tuple(told(PLAN)))


async def test_n_on_an_empty_deck_shows_the_plan_and_begins_a_release_after_a_yes(open_deck: OpenDeck) -> None:
    link = FakeLink()
    async with open_deck(link, prepare=lambda _: prepared()) as (app, pilot):
        assert app.deck.query_one(Keys).plain.startswith("n release")
        assert "n begins a release" in app.deck.query_one(VerdictLine).plain
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "traffic   10 %, proved by answers" in str(app.screen.query_one("#plan Static", Static).content)
        assert link.asked == []
        await pilot.press("down", "enter")
        await until(pilot, lambda: link.asked == [prepared().begin])


async def test_in_production_n_begins_nothing_until_the_name_is_typed(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.served())
    async with open_deck(link, MOMENT - 200, (80, 24), prepare=lambda _: prepared(production=True)) as (app, pilot):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        assert link.asked == []
        await pilot.press(*"prod", "enter")
        await until(pilot, lambda: link.asked == [prepared(production=True).begin])


async def test_while_a_release_is_under_way_n_begins_no_other(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.paused())
    async with open_deck(link, MOMENT + 30, prepare=lambda _: prepared()) as (app, pilot):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert isinstance(app.screen, Confirm)
        assert app.screen.plan == ()
    async with open_deck(FakeLink(), prepare=lambda _: prepared(), read_only=True) as (app, _):
        assert "n release" not in app.deck.query_one(Keys).plain


async def test_what_can_not_be_prepared_is_a_line(open_deck: OpenDeck) -> None:
    def prepare(_: str | None) -> Prepared:
        raise BadInput("quarterdeck.yaml: no such column")

    async with open_deck(FakeLink(), prepare=prepare) as (app, pilot):
        await pilot.press("n")
        await until(pilot, lambda: "no such column" in app.deck.query_one(Keys).message)


async def test_escape_leaves_all_as_it_is(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.asked())
    async with open_deck(link) as (app, pilot):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await shown(app, pilot)
        assert "nothing was done" in app.deck.query_one(Keys).plain
    assert link.asked == []


async def test_a_refusal_is_one_line_on_the_screen(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_ten(), refuses="late: late-0007 is on its way back already")
    async with open_deck(link) as (app, pilot):
        await pilot.press("R")
        await until(pilot, lambda: bool(app.deck.query_one(Keys).message))
        await shown(app, pilot)
        assert "on its way back already" in app.deck.query_one(Keys).plain
        assert app.is_running


async def test_a_deck_that_only_watches_asks_for_nothing_and_says_so(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_ten())
    async with open_deck(link, read_only=True) as (app, pilot):
        keys = app.deck.query_one(Keys)
        assert "pause" not in keys.plain
        assert "roll back" not in keys.plain
        asking = [action for action in ACTIONS if action.asks is not None]
        assert len(asking) > 8
        for action in asking:
            keys.message = ""
            await app.action_act(action.name)
            await shown(app, pilot)
            assert "only watches" in keys.plain, action.name
    assert link.asked == []


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
@pytest.mark.parametrize("scene", WATCHED)
async def test_a_deck_that_only_watches_offers_no_key_that_asks_for_something(
    open_deck: OpenDeck, scene: Callable[[], list[Event]], size: tuple[int, int]
) -> None:
    asking = {key for action in ACTIONS if action.asks is not None for key in action.keys}
    async with open_deck(FakeLink(scene()), size=size, read_only=True) as (app, _):
        for pane in app.deck.query(Pane):
            assert not asking & offers(pane, app.view), pane.plain
            assert "waits for you" not in pane.plain.lower()
    async with open_deck(FakeLink(scene()), size=size) as (app, _):
        assert any(asking & offers(pane, app.view) for pane in app.deck.query(Pane))


def offers(pane: Pane, view: View) -> set[str]:
    """The keys that a pane names, by how it draws them and by how it speaks of them."""
    drawn = {piece.strip() for line in pane.lines(view, *pane.content_size) for piece, role in line if "key" in role}
    spoken = re.findall(r"(?i:\bwaits for |\()([nR])\b", pane.plain)
    return {*drawn, *spoken}


async def test_the_footer_has_only_keys_that_do_something_now(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, _):
        assert app.deck.query_one(Keys).plain.startswith("n go on   p pause   A abort   w/s users")
        assert app.deck.query_one(Keys).plain.endswith("R  roll back → v6 · 8/8 ready")
    async with open_deck(FakeLink(scenes.rolled_back()), KEY + 5) as (app, _):
        assert "pause" not in app.deck.query_one(Keys).plain
        assert app.deck.query_one(Keys).plain.endswith("u  undo → v7 · 0:55 left")
    async with open_deck(FakeLink()) as (app, _):
        assert app.deck.query_one(Keys).plain.startswith("m maximise")


async def test_keys_that_come_all_at_once_go_where_a_person_means_them(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_ten())
    async with open_deck(link) as (app, pilot):
        for key in ("4", "down", "l"):
            app.simulate_key(key)
        await until(pilot, lambda: bool(link.asked))
        assert link.asked == [c.Tail(ENDPOINT, "blue-1")]


async def test_the_way_back_works_over_a_sheet(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_ten())
    async with open_deck(link) as (app, pilot):
        await pilot.press("question_mark", "R")
        await until(pilot, lambda: bool(link.asked))
        assert isinstance(link.asked[0], c.Rollback)
        assert len(app.screen_stack) == 1


async def test_a_yes_that_comes_after_the_release_moved_on_does_nothing(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.asked())
    async with open_deck(link) as (app, pilot):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        seq = link.told[-1].seq
        await link.tell(*scenes.then(link.told, ev.StepDone(RELEASE, scenes.HOLD), ev.StepStarted(RELEASE, 11))[-2:])
        await until(pilot, lambda: app.snapshot.seq == seq + 2)
        await pilot.press(*"prod", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await shown(app, pilot)
        assert "moved on meanwhile" in app.deck.query_one(Keys).plain
    assert link.asked == []


def test_no_line_of_the_key_table_is_broken_on_a_screen_of_80_cells() -> None:
    assert [line for line in keys() if len(line) > 68] == []
