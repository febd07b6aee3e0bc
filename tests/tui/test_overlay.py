"""What stands over the deck goes once, however often it is asked to."""

import pytest
from textual import events
from textual.screen import ModalScreen

from core.state.confirmation import Confirmation
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, until
from tests.tui.replay import FakeLink
from tui.screens import sheet
from tui.screens.releases import ReleaseList
from tui.screens.sheet import Sheet
from tui.widgets.confirm import Confirm


@pytest.mark.parametrize(
    ("screen", "key"),
    [
        (lambda: Sheet(lambda: "keys", lambda: ["one"]), "x"),
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


async def test_a_sheet_that_stays_open_says_what_is(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "LOOK_S", 0.05)
    events = scenes.at_ten()
    link = FakeLink(events)
    async with open_deck(link) as (app, pilot):
        await pilot.press("4", "y")
        shown = app.screen
        assert isinstance(shown, Sheet)
        await until(pilot, lambda: any("10 %" in line for line in shown.said))
        before = shown.said
        await link.tell(*scenes.rolled_back()[len(events) :])
        await until(pilot, lambda: shown.said != before)
        assert not any("10 %" in line for line in shown.said)
