"""The second line, in the moments that a deck is opened for."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.model import Observation
from core.domain.plan import Ask, Hold, Shift
from core.domain.sample import Sample
from core.domain.strategies import OUTAGE
from core.state import events as ev
from core.state.events import Event
from tests.recordings.make import ENDPOINT, KEY, LIVE, MOMENT, NEW, RELEASE
from tests.tui import scenes
from tests.tui.conftest import OpenDeck
from tests.tui.looking import seen, text
from tests.tui.replay import FakeLink, recorded
from tui.screens.layout import share
from tui.styled import width
from tui.verdict import goes_on_to, verdict
from tui.verdicts import gate_piece
from tui.widgets.verdict import VerdictLine

SIZES = (60, 80, 103, 120, 200)


@pytest.mark.parametrize(
    ("scene", "after", "said"),
    [
        (scenes.at_ten, 0, ("GO ON IN 0:19 to 50 %   p99 1647 of 4000 rq ?   errors 0.3 < 5 % ✔   "
                           "success 99.7 ≥ 95 % ✔   ✔2   else back to v6")),
        (scenes.first, 0, ("GO ON IN 0:19 to 50 %   p99 1647 of 4000 rq ?   errors 0.3 < 5 % ✔   "
                          "success 99.7 ≥ 95 % ✔   ✔2   else it is given up")),
        (scenes.asked, 0, ("? WAITS FOR YOU 4:32   p99 has 1,647 of 4,000 requests after 1:30; go on to 50 %?   "
                          "n yes   A no   else back to v6")),
        (scenes.paused, 30, ("‖ PAUSED 0:30   p goes on   judged 30 s ago   p99 1647 of 4000 rq ?   "
                            "errors 0.3 < 5 % ✔   ✔3   else back to v6")),
        (scenes.failed, 0, "✖ v7 failed, v6 serves: p95 2,311 ms is not < 2000 ms over 412 requests"),
        (scenes.router_hangs, 6, "✖ no answer for 6 s · R goes back to v6 (8/8 ready)"),
        (scenes.clients_fail, 6, "✖ failing: 72 % at the client for 6 s · R goes back to v6 (8/8 ready)"),
        (scenes.all_crash, 6, "✖ v6 down: 0 of 8 ready · 100 % failing for 6 s · R goes back to v6 (0/8 ready)"),
        (scenes.at_ten, 40, ("‖ nobody drives v7   it stays at 10 %, no gate is judged   "
                            "'quarterdeck release --env prod' goes on")),
        (list, 0, "◦ nothing is released yet   begin with 'quarterdeck release'"),
    ],
)  # fmt: skip
def test_what_happens_next(scene: Callable[[], Sequence[Event]], after: float, said: str) -> None:
    assert text(verdict(seen(scene(), MOMENT + after), 118)) == said


def test_a_slot_that_warms_up_is_said_to() -> None:
    view = seen(scenes.at_ten(), MOMENT)
    release = view.release
    assert release is not None
    assert release.current is not None
    warm = replace(release.current, step=Hold(30.0, (OUTAGE,), warm_up=True), verdicts=())
    steps = (*release.steps[: release.index], warm, *release.steps[release.index + 1 :])
    releases = {**view.snapshot.releases, release.id: replace(release, steps=steps)}
    said = text(verdict(replace(view, snapshot=replace(view.snapshot, releases=releases)), 118))
    assert said.startswith("WARMING UP 0:")
    assert "for an outage alone it goes back" in said


def test_a_rollback_says_from_key_to_proof_and_how_long_it_can_be_taken_back() -> None:
    said = text(verdict(seen(scenes.rolled_back(), KEY + 5), 118))
    assert said == "◀ v7 rolled back, back on v6   38 ms from the key to proof   u undo → v7 · 0:55 left"
    going = recorded(KEY + 0.02)
    assert text(verdict(seen(going, KEY + 0.02), 118)).startswith("◀ GOING BACK to v6   for 0 s")


def test_what_was_aborted_before_traffic_moved_is_back_on_nothing() -> None:
    """It may not even be known yet what it would have taken over from."""
    over = ev.Ended(RELEASE, ev.Outcome.ABORTED, "aborted")
    view = seen(scenes.then(recorded(MOMENT - 60), over, at=MOMENT - 59), MOMENT - 55)
    assert text(verdict(view, 118)).startswith("◀ a version aborted, no traffic had moved")


def test_work_says_what_is_next_and_that_no_traffic_has_moved() -> None:
    said = text(verdict(seen(recorded(MOMENT - 60), MOMENT - 60), 118))
    assert said == "▶ TRAIN 0:02   then evaluate   no traffic has moved"


@pytest.mark.parametrize("scene", [scenes.router_hangs, scenes.clients_fail, scenes.all_crash])
@pytest.mark.parametrize("cells", SIZES)
def test_what_is_bad_is_red_over_the_whole_width_and_names_the_way_out(
    scene: Callable[[], Sequence[Event]], cells: int
) -> None:
    line = verdict(seen(scene(), MOMENT + 6), cells - 2)
    assert {role for _, role in line} == {"alarm"}
    assert width(line) == cells - 2
    assert "R goes back to v6" in text(line)


@pytest.mark.parametrize("cells", SIZES)
@pytest.mark.parametrize("scene", [scenes.at_ten, scenes.asked, scenes.paused, scenes.failed, scenes.unheard])
def test_it_never_needs_more_room_than_there_is(scene: Callable[[], Sequence[Event]], cells: int) -> None:
    assert width(verdict(seen(scene(), MOMENT + 12), cells - 2)) <= cells - 2


def test_what_is_not_known_comes_first_and_no_gate_is_green() -> None:
    line = verdict(seen(scenes.unheard(), MOMENT + 12), 118)
    assert text(line).startswith("? not heard from for 13 s   GO ON IN 0:07")
    assert "judged 12 s ago" in text(line)
    assert "good" not in {role for _, role in line}


def test_a_released_version_is_green_only_while_it_answers() -> None:
    done = scenes.then(
        scenes.at_ten(), ev.Ended(RELEASE, ev.Outcome.DONE), ev.Observed(ENDPOINT, Observation("green", NEW, 8, 8, 100))
    )
    line = verdict(seen(done), 118)
    assert text(line).startswith("✔ v7 is released")
    assert "R roll back → v6" in text(line)
    assert "good" in {role for _, role in line}
    later = verdict(seen(done, MOMENT + 20), 118)
    assert "good" not in {role for _, role in later}


def test_a_deck_that_only_watches_names_no_key() -> None:
    view = replace(seen(scenes.asked()), read_only=True)
    said = text(verdict(view, 118))
    assert said.startswith("? WAITS FOR A PERSON 4:32")
    assert "n yes" not in said


@pytest.mark.parametrize(
    ("ahead", "said"), [(Shift(50), " to 50 %"), (Ask("all?"), " to a question for you"), (None, " to its end")]
)
def test_a_hold_goes_on_to_what_comes_next(ahead: Shift | Ask | None, said: str) -> None:
    assert goes_on_to(ahead) == said


def test_a_hold_that_waits_for_replicas_says_so() -> None:
    scaling = Observation("green", NEW, 4, 2, 10.0)
    begun = seen(scenes.at_ten())
    release = begun.release
    assert release is not None
    step = release.current
    assert step is not None
    assert isinstance(step.step, Hold)
    ready = tuple(replace(v, outcome=GateResult.PASS) for v in step.verdicts)
    events = scenes.then(scenes.at_ten(), ev.Judged(RELEASE, scenes.HOLD, ready), ev.Observed(ENDPOINT, scaling))
    at = (step.started_at or 0.0) + step.step.seconds + 4
    events = scenes.then(events, *scenes.clients(at - 3, 3, 300), ev.Observed(ENDPOINT, scaling), at=at)
    said = text(verdict(seen(events, at), 118))
    assert said.startswith("WAITS: green scales, 2 of 4 ready   a person is asked in 0:2")


def test_a_shadow_says_how_much_is_copied_and_how_much_differs() -> None:
    shadow = Observation("green", NEW, 2, 2, 0.0, mirror=20.0)
    copies = Sample("green", MOMENT, 300, mirrored=300, compared=300, differing=1)
    live = Observation("blue", LIVE, 8, 8, 100.0)
    events = scenes.then(
        scenes.at_ten(),
        ev.Observed(ENDPOINT, shadow), ev.Observed(ENDPOINT, live), ev.Sampled(ENDPOINT, copies),
    )  # fmt: skip
    assert "copy of 20 %, " in text(verdict(seen(events), 200))
    assert " differ" in text(verdict(seen(events), 200))


@pytest.mark.parametrize(
    ("gate", "verdict_", "said"),
    [
        (Gate("failed_percent", "<", 5), (GateResult.FAIL, 8.31, ""), "errors 8.3 < 5 % ✖"),
        (Gate("p95_ms", "<", 25, "live"), (GateResult.PASS, -16.2, ""), "p95:live -16 < +25 % ✔"),
        (Gate("p95_ms", "<", 25, "live"), (GateResult.INCONCLUSIVE, None, "80 of 100 requests"),
         "p95:live 80 of 100 rq ?"),
        (Gate("p95_ms", "<", 25), (GateResult.ERROR, None, "can't be measured"), "p95 – !"),
    ],
)  # fmt: skip
def test_a_gate_in_few_cells(gate: Gate, verdict_: tuple[GateResult, float | None, str], said: str) -> None:
    assert text(gate_piece(Verdict(gate, *verdict_), sure=True)).strip() == said


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (103, 31), (120, 29), (120, 36), (200, 60)])
async def test_the_verdict_and_the_slots_stay_at_every_size(open_deck: OpenDeck, size: tuple[int, int]) -> None:
    async with open_deck(FakeLink(scenes.clients_fail()), MOMENT + 6, size=size) as (app, _):
        assert "R goes back to v6" in app.deck.query_one(VerdictLine).plain
        for name in ("traffic", "verdict", "keys"):
            pane = app.deck.query_one(f"#{name}")
            assert pane.region.bottom <= size[1]
            assert pane.region.height > 0
        assert "green v7" in app.deck.pane("traffic").plain


def test_a_very_small_screen_is_never_overfull() -> None:
    room = share(60, 12, 12)
    assert sum(room.heights.values()) <= 12


@pytest.mark.parametrize(
    ("ago", "said", "role"),
    [
        (None, "! way back never drilled", "moves"),
        (600.0, "drilled 10 min ago: 31 ms", "dim"),
        (7200.0, "! way back drilled 2 h ago", "moves"),
    ],
)
def test_when_the_way_back_was_last_drilled(ago: float | None, said: str, role: str) -> None:
    facts: list[ev.Body] = [] if ago is None else [ev.Drilled(ENDPOINT, NEW, 31.0, 20.0, 100, 0)]
    drilled = scenes.then(scenes.at_ten(), *facts, at=MOMENT - (ago or 0.0))
    served = ev.Observed(ENDPOINT, Observation("green", NEW, 8, 8, 100))
    done = scenes.then(drilled, ev.Ended(RELEASE, ev.Outcome.DONE), served)
    view = replace(seen(done, MOMENT), drill_s=3600.0)
    line = verdict(view, 200)
    assert line[-1] == (said, role)
    assert said not in text(verdict(replace(view, drill_s=None), 200))
    assert width(verdict(view, 60)) <= 60
    assert said in text(verdict(view, 80))


@pytest.mark.parametrize(("ago", "said"), [(None, "! way back never drilled"), (7200.0, "! way back drilled 2 h ago")])
def test_that_a_drill_is_overdue_stays_where_there_is_little_room(ago: float | None, said: str) -> None:
    """At 80 cells, where nothing is heard of the service: the key stands in the footer too, this nowhere else."""
    facts = [ev.Drilled(ENDPOINT, NEW, 31.4, 20.0, 400, 0)] if ago is not None else []
    drilled = scenes.then(scenes.at_ten(), *facts, at=MOMENT - (ago or 0.0))
    served = ev.Observed(ENDPOINT, Observation("green", NEW, 8, 8, 100))
    done = scenes.then(drilled, ev.Ended(RELEASE, ev.Outcome.DONE), served)
    line = text(verdict(replace(seen(done, MOMENT + 20), drill_s=3600.0), 80))
    assert said in line
    assert "R roll back" not in line
