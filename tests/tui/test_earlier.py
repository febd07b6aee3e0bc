"""An hour of charts: what no snapshot keeps is read from where it is written down."""

from collections.abc import Sequence
from dataclasses import replace

from core.domain.errors import JournalError
from core.domain.model import Observation
from core.state import events as ev
from core.state.events import Event
from tests.recordings.make import ENDPOINT, LIVE, MOMENT
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, shown, until
from tests.tui.looking import seen
from tests.tui.replay import FakeLink
from tui.earlier import earlier
from tui.widgets.bars import Keys
from tui.widgets.load import LoadPane
from tui.widgets.scaling import Scaling

AGO_S = 3000
"""So long ago, long before the recording, there was load for ten minutes."""


def long_ago() -> list[Event]:
    """What was counted then, and how many replicas were ready."""
    begin = MOMENT - AGO_S
    ready = Event(0, begin, "target", ev.Observed(ENDPOINT, Observation("blue", LIVE, 3, 3, 100.0)))
    return [
        ready,
        *(
            Event(0, body.sample.at, "load", body)
            for body in scenes.clients(begin, 600, 50)
            if isinstance(body, ev.Sampled)
        ),
    ]


def test_charts_of_an_hour_go_on_from_what_is_read_to_what_is_kept() -> None:
    view = replace(seen(scenes.at_ten()), stretch_s=3600.0, earlier=earlier([*long_ago(), *scenes.at_ten()]))
    kept = view.series(None).samples
    charted = view.charted(None)
    assert charted[-len(kept) :] == kept
    assert len(charted) == 600 + len(kept)
    assert [sample.at for sample in charted] == sorted({sample.at for sample in charted})
    assert view.charted_points[0].ready == 3
    assert replace(view, stretch_s=None).charted(None) is kept


async def test_the_key_reads_an_hour_and_draws_it(open_deck: OpenDeck) -> None:
    asked: list[float] = []

    def read(begin: float, end: float) -> Sequence[Event]:
        asked.append(end - begin)
        return [event for event in long_ago() if event.at >= begin]

    async with open_deck(FakeLink(scenes.at_ten()), look_back=read) as (app, pilot):
        await pilot.press("T", "T")
        await until(pilot, lambda: bool(app.earlier.samples))
        await shown(app, pilot)
        assert asked[-1] == 3600.0
        for kind in (LoadPane, Scaling):
            left_half = [line[8:28] for line in app.deck.query_one(kind).plain.splitlines()]
            assert any(0x2800 < ord(char) < 0x2900 for line in left_half for char in line)


async def test_a_journal_that_can_not_be_read_is_a_line(open_deck: OpenDeck) -> None:
    def read(begin: float, end: float) -> Sequence[Event]:
        raise JournalError(f"journal: locked from {begin:.0f} to {end:.0f}")

    async with open_deck(FakeLink(scenes.at_ten()), look_back=read) as (app, pilot):
        await pilot.press("T")
        await until(pilot, lambda: "nothing earlier can be shown: journal: locked" in app.deck.query_one(Keys).plain)
