"""What the screen says of traffic that somebody else moved: no tick stays, and the way to end it stands there."""

import pytest

from core.domain.model import Contact, Observation
from core.state import events as ev
from core.state.snapshot import Snapshot
from core.targets.kinds import Standing
from tests.environments import V2
from tests.state.moved_scenes import AT, ENDED, after, both, seen
from tests.tui.looking import lines, text
from tui.actions import way_back
from tui.format import clock
from tui.health import health
from tui.history import History
from tui.status import moved_lines
from tui.summary import on_its_way, proof
from tui.verdict import verdict
from tui.view import View
from tui.why import service
from tui.widgets.traffic import TrafficPane

SINCE = clock(AT + 1)


def view(snapshot: Snapshot, now: float = AT + 60) -> View:
    """As the deck shows it."""
    return View(snapshot, History(), "late", now)


GREEN, BLUE = (ev.Observed("late", Observation(slot, None, 0, 0, 0.0)) for slot in ("green", "blue"))
HEARD = ev.Contacted("late", Contact(AT + 60))


def test_no_tick_stays_where_traffic_was_moved() -> None:
    before, moved = view(after(ENDED), AT), view(after(ENDED, *both(50, 50), HEARD))
    assert text(proof(before)).startswith("✔ all on v2 · verified")
    said = f"! v1 50 %, v2 50 %, moved from elsewhere since {SINCE}; it was sent all on v2"
    assert text(proof(moved)) == said
    assert text(proof(moved, 44)) == "! v1 50 %, v2 50 %, moved from elsewhere"
    assert said in lines(TrafficPane(), moved, 120, 6)
    assert text(health(moved)) == "! traffic moved elsewhere"
    for line in (proof(moved), health(moved), on_its_way(moved), verdict(moved, 118)):
        assert "✔" not in text(line)
        assert "good" not in {role for _, role in line}
    assert way_back(moved).text == "roll back → v1 · 1/1 ready"
    assert "'quarterdeck rollback --env prod' sends all of it to v1" in service(moved)


def test_a_proof_that_holds_no_longer_is_called_so() -> None:
    lost = view(after(ENDED, seen("green", V2, 100, 0, "no answer proves it: 502"), HEARD))
    assert text(proof(lost)) == f"! all on v2 is proved no more since {SINCE}: no answer proves it: 502"
    assert text(health(lost)) == "! traffic proved no more"


def test_traffic_that_goes_nowhere_was_moved_by_nobody_who_is_known() -> None:
    none = view(after(ENDED, *both(0, 0)))
    assert text(proof(none)) == f"! no traffic since {clock(AT + 2)}; it was sent all on v2"


@pytest.mark.parametrize("bodies", [(GREEN,), (GREEN, BLUE)])
def test_what_was_deleted_keeps_no_tick_and_was_not_moved(bodies: tuple[ev.Body, ...]) -> None:
    gone = view(after(ENDED, *bodies, HEARD))
    assert text(health(gone)) == "✖ v2 was deleted: 100 % unanswered"
    assert text(proof(gone)) == "! v2 was proved 3 min ago, and deleted since"
    assert "✔" not in "".join(text(line) for line in (proof(gone), verdict(gone, 118), health(gone)))
    assert moved_lines(None, gone.snapshot, "late", AT + 60) == []
    assert any(line.startswith("traffic ! v2 was proved 3 min ago") for line in service(gone))


def test_status_says_where_it_goes_now_by_who_looked_or_else_by_the_watch() -> None:
    snapshot, now = after(ENDED, *both(50, 50)), AT + 60
    slots = tuple(snapshot.endpoint("late").slots.values())
    told = [
        f"  ! moved  v1 50 %, v2 50 %, moved from elsewhere since {SINCE}; it was sent all on v2",
        "           → 'quarterdeck rollback --env prod' sends all of it to v1",
    ]
    assert moved_lines(Standing("late", "azureml", slots, ()), snapshot, "late", now) == told
    assert moved_lines(Standing("late", "azureml", (), (), unknown="away"), snapshot, "late", now) == told
    # What is only thought to be so tells less than a watch that asked who answers.
    as_sent = tuple(one.observation for one in both(0, 100) if isinstance(one, ev.Observed))
    assert moved_lines(Standing("late", "azureml", as_sent, (), assumed=True), snapshot, "late", now) == told
    quiet = after(ENDED)
    assert moved_lines(Standing("late", "azureml", slots, ()), quiet, "late", now)[0] == (
        "  ! moved  v1 50 %, v2 50 %, moved from elsewhere; it was sent all on v2"
    )
    assert moved_lines(Standing("late", "azureml", as_sent, ()), snapshot, "late", now) == []
