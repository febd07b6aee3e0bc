"""Slots that are kept: for how long, and what `R` and `u` would do with them."""

from dataclasses import replace

import pytest

from core.domain.model import Observation, Replica, ReplicaState, Slot
from core.domain.plan import Plan
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.release import Release, ReleaseState, Way
from core.state.snapshot import Snapshot
from tests.environments import V1, V2
from tests.tui.looking import lines
from tui.history import History
from tui.kept import kept
from tui.view import View
from tui.widgets.traffic import TrafficPane

NOW, DAY_S = 1000.0, 86400.0
LEAVES = Replica("blue-1", ReplicaState.DRAINING)
DONE = Release("r2", "late", "prod", "local", Plan("x", ()), (), "ada", 0.0, version=V2, slot="green")
DONE = replace(
    DONE, old="blue", old_version=V1, state=ReleaseState.ENDED, outcome=ev.Outcome.DONE, ended_at=NOW - 30, ended_seq=9
)
WAY = Way(ev.Outcome.ROLLED_BACK, "rolled back", NOW - 40, NOW - 40, reached=100.0)
BACK = replace(DONE, outcome=ev.Outcome.ROLLED_BACK, way=WAY)


def view(release: Release | None, serves: Slot, **retire: float) -> View:
    slots = {"blue": Observation("blue", V1, 2, 2, 0.0), "green": Observation("green", V2, 2, 2, 0.0)}
    slots[serves] = replace(slots[serves], weight=100.0)
    endpoint = Endpoint("late", slots=slots, weights={serves: 100.0}, retire=retire)
    known = {release.id: release} if release is not None else {}
    return View(Snapshot(releases=known, endpoints={"late": endpoint}), History(), "late", NOW)


def with_blue(shown: View, wanted: int, replicas: tuple[Replica, ...]) -> View:
    """The same with so many replicas in blue."""
    assert shown.endpoint is not None
    slots = {**shown.endpoint.slots, "blue": Observation("blue", V1, wanted, 0, 0.0, replicas)}
    endpoint = replace(shown.endpoint, slots=slots)
    return replace(shown, snapshot=replace(shown.snapshot, endpoints={"late": endpoint}))


@pytest.mark.parametrize(
    ("shown", "slot", "said"),
    [
        (view(DONE, "green", blue=NOW + DAY_S), "blue", "kept for 24 h, R goes back to it"),
        (view(DONE, "green"), "blue", "kept, R goes back to it"),
        (view(DONE, "green", blue=NOW - 1), "blue", "goes now, R goes back to it"),
        (view(DONE, "green", blue=NOW + DAY_S), "green", ""),
        (view(BACK, "blue", green=NOW + 90), "green", "kept for 90 s, u comes forward to it"),
        (view(replace(BACK, ended_at=NOW - 70), "blue", green=NOW + 50), "green", "kept for 50 s"),
        (view(replace(DONE, old_version=V2), "green", blue=NOW + 90), "blue", "kept for 90 s"),
        (view(replace(DONE, outcome=None, state=ReleaseState.RUNNING), "blue"), "green", ""),
        (view(replace(DONE, outcome=None, state=ReleaseState.RUNNING), "green"), "blue", "kept, R goes back to it"),
        (view(None, "green"), "blue", "kept"),
        (with_blue(view(DONE, "green"), 2, (LEAVES, LEAVES)), "blue", "is removed, R goes back to it"),
        (with_blue(view(DONE, "green"), 0, ()), "blue", "kept, R starts it and goes back to it"),
        (with_blue(view(DONE, "green"), 0, (LEAVES,)), "blue", "kept, R starts it and goes back to it"),
    ],
)
def test_a_slot_says_for_how_long_it_is_kept_and_which_key_uses_it(shown: View, slot: Slot, said: str) -> None:
    assert shown.endpoint is not None
    assert next(iter(kept(shown, shown.endpoint.slots[slot])), "") == said


def test_it_stands_where_figures_would_be_of_nothing_as_far_as_there_is_room() -> None:
    shown = view(DONE, "green", blue=NOW + DAY_S)
    for width, said in (
        (120, "kept for 24 h, R goes back to it"),
        (60, "kept for 24 h, R goes back to it"),
        (44, "kept 24 h · R"),
        (26, "kept 24 h"),
    ):
        blue, green = lines(TrafficPane(), shown, width, 6)[:2]
        assert blue.startswith(f"blue  v1   {said} "), blue
        assert "2/2" in blue
        assert "█" in green
    assert "blue holds v1: kept for 24 h, R goes back to it" in TrafficPane().why(shown)
