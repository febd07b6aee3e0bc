"""A deck over a link of the test's own, with a clock that stands still."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from textual.pilot import Pilot

from tests.recordings.make import MOMENT
from tests.tui.replay import FakeLink
from tui.app import DeckApp
from tui.widgets import chart

OpenDeck = Callable[..., AbstractAsyncContextManager[tuple[DeckApp, Pilot[None]]]]


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clocks on the screen are local time; the tests' is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def open_deck() -> OpenDeck:
    """Opens a deck and waits until it shows all that its link said."""

    chart.load()

    @asynccontextmanager
    async def opened(
        link: FakeLink, at: float = MOMENT, size: tuple[int, int] = (120, 36), **options: object
    ) -> AsyncIterator[tuple[DeckApp, Pilot[None]]]:
        app = DeckApp(link, now=lambda: at, **options)  # type: ignore[arg-type]
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.deck.ready and app.snapshot.seq == (link.told[-1].seq if link.told else 0))
            await shown(app, pilot)
            yield app, pilot

    return opened


async def until(pilot: Pilot[None], holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Let the deck work until something holds; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        await pilot.pause(0.01)


async def shown(app: DeckApp, pilot: Pilot[None]) -> None:
    """Let what was said be painted."""
    app.frame()
    await pilot.pause()
    app.frame()
    await pilot.pause()
