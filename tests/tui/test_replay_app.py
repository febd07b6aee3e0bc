"""The deck on a recording: the same pictures as when it happened, keys that play it, none that asks for anything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from core.domain.errors import BadInput
from core.engine.player import Player
from tests.recordings.make import ENDPOINT, KEY, MOMENT
from tests.tui import past
from tests.tui.conftest import OpenDeck, shown, until
from tests.tui.replay import FakeLink, recorded
from tui import replay_command
from tui.actions import ACTIONS
from tui.app import DeckApp
from tui.replay_app import ReplayApp, bar, wanted
from tui.widgets import chart
from tui.widgets.bars import Caption, Keys
from tui.widgets.pane import Pane


@asynccontextmanager
async def playing(at: float, size: tuple[int, int] = (120, 36)) -> AsyncIterator[tuple[ReplayApp, Pilot[None]]]:
    """The deck on the canary's recording, standing still at a moment."""
    chart.load()
    player = Player(recorded(), clock=lambda: 0.0)
    player.playing = False
    player.seek(at)
    app = ReplayApp(player, ENDPOINT)
    async with app.run_test(size=size) as pilot:
        await came_to(app, pilot, at)
        yield app, pilot


async def came_to(app: ReplayApp, pilot: Pilot[None], at: float) -> None:
    """Until it shows all that had happened at a moment."""
    last = recorded(until=at)[-1].seq
    await until(pilot, lambda: app.deck.ready and app.snapshot.seq == last)
    assert app.player.now() == pytest.approx(at)
    await shown(app, pilot)


def text(app: DeckApp) -> dict[str, str]:
    """What each pane says."""
    panes = [pane for pane in app.deck.query(Pane) if not isinstance(pane, Keys | Caption)]
    return {pane.id or "": pane.plain for pane in panes}


@pytest.mark.parametrize("at", [MOMENT, KEY + 0.2, KEY + 3])
async def test_it_shows_the_same_as_when_it_happened(open_deck: OpenDeck, at: float) -> None:
    # One line of the screen is the bar's, as it is the caption's there.
    async with open_deck(FakeLink(recorded(until=at)), at=at, endpoint=ENDPOINT, caption="x", read_only=True) as (
        then,
        _,
    ):
        before = text(then)
    async with playing(at) as (app, pilot):
        assert text(app) == before
        await pilot.press("right")
        await came_to(app, pilot, at + 10 if at < KEY else min(at + 10, app.player.end))
        await pilot.press("left")
        await pilot.pause()
        app.player.seek(at)
        await came_to(app, pilot, at)
        assert text(app) == before, "forth and back leads to the same picture"


async def test_keys_play_it_and_the_bar_says_where_it_stands(open_deck: OpenDeck) -> None:
    async with playing(MOMENT) as (app, pilot):
        caption = app.deck.query_one(Caption)
        assert "❚❚ 1x" in caption.plain
        assert "space ←→ [ ] < > :" in caption.plain
        for key, speed in (("greater_than_sign", 2), ("plus", 5), ("less_than_sign", 2), ("minus", 1)):
            await pilot.press(key)
            assert app.player.speed == speed
        await pilot.press("right_square_bracket")
        later = app.player.now()
        assert later > MOMENT
        await pilot.press("left_square_bracket")
        assert app.player.now() < later
        await pilot.press("space")
        assert app.player.playing
        await shown(app, pilot)
        assert "▶ 1x" in caption.plain


async def test_one_goes_to_a_moment_by_typing_it(open_deck: OpenDeck) -> None:
    async with playing(MOMENT) as (app, pilot):
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press(*"1:30", "enter")
        await until(pilot, lambda: app.screen is app.deck)
        assert app.player.now() == app.player.begin + 90
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press("space", *"soon", "enter")
        await until(pilot, lambda: bool(app.deck.query_one(Keys).message))
        assert "is no moment" in app.deck.query_one(Keys).message
        assert not app.player.playing, "a space that is typed plays nothing"


async def test_whatever_asks_for_something_is_refused_in_one_line() -> None:
    async with playing(MOMENT) as (app, pilot):
        keys = app.deck.query_one(Keys)
        for action in ACTIONS:
            if action.asks is None:
                continue
            keys.message = ""
            await app.action_act(action.name)
            await shown(app, pilot)
            assert "this is a recording; it can only be watched" in keys.plain, action.name


@pytest.mark.parametrize("cells", [58, 78, 118, 198])
def test_the_bar_fits(cells: int) -> None:
    player = Player(recorded(), clock=lambda: 0.0)
    for at in (player.begin, MOMENT, player.end):
        player.seek(at)
        said = bar(player, cells)
        assert len(said) <= cells
        assert "●" in said


def test_moments_are_typed_from_its_begin_or_by_the_clock() -> None:
    player = Player(recorded(), clock=lambda: 0.0)
    assert wanted("90", player) == wanted("1:30", player) == player.begin + 90
    assert wanted("14:02:31", player) == MOMENT
    assert wanted("2026-03-12 14:02:31", player) == MOMENT
    with pytest.raises(BadInput, match="is no moment"):
        wanted("later", player)


def test_a_release_and_its_file_are_the_same_recording(tmp_path: Path) -> None:
    project = past.project(tmp_path)
    said: list[str] = []
    path = tmp_path / "r2.qdr"
    assert replay_command.export(project, "r2", path, said.append) == 0
    assert said[0].startswith(f"wrote {path}: ")
    read, here = (replay_command.recorded(name, lambda: project) for name in (str(path), "r2"))
    assert [event.seq for event in read.events] == [event.seq for event in here.events]
    with pytest.raises(BadInput, match="is there already; name another file"):
        replay_command.export(project, "r2", path, said.append)
    with pytest.raises(BadInput, match=r"no\.qdr: no such file; name a release or a recording"):
        replay_command.recorded("no.qdr", lambda: project)
