"""What the top line says of the service: it is green only while something answers, and old news say their age."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from core.domain.model import Contact, Noted, Observation, Version
from core.domain.sample import Sample
from core.state import events as ev
from core.state.events import Event
from tests.recordings.make import ENDPOINT, KEY, LIVE, MOMENT, RELEASE
from tests.tui import scenes
from tests.tui.looking import lines, seen, text
from tui.actions import WayBack, way_back
from tui.health import health
from tui.history import UNWATCHED_S, History, Silence, answers
from tui.summary import on_its_way, proof, reality
from tui.view import Refusal, View
from tui.why import service
from tui.widgets.bars import Top
from tui.widgets.gates import Gates
from tui.widgets.scaling import Scaling
from tui.widgets.stages import Stages
from tui.widgets.traffic import TrafficPane

Scene = Callable[[], list[Event]]


def idle() -> list[Event]:
    """v6 is served, its watch tells each second, and nobody asks it anything."""
    quiet = [Sample("blue", MOMENT - 150 + n, 0) for n in range(3)]
    return scenes.seen_each_second(
        scenes.then(scenes.served(), *(ev.Sampled(ENDPOINT, one) for one in quiet), at=MOMENT - 150), 1
    )


def in_touch() -> list[Event]:
    """Nobody asks v6 anything, and its place says every few seconds that it is there."""
    events = idle()
    for n in range(5, 65, 5):
        events = scenes.then(events, ev.Contacted(ENDPOINT, Contact(MOMENT + n)), at=MOMENT + n)
    return events


def out_of_touch() -> list[Event]:
    """Its place has just been found to be silent, for 11 s by then; that this was said is no sign of life."""
    lost = ev.Contacted(ENDPOINT, Contact(MOMENT + 60, "no answer from 10.0.0.1"))
    note = ev.Remarked(ENDPOINT, Noted("nothing was heard of the cluster for 11 s", source="kubernetes"))
    return scenes.then(in_touch(), lost, note, at=MOMENT + 71)


def failing_at_the_router() -> list[Event]:
    """83 of 100 answers of v7 fail, and no load of ours runs."""
    events = scenes.then(scenes.at_ten(), ev.LoadEnded(ENDPOINT, "background", "it was stopped"))
    bad = Sample("green", MOMENT + 4, 17, {"500": 83})
    return scenes.then(scenes.seen_each_second(events, 4), ev.Sampled(ENDPOINT, bad), at=MOMENT + 4)


def paused_load() -> list[Event]:
    """The load is paused: nobody asks, so nobody answers."""
    events = scenes.then(scenes.at_ten(), ev.LoadWanted(ENDPOINT, paused=True))
    zeros = [ev.Sampled(ENDPOINT, Sample(slot, MOMENT + 1, 0)) for slot in ("blue", "green")]
    return scenes.seen_each_second(scenes.then(events, *zeros, at=MOMENT + 1), 8)


def copied() -> list[Event]:
    """Others ask v6, v7 gets a copy of 20 %, and fails."""
    at_first = next(
        e.body.observation
        for e in reversed(scenes.at_ten())
        if isinstance(e.body, ev.Observed) and e.body.observation.slot == "green"
    )
    events = scenes.then(
        scenes.at_ten(),
        ev.LoadEnded(ENDPOINT, "background", "it was stopped"),
        ev.Observed(ENDPOINT, replace(at_first, weight=0.0, mirror=20.0)),
        ev.Observed(ENDPOINT, replace(at_first, slot="blue", version=Version("late", "6"), weight=100.0)),
    )
    for n in range(1, 9):
        copies = ev.Sampled(ENDPOINT, Sample("green", MOMENT + n, 0, {"500": 8}, mirrored=8))
        users = ev.Sampled(ENDPOINT, Sample("blue", MOMENT + n, 40))
        events = scenes.then(events, users, copies, at=MOMENT + n)
    return events


def outside() -> list[Event]:
    """Others than our load ask, and are answered."""
    events = scenes.then(scenes.at_ten(), ev.LoadEnded(ENDPOINT, "background", "it was stopped"))
    return scenes.each_second(events, [ev.Sampled(ENDPOINT, Sample("blue", MOMENT + n, 40)) for n in range(1, 9)])


def counts_stop() -> list[Event]:
    """Others ask, and whoever counts their answers is gone, though the target is heard of."""
    return scenes.seen_each_second(outside(), 12)


def others_leave() -> list[Event]:
    """Others have asked, and ask no more: the router counts none."""
    zeros = [ev.Sampled(ENDPOINT, Sample("blue", MOMENT + n, 0)) for n in (9, 10, 11)]
    return scenes.then(outside(), *zeros, at=MOMENT + 11)


def slow_users() -> list[Event]:
    """One user who asks every 6 s, and was answered 5 s ago."""
    seconds = [Sample(None, MOMENT + n, int(n % 6 == 1), users=1) for n in range(1, 37)]
    start = [e for e in scenes.served() if not isinstance(e.body, ev.Sampled)]
    begun = scenes.then(start, ev.LoadStarted(ENDPOINT, "manual", scenes.ONE_USER), at=MOMENT)
    told = scenes.each_second(begun, [ev.Sampled(ENDPOINT, one) for one in seconds])
    return scenes.seen_each_second(told, 36)


def more_users_while_nothing_answers() -> list[Event]:
    """Somebody adds users to a load that nothing answers: that is no answer either."""
    return scenes.then(scenes.router_hangs(), ev.LoadWanted(ENDPOINT, users=310), at=MOMENT + 5.5)


def load_dies() -> list[Event]:
    """Who sends the load is gone: its count stops, and the target is heard of and has nothing to count."""
    zeros = [ev.Sampled(ENDPOINT, Sample("blue", MOMENT + n, 0)) for n in (1, 2, 3)]
    return scenes.each_second(scenes.at_ten(), zeros)


def users_after_none() -> list[Event]:
    """For a minute the load had no users; now it has some again, for a second."""
    events = scenes.then(scenes.at_ten(), ev.LoadWanted(ENDPOINT, users=0))
    zeros = [ev.Sampled(ENDPOINT, Sample(None, MOMENT + n, 0, users=0)) for n in range(1, 61)]
    zeros_too = [ev.Sampled(ENDPOINT, Sample(slot, MOMENT + 59, 0)) for slot in ("blue", "green")]
    quiet = scenes.then(scenes.each_second(events, zeros), *zeros_too, at=MOMENT + 60)
    return scenes.then(scenes.seen_each_second(quiet, 60), ev.LoadWanted(ENDPOINT, users=5), at=MOMENT + 60)


@pytest.mark.parametrize(
    ("scene", "at", "said"),
    [
        (scenes.at_ten, MOMENT, "● healthy v6"),
        (lambda: scenes.router_hangs(2), MOMENT + 1, "● healthy v6"),
        (lambda: scenes.router_hangs(3), MOMENT + 3, "✖ no answer for 3 s"),
        (scenes.router_hangs, MOMENT + 6, "✖ no answer for 6 s"),
        (lambda: scenes.stops_between(0.9, 2), MOMENT + 2.0, "● healthy v6"),
        (lambda: scenes.stops_between(0.9, 2), MOMENT + 2.1, "✖ no answer for 2 s"),
        (lambda: scenes.stops_between(0.0, 2), MOMENT + 2.9, "● healthy v6"),
        (load_dies, MOMENT + 4, "? the load is not heard from for 4 s"),
        (more_users_while_nothing_answers, MOMENT + 6, "✖ no answer for 6 s"),
        (users_after_none, MOMENT + 61, "◦ ready, no traffic"),
        (scenes.clients_fail, MOMENT + 6, "✖ failing: 72 % at the client"),
        (failing_at_the_router, MOMENT + 4, "✖ failing: 83 % of v7"),
        (scenes.all_crash, MOMENT + 6, "✖ v6 down: 0 of 8 ready"),
        (scenes.unheard, MOMENT + 12, "? not heard from for 13 s"),
        (scenes.at_ten, MOMENT + 700, "? not heard from for 12 min"),
        (idle, MOMENT + 1, "◦ ready, no traffic"),
        (in_touch, MOMENT + 70, "◦ ready, no traffic"),
        (in_touch, MOMENT + 73, "? not heard from for 13 s"),
        (out_of_touch, MOMENT + 71, "? not heard from for 11 s"),
        (idle, MOMENT + 1 + UNWATCHED_S + 10, "? not heard from for 40 s"),
        (paused_load, MOMENT + 8, "◦ ready, no traffic"),
        (outside, MOMENT + 8, "● healthy v6"),
        (counts_stop, MOMENT + 10, "● healthy v6"),
        (counts_stop, MOMENT + 12, "? answers not counted for 4 s"),
        (others_leave, MOMENT + 12, "◦ ready, no traffic"),
        (slow_users, MOMENT + 36, "● healthy v6"),
        (slow_users, MOMENT + 76, "? not heard from for 40 s"),
        (scenes.rolled_back, KEY + 5, "● healthy v6"),
        (list, MOMENT, "◦ nothing is served"),
    ],
)
def test_health_is_what_answers_now(scene: Scene, at: float, said: str) -> None:
    assert text(health(seen(scene(), at))) == said


@pytest.mark.parametrize(
    ("scene", "at"),
    [
        (scenes.router_hangs, MOMENT + 6),
        (scenes.clients_fail, MOMENT + 6),
        (scenes.all_crash, MOMENT + 6),
        (scenes.unheard, MOMENT + 12),
        (scenes.at_ten, MOMENT + 700),
        (idle, MOMENT + 1),
    ],
)
def test_nothing_is_called_healthy_in_green_that_is_not(scene: Scene, at: float) -> None:
    assert "good" not in {role for _, role in health(seen(scene(), at))}


def test_a_lost_journal_is_not_heard_from_at_once() -> None:
    known = seen(scenes.at_ten())
    lost = View(known.snapshot, known.history, known.name, MOMENT + 1, lost="journal.db: disk I/O error")
    assert text(health(lost)).startswith("? not heard from for")


def test_what_is_not_heard_of_shows_its_figures_without_colour() -> None:
    view = seen(scenes.unheard(), MOMENT + 12)
    rows = TrafficPane().lines(view, 80, 3)
    assert "good" not in {role for row in rows for _, role in row}
    assert TrafficPane().note_of(view) == "as of 13 s ago · 127.0.0.1:8080"


def test_while_nothing_answers_no_slot_has_figures_of_the_seconds_before() -> None:
    view = seen(scenes.stops_between(0.9, 2), MOMENT + 2.1)
    rows = TrafficPane().lines(view, 80, 3)[:2]
    assert all(text(row).split()[-11:-3] == ["?", "of", share, "–", "rps", "p95", "–", "–"]
               for row, share in zip(rows, ("90", "10"), strict=True))  # fmt: skip
    assert "good" not in {role for row in rows for _, role in row}


def _answered_elsewhere(seconds: int, at_replicas: int) -> View:
    """The load is refused by somebody, and each second both slots say how often they were asked."""
    counted = [
        ev.Sampled(ENDPOINT, Sample(slot, MOMENT + n, at_replicas))
        for n in range(1, seconds + 1)
        for slot in ("blue", "green")
    ]
    events = scenes.clients_fail(seconds)
    return seen([*events, *scenes.then(events, *counted, at=MOMENT + seconds)[len(events) :]], MOMENT + seconds)


def test_where_a_load_gets_answers_that_no_replica_gave_that_is_said() -> None:
    """A name that leads elsewhere, another's balancer at the same address, a gateway that refuses all."""
    assert text(health(_answered_elsewhere(20, 0))) == "✖ failing: 72 % at the client, no replica saw one"
    assert text(health(_answered_elsewhere(20, 1))) == "✖ failing: 72 % at the client"
    assert text(health(seen(scenes.clients_fail(20), MOMENT + 20))) == "✖ failing: 72 % at the client"


def test_a_proof_is_no_good_sign_while_the_service_fails() -> None:
    assert proof(seen(scenes.at_ten()))[0] == ("✔ ", "good")
    for scene in (scenes.router_hangs, scenes.clients_fail, scenes.all_crash):
        assert proof(seen(scene(), MOMENT + 6))[0] == ("✔ ", "dim")


def test_verdicts_that_are_old_say_so_and_are_not_green() -> None:
    view = seen(scenes.failed(), MOMENT + 660)
    pane = Gates()
    assert lines(pane, view, 34, 20)[0] == "judged 11 min ago"
    assert "good" not in {role for row in pane.lines(view, 34, 20) for _, role in row}
    assert "fails" in {role for row in pane.lines(view, 34, 20) for _, role in row}
    assert pane.why(view)[0] == "judged 11 min ago, and not since:"
    pane.folded = True
    assert "judged 11 min ago" in lines(pane, view, 78, 1)[0]
    assert not any("judged" in line for line in lines(Gates(), seen(scenes.at_ten()), 34, 20))


def test_a_hold_that_is_paused_stands_still() -> None:
    notes = {Gates().note_of(seen(scenes.paused(), MOMENT + after)) for after in (1, 10, 30)}
    assert notes == {"paused at 0:40 of 1:00"}
    view = seen(scenes.paused(), MOMENT + 30)
    assert text(on_its_way(view)) == "‖ paused v7 at 10 % since 14:02:31"
    assert Stages().note_of(view) == "canary · paused since 14:02:31"


def test_figures_that_nobody_counts_any_more_are_none_of_now() -> None:
    """Another driver begins the load anew: between two counts the slots answer, but nobody knows what."""
    events = scenes.seen_each_second(scenes.at_ten(), 5)
    begun = ev.LoadStarted(ENDPOINT, "background", scenes.ONE_USER, "background")
    view = seen(scenes.then(events, begun, at=MOMENT + 5), MOMENT + 6)
    assert text(health(view)).startswith("? answers not counted for")
    assert all(one.share is None and one.sample is None for one in reality(view).values())


def test_a_release_that_nobody_drives_says_so() -> None:
    silent = seen(scenes.at_ten(), MOMENT + 40)
    assert text(on_its_way(silent)) == "‖ nobody drives v7 at 10 %"
    assert lines(TrafficPane(), silent)[2].startswith("‖ nobody drives this release")
    unscaled = [event for event in scenes.at_ten() if not isinstance(event.body, ev.Looked)]
    assert lines(Scaling(), seen(unscaled, MOMENT + 40), 80, 1)[0].endswith("replicas ready when last heard of")
    driven = scenes.then(scenes.at_ten(), ev.Drove(ENDPOINT, "watch"))
    assert "driven by watch" in TrafficPane().name_of(seen(driven))
    assert TrafficPane().name_of(seen(driven, MOMENT + 40)) == "endpoint late"
    back = scenes.then(scenes.at_ten(), ev.TurnedBack(RELEASE, ev.Outcome.ROLLED_BACK, "rolled back"))
    view = seen(back, MOMENT + 40)
    assert text(on_its_way(view)) == "‖ nobody drives v7 on its way back"
    assert way_back(view) == WayBack("R", "goes on with the way back → v6")
    assert way_back(seen(back)) == WayBack("", "on its way back → v6")
    steps = ev.TurnedBack(RELEASE, ev.Outcome.ROLLED_BACK, "rolled back", shares=(5.0,), pause_s=60.0)
    assert way_back(seen(scenes.then(scenes.at_ten(), steps))) == WayBack("R", "all at once → v6")


@pytest.mark.parametrize("cells", [80, 120])
def test_a_driver_that_hangs_is_said_before_where_it_stands(cells: int) -> None:
    view = replace(seen(scenes.at_ten()), hangs_s=9.0)
    top = lines(Top(), view, cells)[0]
    assert "! its driver hangs for 9 s" in top
    assert "hangs: no sign of life for 9 s; another takes over if that lasts" in "\n".join(TrafficPane().why(view))
    served = replace(seen(scenes.served()), hangs_s=9.0)
    assert "! the watch hangs for 9 s" in lines(Top(), served, cells)[0]


def test_who_drives_is_said_with_since_when() -> None:
    view = seen(scenes.then(scenes.at_ten(), ev.Drove(ENDPOINT, "watch of ops")))
    assert TrafficPane().name_of(view) == "endpoint late · driven by watch of ops since 14:02:31"


def test_why_names_errors_deaths_restarts_and_the_proof() -> None:
    said = "\n".join(TrafficPane().why(seen(scenes.all_crash(), MOMENT + 6)))
    for part in (
        "service ✖ v6 down: 0 of 8 ready",
        "errors at the client 100 % of",
        "HTTP 503 ×",
        "v6 90 %, v7 10 % · verified 3 ms after the route",
        "blue-3 died: exit code 1",
        "blue has restarted ×32",
        "blue-1 backoff: exit code 1, again in 8 s",
    ):
        assert part in said
    assert "as they should be" not in said


def test_why_names_what_the_target_has_not_taken_and_what_this_deck_was_refused() -> None:
    known = seen(scenes.then(scenes.at_ten(), ev.AskFailed(RELEASE, "port 8080 is taken", 3, scenes.HOLD)))
    view = View(
        known.snapshot, known.history, known.name, MOMENT, refusals=(Refusal(MOMENT, "late: no load is running"),)
    )
    said = TrafficPane().why(view)
    assert "the target has not taken it so far: port 8080 is taken" in said
    assert "at 14:02:31 refused: late: no load is running" in said


def test_what_callers_did_wrong_is_an_answer_and_is_held_against_nobody() -> None:
    fuzzed = Sample("blue", MOMENT + 1, 100, refused={"404": 900})
    view = seen(scenes.then(scenes.at_ten(), ev.Sampled(ENDPOINT, fuzzed), at=MOMENT + 1), MOMENT + 1)
    assert text(health(view)) == "● healthy v6"
    assert "asked wrongly of blue in its last sample: 404 ×900" in TrafficPane().why(view)
    assert answers(Sample("blue", MOMENT, refused={"401": 1}))
    assert answers(Sample(None, MOMENT, failed={"HTTP 503": 9}))
    assert not answers(Sample(None, MOMENT, failed={"ConnectionRefusedError(111)": 9, "timeout": 1}))


def test_time_that_nobody_watched_is_remembered() -> None:
    looks = [Event(n, at, "target", ev.Observed(ENDPOINT, Observation("blue", LIVE, 1, 1, 100.0)))
             for n, at in enumerate((0.0, 1.0, 120.0, 121.0), 1)]  # fmt: skip
    history = History()
    for event in looks:
        history = history.plus(event)
    assert history.silences == {ENDPOINT: (Silence(1.0, 120.0),)}


def test_what_came_before_is_known_from_a_snapshot_that_carries_it() -> None:
    known = seen(scenes.at_ten())
    carried = History().plus(Event(1, MOMENT, "engine", ev.Carried(known.snapshot)))
    view = View(known.snapshot, carried, known.name, MOMENT)
    assert text(health(view)) == "● healthy v6"
    assert {point.slot: point.ready for point in view.points} == {"blue": 8, "green": 4}


def test_the_top_line_is_drawn_anew_when_the_silence_gets_too_long_and_not_a_second_later() -> None:
    events = scenes.stops_between(0.9, 2)
    known = seen(events)
    views = [View(known.snapshot, known.history, known.name, MOMENT + after) for after in (2.02, 2.12)]
    for pane in (Top(), TrafficPane()):
        early, late = (pane.parts(view) for view in views)
        assert [one is two for one, two in zip(early, late, strict=True)].count(False) == 1


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 120, 200])
def test_the_health_of_the_service_stays_in_the_top_line(width: int) -> None:
    for scene, at in ((scenes.router_hangs, MOMENT + 6), (scenes.clients_fail, MOMENT + 6), (scenes.failed, MOMENT)):
        view = seen(scene(), at)
        assert text(health(view)) in lines(Top(), view, width, 1)[0]


def test_a_version_that_is_new_is_not_named_healthy_for_what_answered_before() -> None:
    again = Observation("blue", Version("late", "9"), 2, 2, 100.0)
    view = seen(scenes.then(scenes.served(), ev.Observed(ENDPOINT, again)), MOMENT)
    assert "healthy" not in text(health(view))


def test_copies_are_nobodys_answers_and_their_slot_says_how_many_it_gets() -> None:
    view = seen(copied(), MOMENT + 8)
    assert text(health(view)) == "● healthy v6"
    assert {slot: real.share for slot, real in reality(view).items()} == {"blue": 100.0, "green": 0.0}
    assert view.answered_at("green") <= MOMENT
    first, second = lines(TrafficPane(), view)[:2]
    assert (first.index(" rps"), first.index(" err")) == (second.index(" rps"), second.index(" err"))
    assert " mirror 20 % " in second
    assert " 100.0 % err " in second


def test_what_was_deleted_in_its_place_is_no_quiet_matter() -> None:
    """Of the slot that serves it is what callers meet; of the one that is kept, that the way back takes longer."""
    ended = scenes.then(
        scenes.at_ten(),
        ev.Routed(ENDPOINT, {"blue": 0.0, "green": 100.0}, RELEASE),
        ev.RetireDue(ENDPOINT, "blue", MOMENT + 600),
        ev.Ended(RELEASE, ev.Outcome.DONE, ""),
    )
    gone = scenes.then(ended, ev.Observed(ENDPOINT, Observation("green", None, 0, 0, 0.0)))
    view = seen(gone, MOMENT + 1)
    assert health(view) == (("✖ ", "fails"), ("v7 was deleted: 100 % unanswered", "fails"))
    assert any("green with v7 was deleted where it stood" in text(row) for row in TrafficPane().lines(view, 120, 6))
    assert any("green with v7 was deleted" in line for line in service(view))
    all_of_it = seen(scenes.then(gone, ev.Observed(ENDPOINT, Observation("blue", None, 0, 0, 0.0))), MOMENT + 1)
    assert "green with v7 was deleted" in "".join(text(row) for row in TrafficPane().lines(all_of_it, 120, 6))
    kept = scenes.then(ended, ev.Observed(ENDPOINT, Observation("blue", None, 0, 0, 0.0)))
    assert health(seen(kept, MOMENT + 1)) == (("! ", "moves"), ("v6, the way back, was deleted", "moves"))
