"""As whom a place is driven stands on the deck beside which place it is, and its signs of life come as it says."""

from dataclasses import replace

import pytest

from core.domain.model import Contact
from core.domain.sample import Sample
from core.state import events as ev
from core.state.events import Event
from tests.recordings.make import ENDPOINT, MOMENT, RELEASE
from tests.tui import scenes
from tests.tui.looking import lines, seen, text
from tui.evidence import silent_s
from tui.health import health
from tui.summary import proof
from tui.verdict import verdict
from tui.widgets.bars import Top
from tui.widgets.traffic import TrafficPane

USUAL = "usually 3 min; Azure tells its front door"
ACCOUNT, PLACE = "ann@example.com, tenant 1a2b3c4d", "00000000/rg/ws"
MOVES = Contact(MOMENT, "", ACCOUNT, 30.0, counts=False, doing="traffic moves", doing_at=MOMENT, usual=USUAL)
OPENED = ev.Opened(ENDPOINT, "http://127.0.0.1:9999", "prod", f"azureml {PLACE}", True)


def heard(at: float = 0.0, lost: str = "") -> list[Event]:
    """v6 is served in a workspace that is looked at every 30 s, and was heard of then."""
    contact = Contact(MOMENT + at, lost, ACCOUNT, 30.0, counts=False)
    return scenes.then(scenes.served(), OPENED, ev.Contacted(ENDPOINT, contact), at=MOMENT + at)


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (200, f"late · prod · azureml {PLACE} · {ACCOUNT} "),
        (130, f"late · prod · azureml {PLACE} "),
        (80, "late · prod · 00000000/rg/ws "),
        (72, "late · prod · rg/ws "),
    ],
)
def test_the_top_line_says_the_place_and_the_account_as_far_as_they_fit(cells: int, shown: str) -> None:
    """And leaves out nothing of the service's health for that."""
    (top,) = lines(Top(), seen(heard(), MOMENT), cells)
    assert shown in top
    assert "◦ ready, not counted" in top
    assert len(top) <= cells


@pytest.mark.parametrize("cells", [80, 120])
def test_the_endpoints_pane_always_says_both(cells: int) -> None:
    note = TrafficPane().note_of(seen(heard(), MOMENT))
    assert note == f"127.0.0.1:9999 · {ACCOUNT} · {PLACE}"
    assert len(note) < cells - 4


def test_an_account_is_said_of_nobody_where_none_is_known() -> None:
    view = seen(scenes.then(scenes.served(), OPENED, at=MOMENT), MOMENT)
    assert view.account == ""
    assert TrafficPane().note_of(view).endswith(f"127.0.0.1:9999 · {PLACE}")


def test_a_place_that_is_looked_at_seldom_is_not_silent_between_two_looks() -> None:
    """But it is where it says so, since its last word."""
    assert silent_s(seen(heard(), MOMENT + 25)) is None
    answered = scenes.then(heard(), ev.Sampled(ENDPOINT, Sample("blue", MOMENT, 12)), at=MOMENT)
    assert [text(health(seen(answered, MOMENT + after))) for after in (2, 10, 28, 42)] == [
        "● healthy v6",
        *["◦ ready, not counted"] * 3,
    ]
    assert text(health(seen(answered, MOMENT + 61))) == "? not heard from for 61 s"
    lost = ev.Contacted(ENDPOINT, Contact(MOMENT, "no answer from management.azure.com", ACCOUNT, 30.0))
    view = seen(scenes.then(heard(), lost, at=MOMENT + 125), MOMENT + 130)
    assert silent_s(view) == 130
    assert text(health(view)).startswith("? not heard from for 2 min")


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (118, "v6 50 %, v7 50 %, not verified yet · traffic moves 31 s, usually 3 min; Azure tells its front door"),
        (80, "v6 50 %, v7 50 %, not verified yet · traffic moves 31 s, usually 3 min"),
        (40, "v6 50 %, v7 50 %, not verified yet"),
    ],
)
def test_what_goes_on_with_the_endpoint_as_a_whole_stands_below_its_slots(cells: int, shown: str) -> None:
    """And says on the way back what that stands behind."""
    moves = replace(MOVES, doing_at=MOMENT - 31)
    asked = ev.Routed(ENDPOINT, {"blue": 50.0, "green": 50.0}, RELEASE)
    events = scenes.then(scenes.at_ten(), asked, ev.Contacted(ENDPOINT, moves), at=MOMENT)
    assert text(proof(seen(events, MOMENT), cells)) == f"… {shown}"
    back = scenes.then(events, ev.TurnedBack(RELEASE, ev.Outcome.ROLLED_BACK, "rolled back"), at=MOMENT)
    assert "   traffic moves 31 s, usually 3 min" in text(verdict(seen(back, MOMENT), max(cells, 80)))


def test_an_endpoint_that_is_being_made_says_so_where_nothing_stands_yet() -> None:
    made = replace(MOVES, doing="the endpoint is being made or changed", usual="none before; Azure sees to its address")
    events = scenes.then([], OPENED, ev.Contacted(ENDPOINT, made), at=MOMENT)
    shown = lines(TrafficPane(), seen(events, MOMENT + 60), 100)
    assert shown[1].strip() == "… the endpoint is being made or changed 60 s, none before; Azure sees to its address"
