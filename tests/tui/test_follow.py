"""The deck over a link that bursts, stalls, fails and comes back; over a screen that changes its size."""

import subprocess
import sys
from pathlib import Path

import pytest
from rich.color import Color, ColorSystem

from core.domain.errors import BadInput, JournalError
from core.domain.histogram import Histogram
from core.domain.sample import Sample
from core.state import events as ev
from core.state.commands import Command
from core.state.events import Event
from tests.recordings.make import ENDPOINT, MOMENT
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, shown, until
from tests.tui.replay import FakeLink, recorded
from tui import follower, theme
from tui.picture import picture
from tui.widgets.bars import Top
from tui.widgets.load import LoadPane
from tui.widgets.pane import Pane
from tui.widgets.scaling import Scaling


def sample(seq: int, at: float) -> Event:
    """A second of the load."""
    return Event(seq, at, "load", ev.Sampled(ENDPOINT, Sample(None, at, 400, {}, 300, Histogram.of([40.0] * 40))))


async def test_only_panes_whose_part_is_another_one_are_drawn_again(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_ten())
    async with open_deck(link) as (app, pilot):
        before = {pane.id: pane._lines for pane in app.deck.query(Pane)}
        last = link.told[-1].seq
        await link.tell(Event(last + 1, MOMENT, "target", ev.Logged(ENDPOINT, "train", "a line")))
        await until(pilot, lambda: app.snapshot.seq == last + 1)
        app.frame()
        drawn = {pane.id for pane in app.deck.query(Pane) if pane._lines is not before[pane.id]}
        assert drawn == {"log"}


async def test_charts_are_drawn_again_when_a_sample_comes_and_not_before(open_deck: OpenDeck) -> None:
    link = FakeLink(scenes.at_ten())
    async with open_deck(link) as (app, pilot):
        load, scaling = app.deck.query_one(LoadPane), app.deck.query_one(Scaling)

        def drawn() -> int:
            return scaling._chart.drawn + load._charts.drawn

        before, last = drawn(), link.told[-1].seq
        await link.tell(Event(last + 1, MOMENT, "target", ev.Logged(ENDPOINT, "train", "a line")))
        await until(pilot, lambda: app.snapshot.seq == last + 1)
        await shown(app, pilot)
        assert drawn() == before
        await link.tell(sample(last + 2, MOMENT + 1))
        await until(pilot, lambda: app.snapshot.seq == last + 2)
        await shown(app, pilot)
        assert drawn() == before + 4


async def test_a_burst_of_events_does_not_hold_up_a_key(open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "BATCH", 20)
    link = FakeLink(scenes.at_ten())
    asked_at: list[int] = []
    async with open_deck(link) as (app, pilot):
        last = link.told[-1].seq

        async def do(_: Command) -> None:
            asked_at.append(app.snapshot.seq)

        monkeypatch.setattr(link, "do", do)
        burst = [Event(last + n, MOMENT, "work", ev.Logged(ENDPOINT, "train", f"line {n}")) for n in range(1, 2001)]
        await link.tell(*burst)
        await pilot.press("p")
        await until(pilot, lambda: app.snapshot.seq == last + 2000)
        assert last < asked_at[0] < last + 2000


async def test_a_journal_that_stalls_is_said(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten()), at=MOMENT + 12) as (app, _):
        said = app.deck.query_one(Top).plain
        assert "? not heard from for 13 s" in said
        assert "nobody drives v7" in said
        assert "healthy" not in said


async def test_a_driver_that_hangs_is_said_within_a_second_and_no_longer_than_it_does(open_deck: OpenDeck) -> None:
    silent: list[float | None] = [9.0]
    async with open_deck(FakeLink(scenes.at_ten()), hangs_s=lambda _: silent[0]) as (app, pilot):
        await until(pilot, lambda: app.view.hangs_s == 9.0)
        await shown(app, pilot)
        assert "! its driver hangs for 9 s" in app.deck.query_one(Top).plain
        silent[0] = None
        await until(pilot, lambda: app.view.hangs_s is None)
        await shown(app, pilot)
        assert "hangs" not in app.deck.query_one(Top).plain


async def test_a_lost_journal_is_said_and_asked_again_from_where_it_was_lost(
    open_deck: OpenDeck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.follower.AGAIN_S", 0.05)
    link = FakeLink(scenes.at_ten())
    async with open_deck(link) as (app, pilot):
        last = link.told[-1].seq
        await link.fail(JournalError("journal.db: disk I/O error"))
        await until(pilot, lambda: app.follower.lost != "")
        app.frame()
        assert "journal.db: disk I/O error" in app.deck.query_one(Top).plain
        await link.tell(sample(last + 1, MOMENT + 1))
        await until(pilot, lambda: app.snapshot.seq == last + 1)
        assert app.follower.lost == ""
    assert link.afters[:2] == [None, last]


async def test_any_size_will_do_while_it_runs(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        for size in ((200, 60), (80, 24), (40, 10), (12, 4), (1, 1)):
            await pilot.resize_terminal(*size)
            await shown(app, pilot)
            await pilot.press("6", "4", "1", "escape")
        await pilot.resize_terminal(120, 36)
        await shown(app, pilot)
        assert "roll back → v6" in app.deck.pane("keys").plain


async def test_another_theme_is_on_all_of_it(open_deck: OpenDeck) -> None:
    async with open_deck(FakeLink(scenes.at_ten())) as (app, pilot):
        app.set_theme("light")
        await shown(app, pilot)
        ground = theme.load("light").colours["ground"]
        assert app.deck.styles.background.hex.lower() == ground
        strip = app.deck.pane("gates").render_line(0)
        assert all(s.style and s.style.bgcolor and s.style.bgcolor.name == ground for s in strip)


@pytest.mark.parametrize(("colours", "look"), [("", "sixteen"), ("truecolor", "dark")])
def test_a_terminal_of_few_colours_gets_a_theme_made_of_them(
    colours: str, look: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLORTERM", colours)
    assert theme.of_terminal() == look
    palette = theme.load("sixteen").colours
    named = [Color.parse(palette[name]) for name in ("blue", "green", "yellow", "red")]
    numbers = [colour.downgrade(ColorSystem.STANDARD).number for colour in named]
    assert len({*numbers, 0, 7, 8, 15}) == 8, "each has a colour of its own, and none is a grey"


def test_every_theme_has_every_role_and_names_only_its_own_colours() -> None:
    roles = {name: set(theme.load(name).roles) for name in theme.names()}
    assert len(set(map(frozenset, roles.values()))) == 1
    with pytest.raises(BadInput, match="theme mud: unknown; one of dark, light"):
        theme.load("mud")


async def test_a_picture_of_a_past_moment(tmp_path: Path) -> None:
    path = tmp_path / "deck.svg"
    await picture(FakeLink(recorded(MOMENT)), (120, 36), path)
    said = path.read_text(encoding="utf-8").replace("&#160;", " ")
    assert "releasing v7" in said
    assert "14:02:31" in said


def test_the_deck_loads_no_sdk_and_nothing_of_the_engine() -> None:
    """Asked of a fresh interpreter."""
    code = "import sys, tui.app, tui.picture; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    heavy = {"mlflow", "locust", "xgboost", "sklearn", "pandas", "numpy", "scipy", "plotext", "azure", "kubernetes"}
    behind = {"core.engine", "core.targets", "core.journal", "core.rollout"}
    assert not loaded & (heavy | behind)
