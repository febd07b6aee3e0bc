"""`N` on the deck: a number of replicas, typed, judged while it is typed, agreed to in production."""

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from core.state import commands as c
from core.state.events import Event
from tests.recordings.make import ENDPOINT
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, until
from tests.tui.replay import FakeLink
from tui.app import DeckApp
from tui.widgets.bars import Keys
from tui.widgets.confirm import Confirm
from tui.widgets.scale_dialog import ScaleDialog


async def opens(app: DeckApp, pilot: Pilot[None]) -> None:
    """Press the key and wait for the dialog."""
    await pilot.press("N")
    await until(pilot, lambda: isinstance(app.screen, ScaleDialog))


async def types(app: DeckApp, pilot: Pilot[None], text: str) -> None:
    """Type into the open line, in place of what stands there."""
    app.screen.query_one(Input).value = text
    await pilot.press("enter")


async def test_what_can_not_be_is_said_at_once_and_what_can_is_asked_for(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_maximum())
    async with open_deck(link) as (app, pilot):
        await opens(app, pilot)
        has = str(app.screen.query(Static).first().render())
        assert has.startswith("blue has 8 replicas, 8 ready; its autoscaler stays between 2 and 8")
        for typed, why in (
            ("x", "type a number, such as 4, or a slot and a number, such as green 4"),
            ("9", "blue: its autoscaler stays between 2 and 8 replicas, 9 are outside"),
            ("red 3", "there is no slot red; there is blue, green"),
            ("3", "is under way and may need the 8 replicas of blue"),
            ("8", "it has, or was asked for, 8 already"),
        ):
            await types(app, pilot, typed)
            await until(pilot, lambda why=why: why in str(app.screen.query_one("#wrong", Static).render()))  # type: ignore[misc]
        assert link.asked == []
        await types(app, pilot, "green 5")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert isinstance(app.screen, Confirm)
        assert "→ 5 replicas; green has 10 % of the traffic" in app.screen.asked.text
        await pilot.press(*"prod", "enter")
        await until(pilot, lambda: bool(link.asked))
    assert link.asked == [c.ScaleSlot(ENDPOINT, 5, "green")]


async def test_escape_asks_for_nothing(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_maximum())
    async with open_deck(link) as (app, pilot):
        await opens(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.deck.query_one(Keys).message == "nothing was done")
    assert link.asked == []


@pytest.mark.parametrize(
    ("events", "read_only", "why"),
    [([], False, "nothing is served yet"), (scenes.at_maximum(), True, "this deck only watches")],
)
async def test_where_nothing_can_be_asked_no_dialog_opens(
    open_deck: OpenDeck, events: list[Event], read_only: bool, why: str
) -> None:
    async with open_deck(FakeLink(events), read_only=read_only) as (app, pilot):
        await pilot.press("N")
        await until(pilot, lambda: why in app.deck.query_one(Keys).message)
        assert app.screen is app.deck
