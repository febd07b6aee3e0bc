"""No figure is cut, whatever the width: it stays whole, or it leaves whole."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from core.domain.model import Observation
from core.domain.sample import Sample
from core.state import events as ev
from core.state.events import Event
from tests.recordings.make import ENDPOINT, KEY, LIVE, MOMENT, NEW
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, shown
from tests.tui.looking import lines, seen, text
from tests.tui.replay import FakeLink
from tui import format as as_text, theme
from tui.styled import aligned, cut, fitting, strip, width
from tui.widgets.bars import Keys, Top
from tui.widgets.gates import Gates
from tui.widgets.load import LoadPane
from tui.widgets.log import Log
from tui.widgets.pane import Pane
from tui.widgets.scaling import Scaling
from tui.widgets.stages import Stages
from tui.widgets.traffic import TrafficPane

FIGURE = re.compile(r"\d[\d.,:]*")
CUT = re.compile(r"\d…")


def large() -> list[Event]:
    """Everything fails, and every figure is as wide as it gets."""
    slots = (Observation("blue", LIVE, 256, 128, 33.333), Observation("green", NEW, 320, 320, 66.667))
    told = scenes.then(
        scenes.at_ten(),
        *(ev.Observed(ENDPOINT, one) for one in slots),
        ev.Routed(ENDPOINT, {"blue": 33.333, "green": 66.667}),
        ev.LoadWanted(ENDPOINT, 25_000),
    )
    failed = {"503": 98_765, "timeout": 4_321, "connection refused": 12}
    samples = [Sample(slot, MOMENT + 4, 0, failed, 12_345) for slot in (None, "blue", "green")]
    return scenes.then(told, *(ev.Sampled(ENDPOINT, one) for one in samples), at=MOMENT + 4)


@given(st.text(alphabet="ab 0123456789.,:%ms漢", max_size=40), st.integers(0, 45))
def test_a_figure_is_never_cut(said: str, cells: int) -> None:
    short = cut(said, cells)
    assert width(((short, "text"),)) <= cells
    if short != said:
        kept = short.removesuffix("…").removesuffix(" ")
        assert said.startswith(kept)
        whole = {(m.start(), m.group()) for m in FIGURE.finditer(said)}
        assert all((m.start(), m.group()) in whole for m in FIGURE.finditer(kept))


@given(st.floats(0, 1e9))
def test_a_whole_figure_keeps_to_five_cells(value: float) -> None:
    assert len(as_text.whole(value)) <= 5


def test_what_matters_least_leaves_first_and_whole() -> None:
    parts = [(0, (("100.0 %", "strong"),)), (2, (("  12,345 rps", "rps"),)), (1, (("  121 p95", "p95"),))]
    assert [text(fitting(parts, cells)) for cells in (40, 20, 10, 3)] == [
        "100.0 %  12,345 rps  121 p95",
        "100.0 %  121 p95",
        "100.0 %",
        "100.0 %",
    ]


def test_columns_are_as_wide_as_their_widest_figure() -> None:
    figures = (("9.8 %", " 8/8"), ("100.0 %", " 128/256"))
    rows = [[(0, ((share, "strong"),)), (1, ((ready, "good"),))] for share, ready in figures]
    assert [text(line) for line in aligned(rows, 40)] == ["  9.8 %     8/8", "100.0 % 128/256"]
    assert [text(line) for line in aligned(rows, 9)] == ["  9.8 %", "100.0 %"]


@pytest.mark.parametrize("cells", range(16, 130, 3))
def test_the_failures_stay_whole_in_every_width(cells: int) -> None:
    view = seen(large(), MOMENT + 4)
    assert "100.0 % failed" in lines(LoadPane(), view, cells, 12)[0]


@pytest.mark.parametrize("cells", range(30, 130, 3))
def test_what_is_ready_and_what_it_answers_stay_whole_in_every_width(cells: int) -> None:
    first, second = lines(TrafficPane(), seen(large(), MOMENT + 4), cells, 3)[:2]
    assert "128/256" in first
    assert "320/320" in second


@pytest.mark.parametrize("kind", [Top, Keys, Stages, Gates, TrafficPane, LoadPane, Scaling, Log])
@pytest.mark.parametrize("folded", [False, True])
def test_no_pane_cuts_a_figure_in_any_width(kind: type[Pane], folded: bool) -> None:
    palette = theme.load(theme.DEFAULT)
    for scene, at in ((large, MOMENT + 4), (scenes.at_ten, MOMENT), (scenes.failed, MOMENT + 660)):
        view, pane = seen(scene(), at), kind()
        pane.folded, pane.view = folded, view
        for cells in range(10, 160, 3):
            for line in pane.lines(view, cells, 12):
                painted = strip(line, cells, palette).text
                assert len(painted) == cells
                assert not CUT.search(painted), (cells, painted)


@pytest.mark.parametrize("cells", [44, 56, 70, 100])
def test_how_old_a_proof_is_leaves_the_line_last(cells: int) -> None:
    pane = TrafficPane()
    (proof,) = [row for row in lines(pane, seen(scenes.rolled_back(), KEY + 65), cells, 12) if row.startswith("✔")]
    assert len(proof) <= cells
    assert proof.startswith("✔ all on v6 · ")
    assert proof.endswith(" · 65 s ago"), proof


SIZES = [(60, 15), (80, 24), (120, 36), (200, 60)]


@pytest.mark.parametrize("size", SIZES, ids=[f"{w}x{h}" for w, h in SIZES])
@pytest.mark.parametrize(
    ("scene", "at"),
    [(large, MOMENT + 4), (scenes.all_crash, MOMENT + 6)],
    ids=["large", "crash"],
)
async def test_no_figure_on_the_screen_is_cut(
    open_deck: OpenDeck, size: tuple[int, int], scene: Callable[[], list[Event]], at: float
) -> None:
    async with open_deck(FakeLink(scene()), at, size=size) as (app, pilot):
        await shown(app, pilot)
        for pane in app.deck.query(Pane):
            for line in [str(pane.border_title), str(pane.border_subtitle), *_painted(pane)]:
                assert not CUT.search(line), line


def _painted(pane: Pane) -> list[str]:
    return [pane.render_line(y).text for y in range(pane.content_size.height)]


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [
        (None, 1, as_text.NOTHING),
        (0.0, 1, "0.0 %"),
        (0.03, 1, "<0.1 %"),
        (0.05, 1, "0.1 %"),
        (99.97, 1, ">99.9 %"),
        (100.0, 1, "100.0 %"),
        (0.4, 0, "<1 %"),
        (99.6, 0, ">99 %"),
    ],
)
def test_only_nothing_is_zero_and_only_all_is_a_hundred(value: float | None, digits: int, said: str) -> None:
    assert as_text.percent(value, digits) == said
