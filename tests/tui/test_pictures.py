"""One picture a screen, from the recording. `pytest tests/tui/test_pictures.py --snapshot-update` takes them again."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.state.codec import loads
from core.state.events import Event
from tests.recordings.make import KEY, MOMENT
from tests.tui import cluster_scenes, scenes
from tests.tui.cluster_scenes import BEGUN
from tests.tui.conftest import shown, until
from tests.tui.replay import FakeLink
from tui.app import DeckApp
from tui.widgets import chart

Compare = Callable[..., bool]
RECORDINGS = Path(__file__).parents[1] / "recordings"
HALF_WAY_S = 131
"""Into the recording: half of the traffic is moved, replicas have scaled."""


def taken(
    compare: Compare, events: Sequence[Event], at: float, size: tuple[int, int], keys: str = "", look: str = "dark"
) -> bool:
    """Whether the deck looks as it did."""
    chart.load()
    app = DeckApp(FakeLink(events), now=lambda: at, look=look)

    async def settle(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.deck.ready and app.snapshot.seq == (events[-1].seq if events else 0))
        await shown(app, pilot)
        await pilot.press(*keys)
        await shown(app, pilot)

    return compare(app, terminal_size=size, run_before=settle)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)], ids=["80x24", "120x36", "200x60"])
def test_a_canary_at_ten_percent(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert taken(snap_compare, scenes.at_ten(), MOMENT, size)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
def test_rolled_back(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert taken(snap_compare, scenes.rolled_back(), KEY + 5, size)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 36), (200, 60)], ids=["60x15", "80x24", "120x36", "200x60"])
def test_a_question(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert taken(snap_compare, scenes.asked(), MOMENT, size)


@pytest.mark.parametrize("size", [(60, 15), (103, 31), (120, 29)], ids=["60x15", "103x31", "120x29"])
def test_clients_fail_at_other_sizes(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert taken(snap_compare, scenes.clients_fail(), MOMENT + 6, size)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)], ids=["80x24", "120x36", "200x60"])
def test_at_the_maximum(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert taken(snap_compare, scenes.at_maximum(), MOMENT, size)


def test_a_gate_failed(snap_compare: Compare) -> None:
    assert taken(snap_compare, scenes.failed(), MOMENT, (120, 36))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
@pytest.mark.parametrize(
    ("scene", "after"),
    [
        (scenes.router_hangs, 6),
        (scenes.clients_fail, 6),
        (scenes.all_crash, 6),
        (scenes.unheard, 12),
        (scenes.at_ten, 40),
        (scenes.paused, 30),
    ],
    ids=["router hangs", "clients fail", "all crash", "unheard", "nobody drives", "paused"],
)
def test_what_is_wrong(
    snap_compare: Compare, scene: Callable[[], Sequence[Event]], after: float, size: tuple[int, int]
) -> None:
    assert taken(snap_compare, scene(), MOMENT + after, size)


@pytest.mark.parametrize(
    ("name", "second", "serves", "keys", "size"),
    [
        ("scaling", 100, "blue", "", (120, 36)),
        ("scaling", 100, "blue", "4", (80, 24)),
        ("scaling", 420, "blue", "", (120, 36)),
        ("quota", 24, "blue", "", (80, 24)),
        ("image-pull", 40, "", "4m", (120, 36)),
        ("metrics-missing", 30, "", "", (120, 36)),
        ("unschedulable", 20, "", "4", (120, 36)),
    ],
    ids=["scaled up", "pods", "scaled down", "quota", "image", "metrics missing", "unschedulable"],
)
def test_a_cluster(
    snap_compare: Compare, name: str, second: float, serves: str, keys: str, size: tuple[int, int]
) -> None:
    assert taken(snap_compare, cluster_scenes.at(name, second, serves), BEGUN + second + 1, size, keys)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
def test_an_empty_project(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert taken(snap_compare, [], MOMENT, size)


def test_the_endpoint_alone(snap_compare: Compare) -> None:
    assert taken(snap_compare, scenes.at_ten(), MOMENT, (80, 24), "4")


def test_the_keys(snap_compare: Compare) -> None:
    assert taken(snap_compare, scenes.at_ten(), MOMENT, (120, 36), "?")


def test_in_light(snap_compare: Compare) -> None:
    assert taken(snap_compare, scenes.at_ten(), MOMENT, (120, 36), look="light")


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)], ids=["80x24", "120x36", "200x60"])
def test_a_release_that_was_recorded(snap_compare: Compare, size: tuple[int, int]) -> None:
    events = [loads(line) for line in (RECORDINGS / "release.jsonl").read_text().splitlines()]
    until_half = [event for event in events if event.at <= events[0].at + HALF_WAY_S]
    assert taken(snap_compare, until_half, until_half[-1].at, size)
