"""What a snapshot means in a few words, and who has how much room."""

from dataclasses import replace

import pytest

from core.domain.model import Observation, Replica, ReplicaState, Version
from core.domain.sample import Sample
from core.state import events as ev
from core.state.codec import dumps, loads
from core.state.fold import fold_all
from tests.recordings.make import ENDPOINT, KEY, MOMENT, NEW, RELEASE
from tests.tui import scenes
from tests.tui.looking import lines, seen, text
from tests.tui.replay import recorded
from tui.actions import ACTIONS, way_back
from tui.health import health
from tui.screens.layout import PANES_OF, share
from tui.styled import apart, bar, cut, fit, right, width
from tui.summary import on_its_way, proof, reality
from tui.verdict import verdict
from tui.view import chosen
from tui.widgets.bars import Top
from tui.widgets.traffic import TrafficPane


def test_the_real_weight_is_counted_from_the_versions_that_answered() -> None:
    view = seen(scenes.at_ten())
    real = reality(view)
    load = [s for s in view.series(None).samples if s.at > MOMENT - 3]
    of_seven = sum(s.mix.get("version:7", 0) for s in load)
    assert real["green"].share == pytest.approx(100 * of_seven / sum(sum(s.mix.values()) for s in load))


def test_what_answered_before_traffic_moved_is_not_counted() -> None:
    back = ev.Verified(ENDPOINT, {"blue": 100.0, "green": 0.0}, 11.0, 40, "key", RELEASE)
    view = seen(scenes.then(scenes.at_ten(), back))
    assert {slot: real.share for slot, real in reality(view).items()} == {"blue": None, "green": None}
    # A second that had begun before traffic moved holds answers of both; the next one does not.
    astride = ev.Sampled(ENDPOINT, Sample(None, MOMENT + 0.4, 100, mix={"version:6": 60, "version:7": 40}))
    after = ev.Sampled(ENDPOINT, Sample(None, MOMENT + 1.4, 100, mix={"version:6": 100}))
    events = scenes.then(scenes.at_ten(), back, astride)
    assert {slot: real.share for slot, real in reality(seen(events)).items()} == {"blue": None, "green": None}
    view = seen(scenes.then(events, after), MOMENT + 1.4)
    assert {slot: real.share for slot, real in reality(view).items()} == {"blue": 100.0, "green": 0.0}


def test_without_a_load_the_real_weight_is_the_routers_count() -> None:
    events = [e for e in scenes.at_ten() if not (isinstance(e.body, ev.Sampled) and e.body.sample.slot is None)]
    view = seen(events)
    assert reality(view)["green"].share == pytest.approx(10, abs=1)


def test_what_the_smoke_test_asks_is_nobodys_traffic() -> None:
    """Before a share was asked for, the new slot answers to it alone."""
    whole = scenes.at_ten()
    shift = next(n for n, e in enumerate(whole) if e.body == ev.StepStarted(RELEASE, scenes.HOLD - 1))
    before, at = [e for e in whole[:shift] if not isinstance(e.body, ev.Sampled)], whole[shift].at
    smoked = scenes.then(before, ev.Sampled(ENDPOINT, Sample("green", at - 0.5, 50)), at=at)
    assert {slot: real.share for slot, real in reality(seen(smoked, at)).items()} == {"blue": None, "green": None}
    users = scenes.then(smoked, ev.Sampled(ENDPOINT, Sample("blue", at - 0.5, 90)), at=at)
    assert {slot: real.share for slot, real in reality(seen(users, at)).items()} == {"blue": 100.0, "green": 0.0}


def test_two_slots_of_one_version_are_told_apart_by_the_router() -> None:
    last = scenes.at_ten()
    again = Observation("green", Version("late", "6"), 4, 4, 10.0)
    view = seen(scenes.then(last, ev.Observed(ENDPOINT, again)))
    assert reality(view)["green"].share == pytest.approx(10, abs=1)
    assert "v6 in blue 90 %, v6 in green 10 %" in text(proof(view))


def test_a_slot_shows_the_weight_it_has_beside_the_one_it_should_have() -> None:
    first, second, said = lines(TrafficPane(), seen(scenes.at_ten()))[:3]
    assert first.startswith("blue  v6 ")
    assert " 90.2 %  of 90 " in first
    assert second.endswith("4/4 ready")
    assert said == "✔ v6 90 %, v7 10 % · verified 3 ms after the route, 41 answers · 41 s ago"


def test_a_slot_line_keeps_its_columns_whatever_it_says() -> None:
    for at in (MOMENT - 240, MOMENT - 60, MOMENT, MOMENT + 30, KEY + 5):
        for line in lines(TrafficPane(), seen(recorded(at), at))[:1]:
            assert len(line) == 80
            assert line[-6:] == " ready"
            assert line.index(" rps p95") == 43


@pytest.mark.parametrize("cells", [56, 78, 99])
def test_large_versions_many_replicas_and_long_names_are_not_cut_where_it_matters(cells: int) -> None:
    name = "late-arrivals-of-domestic-flights-out-of-new-york-and-newark"
    large = Observation("blue", Version("late", "12345"), 100, 100, 90.0)
    events = scenes.then(scenes.at_ten(), ev.Observed(ENDPOINT, large))
    (first, *_) = lines(TrafficPane(), seen(events), cells)
    assert first.startswith("blue  v12345 ")
    assert " 100/100" in first
    renamed = [loads(dumps(e).replace(f'"endpoint":"{ENDPOINT}"', f'"endpoint":"{name}"')) for e in scenes.at_ten()]
    (top,) = lines(Top(), seen(renamed), cells + 2, 1)
    assert cells < 78 or "late-arrivals" in top
    assert cells < 99 or " · prod" in top


@pytest.mark.parametrize(
    ("events", "at", "said"),
    [
        (scenes.at_ten(), MOMENT, "late · prod         ● healthy v6   ▶ releasing v7 at 10 %"),
        (scenes.rolled_back(), KEY + 5, "late · prod  ● healthy v6   ◀ v7 rolled back → v6 4 s ago"),
    ],
)
def test_in_sixty_cells_the_environment_stands_and_not_the_clock(events: list[ev.Event], at: float, said: str) -> None:
    assert lines(Top(), seen(events, at), 58) == [said]


def test_the_milliseconds_from_the_key_stand_at_the_endpoint() -> None:
    view = seen(scenes.rolled_back(), KEY + 5)
    assert text(proof(view)) == "✔ all on v6 · verified 38 ms after the key, 20 answers · 5 s ago"


def test_weights_that_are_not_proved_yet_say_so() -> None:
    view = seen(scenes.then(scenes.at_ten(), ev.Routed(ENDPOINT, {"blue": 50, "green": 50}, RELEASE)))
    assert text(proof(view)) == "… v6 50 %, v7 50 %, not verified yet"


def test_a_proof_from_before_traffic_was_sent_elsewhere_is_none_of_the_way_back() -> None:
    """All was on v6 before the release; R comes while its first share is still on its way."""
    sent = ev.Routed(ENDPOINT, {"blue": 90.0, "green": 10.0}, RELEASE)
    before = ev.Verified(ENDPOINT, {"blue": 100.0}, 9, 20)
    turned = ev.TurnedBack(RELEASE, ev.Outcome.ROLLED_BACK, "rolled back")
    home = ev.Routed(ENDPOINT, {"blue": 100.0}, RELEASE)
    gone = scenes.then(scenes.at_ten(), ev.Routed(ENDPOINT, {"blue": 100.0}), before, sent, turned, home)
    view = seen(gone)
    assert text(proof(view)) == "… all on v6, not verified yet"
    assert text(verdict(view, 118)).startswith("◀ GOING BACK to v6")
    proved = scenes.then(gone, ev.Verified(ENDPOINT, {"blue": 100.0}, 40, 20, "key", RELEASE))
    assert text(proof(seen(proved))).startswith("✔ all on v6")


def test_what_failed_in_the_last_minute_is_not_healthy_before_traffic_moves() -> None:
    crashed = scenes.each_second(
        scenes.at_ten(), [*scenes.clients(MOMENT, 10, 0, {"HTTP 503": 100}), *scenes.clients(MOMENT + 10, 20, 100)]
    )
    view = seen(scenes.seen_each_second(crashed, 30), MOMENT + 30)
    assert text(health(view)).startswith("! unsteady: ")
    moved = scenes.then(crashed, ev.Verified(ENDPOINT, {"blue": 100}, 9, 20), at=MOMENT + 20)
    after = scenes.each_second(moved, scenes.clients(MOMENT + 20, 10, 100), at=MOMENT + 20)
    assert text(health(seen(scenes.seen_each_second(after, 30), MOMENT + 30))) == "● healthy v6"


def test_a_version_of_another_model_goes_by_its_models_name() -> None:
    other = Version("early", "7")
    events = [
        replace(e, body=replace(e.body, old_version=other)) if isinstance(e.body, ev.Placed) else e
        for e in scenes.at_ten()
    ]
    blue = seen(events).snapshot.endpoint(ENDPOINT).slots["blue"]
    stands = scenes.then(events, ev.Observed(ENDPOINT, replace(blue, version=other)))
    assert way_back(seen(stands)).text == "roll back → early v7 · 8/8 ready"


def sick(state: ReplicaState, ready: int) -> ev.Observed:
    """Blue with a replica that is not well."""
    replicas = (Replica("blue-1", state, why="exit code 1, again in 4 s"),)
    return ev.Observed(ENDPOINT, Observation("blue", Version("late", "6"), 2, ready, 90.0, replicas))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (sick(ReplicaState.BACKOFF, 1), "! degraded: 1 of 2 ready"),
        (sick(ReplicaState.STARTING, 1), "● healthy v6"),
        (sick(ReplicaState.DEAD, 0), "✖ v6 down: 0 of 2 ready"),
        (ev.Sampled(ENDPOINT, Sample("blue", MOMENT, 10, {"503": 800})), "✖ failing: 52 % of v6"),
    ],
)
def test_the_health_of_the_service(body: ev.Body, said: str) -> None:
    assert text(health(seen(scenes.then(scenes.at_ten(), body)))) == said


def test_at_half_each_both_versions_are_called_healthy_and_the_new_one_last() -> None:
    slots = seen(scenes.at_ten()).snapshot.endpoint(ENDPOINT).slots
    green, blue = (replace(slots[slot], weight=50.0) for slot in ("green", "blue"))
    sent = ev.Routed(ENDPOINT, {"blue": 50.0, "green": 50.0}, RELEASE)
    half: list[ev.Body] = [sent, ev.Observed(ENDPOINT, green), ev.Observed(ENDPOINT, blue)]
    assert text(health(seen(scenes.then(scenes.at_ten(), *half)))) == "● healthy v6, v7"
    swapped: list[ev.Body] = [
        ev.Placed(RELEASE, "blue", "green", green.version),
        ev.Observed(ENDPOINT, replace(green, version=Version("late", "8"))),
        ev.Observed(ENDPOINT, replace(blue, version=Version("late", "9"))),
    ]
    view = seen(scenes.then(scenes.at_ten(), *half, *swapped))
    assert text(health(view)) == "● healthy v8, v9"


def test_after_a_gate_failed_the_release_has_failed_and_the_service_is_fine() -> None:
    view = seen(scenes.failed())
    assert text(health(view)) == "● healthy v6"
    assert text(on_its_way(view)) == "✖ v7 failed 0 s ago"


@pytest.mark.parametrize(
    ("bodies", "said"),
    [
        ((ev.Paused(RELEASE),), "‖ paused v7 at 10 % since 14:02:31"),
        ((ev.Asked(RELEASE, scenes.HOLD, "go on?", MOMENT + 9),), "▶ releasing v7 waits for you"),
        ((ev.TurnedBack(RELEASE, ev.Outcome.ABORTED, "aborted"),), "◀ rolling back → v6"),
        (
            (ev.TurnedBack(RELEASE, ev.Outcome.ABORTED, "x"), ev.Ended(RELEASE, ev.Outcome.ABORTED)),
            "✖ v7 aborted 0 s ago",
        ),
        (
            (ev.TurnedBack(RELEASE, ev.Outcome.ROLLED_BACK, "x"), ev.TurnedForward(RELEASE)),
            "▶ returning to v7",
        ),
        ((ev.Ended(RELEASE, ev.Outcome.DONE),), "✔ released v7 0 s ago"),
        ((ev.Resumed(RELEASE, True), ev.StepDone(RELEASE, scenes.HOLD)), "‖ v7 waits for n: traffic"),
        (
            (
                ev.TurnedBack(RELEASE, ev.Outcome.ABORTED, "x"),
                ev.Routed(ENDPOINT, {"blue": 100}, RELEASE),
                ev.Verified(ENDPOINT, {"blue": 100}, 9, 20, "key", RELEASE),
            ),
            "◀ back on v6 · tidying up",
        ),
    ],
)
def test_what_is_on_its_way(bodies: tuple[ev.Body, ...], said: str) -> None:
    assert text(on_its_way(seen(scenes.then(scenes.at_ten(), *bodies)))) == said


@pytest.mark.parametrize(
    ("events", "at", "key", "said"),
    [
        (scenes.at_ten, MOMENT, "R", "roll back → v6 · 8/8 ready"),
        (scenes.rolled_back, KEY + 5, "u", "undo → v7 · 0:55 left"),
        (scenes.rolled_back, KEY + 90, "", "v6 serves"),
        (scenes.failed, MOMENT, "", "v6 serves"),
        (lambda: recorded(MOMENT - 50), MOMENT - 50, "R", "end it · no traffic has moved"),
        (list, MOMENT, "", "no way back yet"),
    ],
)
def test_the_way_back_says_what_it_would_do(events: object, at: float, key: str, said: str) -> None:
    back = way_back(seen(events(), at))  # type: ignore[operator]
    assert (back.key, back.text) == (key, said)


def test_the_endpoint_with_a_live_release_is_shown_first() -> None:
    live = scenes.at_ten()
    began = next(event.body for event in live if isinstance(event.body, ev.Began))
    later = replace(began, release="late-dev-0001", endpoint="late-dev")
    ended = ev.Ended("late-dev-0001", ev.Outcome.DONE)
    assert chosen(fold_all(scenes.then(live, later))) == "late-dev"
    assert chosen(fold_all(scenes.then(live, later, ended))) == "late"
    assert chosen(fold_all([])) is None


@pytest.mark.parametrize("size", [(200, 57), (120, 34), (100, 28), (80, 22), (99, 60), (40, 8), (8, 1)])
def test_the_panes_fill_the_screen_and_no_more(size: tuple[int, int]) -> None:
    cells, height = size
    room = share(cells, height, 14)
    assert all(count > 0 for name, count in room.heights.items() if name != "environments")
    if room.narrow:
        assert sum(room.heights.values()) == max(height, 12)
    else:
        for column in PANES_OF.values():
            assert sum(room.heights[name] for name in column) == height


def test_with_much_room_the_replicas_are_listed_and_environments_stand_side_by_side() -> None:
    few, many = share(200, 57, 14, replicas=2, environments=3), share(200, 57, 14, replicas=40)
    assert (few.heights["traffic"], few.heights["environments"]) == (9, 5)
    assert (many.heights["traffic"], many.heights["environments"]) == (15, 0)
    assert sum(few.heights[name] for name in PANES_OF["right"]) == 57
    assert share(120, 34, 14, replicas=40, environments=3).heights["environments"] == 0


def test_lines_keep_to_their_cells() -> None:
    assert cut("preprocess", 6) == "prepr…"
    assert right("7", 3) == "  7"
    assert width(fit((("abc", "text"), ("defgh", "dim")), 5)) == 5
    assert text(apart((("left", "text"),), (("right", "dim"),), 12)) == "left   right"
    assert [text(bar(share, 4, "x")) for share in (0, 0.5, 1, 2)] == ["░░░░", "██░░", "████", "████"]


def test_no_two_actions_share_a_key_or_a_name() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))
    assert len({action.name for action in ACTIONS}) == len(ACTIONS)


def test_the_version_that_is_released_is_named_everywhere() -> None:
    view = seen(scenes.at_ten())
    assert NEW.label in text(on_its_way(view))
