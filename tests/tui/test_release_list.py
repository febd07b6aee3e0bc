"""`e`: all releases in a list; one is left for, none is asked for anything, and `R` goes back from here too."""

from textual.widgets import OptionList

from core.state import commands as c
from tests.recordings.make import RELEASE
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, until
from tests.tui.replay import FakeLink
from tui.screens.releases import ReleaseList
from tui.widgets.bars import Keys


async def test_a_release_is_chosen_and_the_deck_is_left_for_it(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        app.opens = True
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ReleaseList) and bool(app.screen.query(OptionList)))
        assert isinstance(app.screen, ReleaseList)
        assert [name for name, _ in app.screen.rows] == [RELEASE]
        assert "v7    under way" in app.screen.rows[0][1]
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.opened is not None)
        assert app.opened == RELEASE


async def test_it_closes_without_a_choice_and_goes_back_at_once(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_ten())
    async with open_deck(link) as (app, pilot):
        app.opens = True
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ReleaseList))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.deck)
        assert app.opened is None
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ReleaseList))
        await pilot.press("R")
        await until(pilot, lambda: bool(link.asked))
        assert isinstance(link.asked[0], c.Rollback)


async def test_where_none_can_be_opened_it_says_so(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        await pilot.press("e")
        await until(pilot, lambda: bool(app.deck.query_one(Keys).message))
        assert "no other release can be opened from here" in app.deck.query_one(Keys).message
