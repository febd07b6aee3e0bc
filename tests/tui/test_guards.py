"""One error in the deck costs one line, never the deck; text of others is text."""

import logging
from collections.abc import AsyncIterator

import pytest
from rich.segment import Segment

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.model import Noted, Observation, Replica, ReplicaState, Version
from core.state import commands as c, events as ev
from core.state.events import Event
from tests.recordings.make import ENDPOINT, MOMENT, RELEASE
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, shown, until
from tests.tui.replay import FakeLink
from tui.screens.sheet import Sheet
from tui.view import View
from tui.widgets.bars import Keys, Top
from tui.widgets.gates import Gates
from tui.widgets.load import LoadPane
from tui.widgets.pane import Pane
from tui.widgets.stages import Stages

EVIL = "[red]no[/red] [link=x]\x1b[2J\x1b]0;title\x07 \u202eright to left\u202c \x9b31m [/]"


@pytest.fixture(autouse=True)
def _heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test of this process may have sent the log to a file of its own."""
    monkeypatch.setattr(logging.getLogger("quarterdeck"), "propagate", True)


async def test_a_pane_that_cannot_be_drawn_says_so_and_the_others_go_on(
    open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("math domain error")

    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        with caplog.at_level(logging.ERROR, "quarterdeck"), monkeypatch.context() as patch:
            patch.setattr(LoadPane, "lines", broken)
            app.deck.pane("load").redraw()
            await shown(app, pilot)
            app.deck.pane("load").redraw()
            await shown(app, pilot)
        assert app.deck.pane("load").plain == "! this pane could not be drawn: ValueError; see quarterdeck.log"
        assert "healthy v6" in app.deck.query_one(Top).plain
        assert [record.message for record in caplog.records] == ["pane LoadPane could not be drawn"]
        app.deck.pane("load").redraw()
        await shown(app, pilot)
        assert "users" in app.deck.pane("load").plain


async def test_a_frame_that_fails_is_told_once_and_the_next_one_comes(
    open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: View) -> None:
        raise KeyError("pane")

    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        with caplog.at_level(logging.ERROR, "quarterdeck"), monkeypatch.context() as patch:
            patch.setattr(app.deck, "look", broken)
            app.frame()
            app.frame()
            await pilot.pause()
        assert [record.message for record in caplog.records] == ["a frame could not be shown"]
        await shown(app, pilot)
        assert app.is_running


async def test_a_key_that_fails_is_a_line(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tui.asking.confirmation", broken)
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        await pilot.press("p")
        await shown(app, pilot)
        assert "p: ZeroDivisionError; see quarterdeck.log" in app.deck.query_one(Keys).plain
        assert app.is_running


async def test_a_why_that_fails_is_a_line_of_its_sheet(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[str]:
        raise IndexError

    monkeypatch.setattr(Gates, "why", broken)
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        await pilot.press("5", "y")
        assert isinstance(app.screen, Sheet)
        assert app.screen.said == ("this could not be explained: IndexError; see quarterdeck.log",)


class Breaks(FakeLink):
    """A link that breaks in a way nobody thought of."""

    async def events(self, after: int | None = None) -> AsyncIterator[Event]:
        """What was told, then an error that is none of ours."""
        for event in self.told:
            if event.seq > (after or 0):
                yield event
        raise ValueError("not a number")

    async def do(self, command: c.Command) -> None:
        """Nothing can be asked either."""
        raise ValueError("not a number")


async def test_following_that_breaks_is_said_and_begins_again(
    open_deck: OpenDeck, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, "quarterdeck"):
        async with open_deck(Breaks(scenes.at_ten())) as (app, pilot):
            await until(pilot, lambda: app.follower.lost != "")
            await shown(app, pilot)
            said = app.deck.query_one(Top).plain
            assert "ValueError; see quarterdeck.log" in said
            assert "healthy" not in said
            await pilot.press("p")
            await until(pilot, lambda: bool(app.asking.refusals))
            assert app.asking.refusals[0].why == "pause: ValueError; see quarterdeck.log"


def evil() -> list[Event]:
    """Text of others everywhere that others can write."""
    replica = Replica(EVIL, ReplicaState.BACKOFF, why=EVIL)
    verdict = Verdict(Gate("p95_ms", "<", 2000.0), GateResult.FAIL, 2311.0, EVIL)
    return scenes.then(
        scenes.at_ten(),
        ev.Logged(ENDPOINT, EVIL, EVIL),
        ev.Remarked(ENDPOINT, Noted(EVIL, source=EVIL)),
        ev.Observed(ENDPOINT, Observation("blue", Version(EVIL, EVIL), 2, 1, 90.0, (replica,), why=EVIL)),
        ev.Judged(RELEASE, scenes.HOLD, (verdict,)),
        ev.Asked(RELEASE, scenes.HOLD, EVIL, MOMENT + 9),
        ev.StepMoved(RELEASE, scenes.HOLD, EVIL),
        ev.LoadStarted(ENDPOINT, EVIL, scenes.ONE_USER, EVIL, EVIL),
        ev.Drove(ENDPOINT, EVIL),
        ev.Opened(ENDPOINT, EVIL, EVIL, EVIL),
    )


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_text_of_others_is_never_markup_and_never_moves_the_cursor(
    open_deck: OpenDeck, size: tuple[int, int]
) -> None:
    async with open_deck(FakeLink(evil()), size=size) as (app, pilot):
        for key in ("1", "2", "3", "4", "5", "6"):
            app.deck.show(app.deck.pane({"4": "traffic"}.get(key, "log")).id)
            await shown(app, pilot)
            for pane in app.deck.query(Pane):
                said = [piece.text for y in range(pane.content_size.height) for piece in _pieces(pane, y)]
                assert all(text.isprintable() for text in said), said
                assert pane.broken == ""
        assert "[red]no[/red]" in app.deck.pane("log").plain
        app.deck.show(None)
        app.deck.set_focus(app.deck.query_one(Stages))
        await pilot.press("4", "y")
        assert isinstance(app.screen, Sheet)
        assert any("[red]no[/red]" in line for line in app.screen.said)
        await pilot.press("x")
        assert app.is_running


def _pieces(pane: Pane, y: int) -> list[Segment]:
    return list(pane.render_line(y))
