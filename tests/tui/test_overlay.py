"""What stands over the deck goes once, however often it is asked to."""

import pytest
from textual import events
from textual.screen import ModalScreen

from core.state.confirmation import Confirmation
from tests.tui import scenes
from tests.tui.conftest import OpenDeck
from tests.tui.replay import FakeLink
from tui.screens.releases import ReleaseList
from tui.screens.sheet import Sheet
from tui.widgets.confirm import Confirm


@pytest.mark.parametrize(
    ("screen", "key"),
    [
        (lambda: Sheet("keys", ["one"]), "x"),
        (lambda: Confirm(Confirmation("prod", "really?", typed=False)), "y"),
        (lambda: ReleaseList((), 0.0), "escape"),
    ],
    ids=["sheet", "confirm", "releases"],
)
async def test_a_key_that_comes_twice_closes_it_once(open_deck: OpenDeck, screen: object, key: str) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        said: list[object] = []
        shown: ModalScreen[object] = screen()  # type: ignore[operator]
        app.push_screen(shown, said.append)
        await pilot.pause()
        for _ in range(3):
            shown.post_message(events.Key(key, key if len(key) == 1 else None))
            shown.dismiss(None)
        await pilot.pause()
        assert app.screen is app.deck
        assert len(said) == 1
