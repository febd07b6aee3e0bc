"""Events into state."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings, strategies as st

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.load_profile import LoadProfile
from core.domain.model import Level, Noted, Observation, Scaled
from core.domain.plan import Deploy, Hold, Plan, Shift, Summarise, Work
from core.domain.sample import Sample, Series
from core.state import events as ev
from core.state.endpoint import KEEP_MARKS, MarkKind
from core.state.fold import fold, fold_all
from core.state.release import ReleaseState, Status
from core.state.snapshot import KEEP_LINES, KEEP_RELEASES, Snapshot
from tests.environments import V1, V2
from tests.nouns import BODIES

PLAN = Plan("canary", (Work("train"), Deploy(2), Shift(10), Hold(5, ()), Work("alias"), Summarise()))
PROFILE = LoadProfile("steady", 5, 2.0, None)
BEGAN = ev.Began("r", "late", "dev", PLAN)


def after(*bodies: ev.Body) -> Snapshot:
    return fold_all(ev.Event(seq, float(seq), "ada", body) for seq, body in enumerate(bodies, 1))


@settings(max_examples=80, deadline=None)
@given(st.lists(BODIES, max_size=30))
def test_any_events_fold_whatever_they_are_about(bodies: list[ev.Body]) -> None:
    snapshot = after(*bodies)
    assert snapshot.seq == len(bodies)


@settings(max_examples=40, deadline=None)
@given(st.lists(BODIES, max_size=20))
def test_nothing_is_lost_whatever_comes_after_it(bodies: list[ev.Body]) -> None:
    first = (BEGAN, ev.Chose("r", V1), ev.Observed("late", Observation("blue", V1, 2, 2, 100.0)))
    others = [b for b in bodies if getattr(b, "release", None) != "r" and getattr(b, "endpoint", None) != "late"]
    one, all_ = after(*first), after(*first, *others)
    assert (all_.releases["r"].version, all_.releases["r"].plan) == (V1, PLAN)
    assert all_.endpoints["late"].slots == one.endpoints["late"].slots


def test_what_an_event_does_not_touch_stays_the_very_same() -> None:
    before = after(
        BEGAN, ev.Observed("late", Observation("blue", V1, 2, 2, 100.0)), ev.Sampled("late", Sample("blue", 1))
    )
    later = fold(before, ev.Event(4, 4.0, "ada", ev.Sampled("other", Sample("blue", 2.0))))
    assert later.releases is before.releases
    assert later.endpoints["late"] is before.endpoints["late"]
    assert later.series["late", "blue"] is before.series["late", "blue"]
    assert later.log is before.log
    moved = fold(before, ev.Event(4, 4.0, "ada", ev.StepMoved("r", 0, "half")))
    assert moved.endpoints is before.endpoints


def test_a_fact_about_a_step_that_is_not_there_changes_nothing() -> None:
    before = after(BEGAN)
    for body in (ev.StepStarted("r", 99), ev.StepDone("r", 99), ev.Waved("r", -7)):
        assert fold(before, ev.Event(2, 2.0, "ada", body)).releases["r"].steps == before.releases["r"].steps


def test_steps_begin_come_further_and_end() -> None:
    said = after(
        BEGAN,
        ev.StepStarted("r", 0),
        ev.StepAsked("r", 0),
        ev.StepMoved("r", 0, "half", 0.5, {"f1": 0.8}),
        ev.StepMoved("r", 0, "more", 0.7, {"auc": 0.9}),
        ev.StepDone("r", 0, "f1 .8", {"f1": 0.8}),
        ev.StepStarted("r", 1),
        ev.StepFailed("r", 1, "no"),
    ).releases["r"]
    train, deploy = said.steps[0], said.steps[1]
    assert (train.status, train.figure, train.figures, train.fraction) == (
        Status.DONE, "f1 .8", {"f1": 0.8, "auc": 0.9}, 1.0,
    )  # fmt: skip
    assert (train.started_at, train.ended_at) == (2.0, 6.0)
    assert (deploy.status, deploy.why, said.index, said.current) == (Status.FAILED, "no", 1, deploy)


def test_a_new_driver_interrupts_what_was_under_way_and_nothing_else() -> None:
    said = after(
        BEGAN,
        ev.StepDone("r", 0),
        ev.StepStarted("r", 1),
        ev.StepAsked("r", 1),
        ev.Asked("r", 1, "go on?", 9.0),
        ev.LoadStarted("late", "background", PROFILE),
        ev.Drove("late", "bob"),
    )
    release = said.releases["r"]
    assert [s.status for s in release.steps[:3]] == [Status.DONE, Status.INTERRUPTED, Status.WAITING]
    assert not release.steps[1].asked
    load = said.endpoints["late"].load
    assert load is not None
    assert (load.running, load.why, said.endpoints["late"].driver) == (False, "its driver is gone", "bob")
    again = fold(said, ev.Event(8, 8.0, "bob", ev.StepStarted("r", 1))).releases["r"].steps[1]
    assert again.question is not None


def test_load_by_hand_goes_on_under_a_new_driver() -> None:
    said = after(ev.LoadStarted("late", "manual", PROFILE), ev.Drove("late", "bob"))
    assert said.endpoints["late"].load is not None
    assert said.endpoints["late"].load.running


def test_load_is_what_was_asked_for_last() -> None:
    said = after(
        ev.LoadStarted("late", "manual", PROFILE, "rows", "http://127.0.0.1:8089"),
        ev.LoadWanted("late", users=10),
        ev.LoadWanted("late", spawn_rate=7.0, paused=True, reset=True),
        ev.LoadWanted("late", stop=True),
        ev.LoadEnded("late", "manual", "stopped", ("a.html",)),
    ).endpoints["late"]
    load = said.load
    assert load is not None
    assert (load.users, load.spawn_rate, load.paused, load.reset_seq, load.wanted_seq) == (10, 7.0, True, 3, 4)
    assert (load.stop, load.running, load.why, load.artifacts) == (True, False, "stopped", ("a.html",))
    assert [(mark.kind, mark.text) for mark in said.marks] == [(MarkKind.USERS, "10 users")]
    assert after(ev.LoadWanted("late", users=1), ev.LoadEnded("late", "x")).endpoints["late"].load is None


def test_traffic_leaves_marks_and_a_slot_with_traffic_is_not_retired() -> None:
    said = after(
        ev.RetireDue("late", "blue", 99.0),
        ev.RetireDue("late", "green", 99.0),
        ev.Routed("late", {"blue": 100.0}),
        ev.Verified("late", {"blue": 100.0}, 3.0, 20),
        ev.Verified("late", {"blue": 100.0}, 3.0, 20),
        ev.Verified("late", {"blue": 50.0, "green": 50.0}, 3.0, 20),
        ev.Verified("late", {}, 3.0, 0),
    ).endpoints["late"]
    assert said.retire == {"green": 99.0}
    assert [(m.text, m.slot) for m in said.marks] == [
        ("blue takes 100 %", "blue"),
        ("traffic moved", "blue"),
        ("green takes 50 %", "green"),
        ("traffic moved", None),
    ]


def test_what_a_target_says_is_kept() -> None:
    gone = Observation("blue", None, 0, 0, 0.0)
    said = after(
        ev.Opened("late", "http://127.0.0.1:1", "prod", "local", True),
        ev.Observed("late", Observation("blue", V1, 2, 2, 100.0)),
        ev.Observed("late", Observation("green", V2, 2, 1, 0.0)),
        ev.Looked("late", Scaled("blue", 1.0, 2, 2, "tolerance")),
        ev.Looked("late", Scaled("blue", 2.0, 2, 4, "cpu")),
        ev.Remarked("late", Noted("a replica died", Level.ERROR, "blue")),
        ev.Remarked("late", Noted("it came back")),
        ev.Tailed("late", "blue-1", 9.0),
        ev.Tailed("late", "blue-2", 9.0),
        ev.Tailed("late", "blue-1", None),
        ev.Removed("late", "green"),
        ev.Observed("late", gone),
    ).endpoints["late"]
    assert (said.url, said.environment, said.production) == ("http://127.0.0.1:1", "prod", True)
    assert set(said.slots) == {"green"}
    assert (said.tails, said.serving) == ({"blue-2": 9.0}, None)
    assert [m.kind for m in said.marks] == [MarkKind.SCALED, MarkKind.DIED]
    assert said.scaled == {}, "no autoscaler looks after what is gone"


def test_the_way_back_and_forward_are_remembered() -> None:
    going = after(
        BEGAN,
        ev.Placed("r", "green", "blue", V1, 2),
        *(ev.StepDone("r", i) for i in range(2)),
        ev.StepStarted("r", 2),
        ev.StepAsked("r", 2),
        ev.TurnedBack("r", ev.Outcome.ROLLED_BACK, "rolled back", 6.5),
        ev.Applied("r", "blue"),
        ev.Routed("late", {"blue": 100.0}, "r"),
        ev.Removed("late", "green", "r"),
    )
    way = going.releases["r"].way
    assert way is not None
    assert (way.reached, way.asked_at, way.applied_at, way.routed, way.dropped) == (10, 6.5, 8.0, True, True)
    assert going.releases["r"].steps[2].status is Status.INTERRUPTED
    died = fold(going, ev.Event(11, 11.0, "bob", ev.Drove("late", "bob"))).releases["r"].way
    assert died is not None
    assert (died.driven_at, died.applied_at, died.routed) == (11.0, None, False)
    over = fold_all(
        (
            ev.Event(11, 11.0, "ada", ev.Aliased("r", True)),
            ev.Event(12, 12.0, "ada", ev.Ended("r", ev.Outcome.ROLLED_BACK, "rolled back", "")),
            ev.Event(13, 13.0, "ada", ev.Reported("r", "/runs/r")),
        ),
        going,
    )
    release = over.releases["r"]
    assert (release.state, release.folder, release.aliases_moved) == (ReleaseState.ENDED, "/runs/r", False)
    forward = fold(over, ev.Event(14, 14.0, "ada", ev.TurnedForward("r", 13.5))).releases["r"]
    assert (forward.state, forward.outcome, forward.ended_at) == (ReleaseState.FORWARD, None, None)
    resumed = fold_all((ev.Event(15, 15.0, "ada", ev.Resumed("r", True)),), _with(over, forward)).releases["r"]
    assert (resumed.state, resumed.step_by_step) == (ReleaseState.RUNNING, True)
    late = after(BEGAN, ev.Applied("r", "blue"), ev.TurnedForward("r"), ev.Aliased("r"))
    assert (late.releases["r"].way, late.releases["r"].aliases_moved) == (None, True)


def _with(snapshot: Snapshot, release: object) -> Snapshot:
    from dataclasses import replace

    return replace(snapshot, releases={"r": release})  # type: ignore[dict-item]


def test_gates_are_counted_in_a_row_by_their_place() -> None:
    def judged(*outcomes: GateResult) -> ev.Judged:
        gate = Gate("p95_ms", "<", 1.0)
        return ev.Judged("r", 3, tuple(Verdict(gate, outcome, None, "") for outcome in outcomes))

    rows: list[tuple[ev.Judged, Mapping[str, int]]] = [
        (judged(GateResult.FAIL, GateResult.ERROR), {"0": 1, "1!": 1}),
        (judged(GateResult.FAIL, GateResult.ERROR), {"0": 2, "1!": 2}),
        (judged(GateResult.PASS, GateResult.INCONCLUSIVE), {}),
        (judged(GateResult.ERROR, GateResult.FAIL), {"0!": 1, "1": 1}),
    ]
    snapshot = after(BEGAN)
    for seq, (body, fails) in enumerate(rows, 2):
        snapshot = fold(snapshot, ev.Event(seq, float(seq), "ada", body))
        assert snapshot.releases["r"].steps[3].fails == fails
    assert snapshot.releases["r"].verdicts == rows[-1][0].verdicts
    assert after(BEGAN).releases["r"].verdicts == ()
    said = [line.text for line in snapshot.log if line.source == "gates"]
    assert len(said) == 3


def test_only_so_much_is_kept() -> None:
    many = KEEP_LINES + 50
    said = after(*(ev.Logged("late", "train", f"line {n}") for n in range(many)))
    assert (len(said.log), said.log[-1].text) == (KEEP_LINES, f"line {many - 1}")
    shares = ({"blue": 100.0}, {"green": 100.0})
    said = after(*(ev.Verified("late", shares[n % 2], 1.0, 1) for n in range(KEEP_MARKS + 20)))
    assert len(said.endpoints["late"].marks) == KEEP_MARKS
    said = after(*(ev.Sampled("late", Sample(None, float(n))) for n in range(Series.KEEP + 10)))
    assert len(said.series["late", None].samples) == Series.KEEP


def test_the_release_of_an_endpoint_is_the_live_one_else_the_last() -> None:
    two = after(
        BEGAN,
        ev.Ended("r", ev.Outcome.DONE),
        ev.Began("s", "late", "dev", PLAN),
        ev.Began("t", "other", "dev", PLAN),
    )
    assert two.release_of("late") is two.releases["s"]
    assert two.live_release("late") is two.releases["s"]
    assert two.release_of("nowhere") is None
    ended = fold(two, ev.Event(5, 5.0, "ada", ev.Ended("s", ev.Outcome.FAILED)))
    assert ended.live_release("late") is None
    assert ended.release_of("late") is ended.releases["s"]


@pytest.mark.parametrize("share", [0.0, 30.0, 100.0])
def test_who_serves_is_who_takes_most(share: float) -> None:
    said = after(
        ev.Observed("late", Observation("blue", V1, 1, 1, 100.0 - share)),
        ev.Observed("late", Observation("green", V2, 1, 1, share)),
    )
    assert said.endpoints["late"].serving == ("green" if share > 50 else "blue")


def test_a_process_that_runs_for_long_holds_the_newest_releases_and_what_a_way_back_needs() -> None:
    said: list[ev.Body] = [ev.Began("live", "other", "dev", PLAN)]
    for number in range(3 * KEEP_RELEASES):
        name = f"r{number}"
        outcome = ev.Outcome.DONE if number == 5 else ev.Outcome.FAILED
        said += [ev.Began(name, "late", "dev", PLAN), ev.Ended(name, outcome)]
    snapshot = after(*said)
    assert KEEP_RELEASES <= len(snapshot.releases) <= 2 * KEEP_RELEASES
    assert list(snapshot.releases)[:2] == ["live", "r5"]
    last = snapshot.release_of("late")
    assert last is not None
    assert last.id == f"r{3 * KEEP_RELEASES - 1}"


def test_a_proof_of_the_same_key_by_who_took_over_is_no_second_one() -> None:
    """The first one counts, and is said once; another key has a proof of its own."""
    back = {"blue": 100.0, "green": 0.0}
    first = ev.Event(1, 102.2, "ops", ev.Verified("late", back, 2200.0, 20, "key"))
    later = ev.Event(2, 108.3, "ops", ev.Verified("late", back, 8300.0, 21, "key"))
    other = ev.Event(3, 110.0, "ops", ev.Verified("late", back, 50.0, 21, "key"))
    said = fold_all([first, later])
    assert said.endpoint("late").verified == first.body
    assert [line.text for line in said.log] == ["blue 100 %, green 0 %, verified 2200 ms after the key by 20 answers"]
    assert len(fold_all([first, later, other]).log) == 2
