"""What the screen says of traffic that somebody else moved: no tick stays, and the way to end it stands there."""

import pytest

from core.domain.model import Contact, Observation, OtherDriver, Version
from core.state import events as ev
from core.state.snapshot import Snapshot
from core.targets.kinds import Standing
from tests.environments import V1, V2
from tests.state.moved_scenes import AT, ENDED, after, both, seen, sent
from tests.tui.looking import lines, text
from tui.actions import WayBack, way_back
from tui.format import clock
from tui.health import health
from tui.history import History
from tui.misplaced import moved_lines
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


def _other(blue: float, green: float) -> ev.OtherDrove:
    weights = {"blue": blue, "green": green}
    return ev.OtherDrove("late", OtherDriver("a driver on vm-2", AT, "r9", weights))


ROLLED_BACK = ev.Outcome.ROLLED_BACK
BACK = (ev.TurnedBack("r2", ROLLED_BACK, ""), *sent({"blue": 100.0}), ev.Ended("r2", ROLLED_BACK, ""))
LEFT = ev.OtherDrove("late", OtherDriver(weights={"blue": 100.0}))


def test_what_another_machine_took_back_is_no_longer_said_to_be_released() -> None:
    first = view(after(ENDED, _other(100, 0), *both(100, 0), HEARD))
    assert text(verdict(first, 118)) == "! v2 was released   all on v1 since, by a driver on vm-2   v1 serves"
    assert text(on_its_way(first)) == "! v2 released, traffic moved since"
    later = view(after(ENDED, _other(100, 0), *both(100, 0), LEFT, HEARD))
    assert text(verdict(later, 118)) == "! v2 was released   all on v1 since   v1 serves"
    assert way_back(later).key == ""
    for line in (verdict(first, 60), on_its_way(first)):
        assert "✔" not in text(line)


def test_what_another_machine_released_after_a_way_back_from_here_is_said_too() -> None:
    there = view(after(ENDED, *BACK, _other(0, 100), *both(0, 100), HEARD))
    assert text(verdict(there, 118)).startswith("! v2 was rolled back   all on v2 since, by a driver on vm-2")
    assert text(on_its_way(there)) == "! v2 rolled back, traffic moved since"


def test_another_version_in_the_slot_of_a_release_is_not_what_it_released() -> None:
    blue = ev.Observed("late", Observation("blue", None, 0, 0, 0.0))
    anew = view(after(ENDED, _other(0, 100), seen("green", V1, 100), blue, HEARD))
    assert text(verdict(anew, 118)) == "! v2 was released   all on v1 since, by a driver on vm-2   v1 serves"
    third = view(after(ENDED, _other(0, 100), seen("green", Version("late", "3"), 100), HEARD))
    assert way_back(third) == WayBack("", "v3 serves, released elsewhere")
    assert text(verdict(third, 118)).startswith("! v2 was released   all on v3 since, by a driver on vm-2   v3 serves")


@pytest.mark.parametrize("other", [_other(0, 100), _other(10, 90)])
def test_who_follows_and_leaves_most_where_it_is_takes_back_nothing(other: ev.OtherDrove) -> None:
    assert text(verdict(view(after(ENDED, other)), 118)).startswith("✔ v2 is released")
