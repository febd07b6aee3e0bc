"""What each fact makes of a release, of its steps, of an endpoint and of its load, whole and field by field."""

from dataclasses import replace

import pytest

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.load_profile import LoadOutcome, LoadProfile, LoadSource
from core.domain.model import Level, Noted, Observation, Replica, ReplicaState, Scaled
from core.domain.plan import Deploy, Hold, Plan, Shift, Summarise, Work
from core.domain.sample import Sample
from core.state import events as ev
from core.state.endpoint import LoadState, Mark, MarkKind
from core.state.fold import fold, fold_all
from core.state.measured import Measured
from core.state.release import Release, ReleaseState, Status, StepState, Way
from core.state.snapshot import KEEP_RELEASES, LogLine, Snapshot, at_hand
from tests.environments import V1

PLAN = Plan("canary", (Work("train"), Deploy(2), Shift(10), Hold(5, ()), Work("alias"), Summarise()))
PROFILE = LoadProfile("steady", 5, 2.0, None)
BEGAN = ev.Began("r", "late", "dev", PLAN)
GATE = Gate("p95_ms", "<", 1.0)
FAILS, PASSES = (Verdict(GATE, outcome, None, "x") for outcome in (GateResult.FAIL, GateResult.PASS))
ASKED = ev.Asked("r", 0, "go on?", 9.0)


def after(*bodies: ev.Body, start: Snapshot | None = None) -> Snapshot:
    """These facts, of the moments 1, 2, 3 …"""
    first = 1 if start is None else start.seq + 1
    return fold_all((ev.Event(n, float(n), "ada", body) for n, body in enumerate(bodies, first)), start)


def release(*bodies: ev.Body) -> Release:
    """The release after these facts; the first of them is of the moment 2."""
    return after(BEGAN, *bodies).releases["r"]


def test_a_release_is_what_was_said_when_it_began() -> None:
    began = ev.Began("r", "late", "prod", PLAN, True, "kubernetes", True, True, 5.0, {"rows": 9})
    said = fold(Snapshot(), ev.Event(3, 7.0, "ada", began))
    made = said.releases["r"]
    assert (made.id, made.endpoint, made.environment, made.target, made.plan, made.by, made.began_at) == (
        "r", "late", "prod", "kubernetes", PLAN, "ada", 7.0,
    )  # fmt: skip
    assert made.steps == tuple(StepState(step) for step in PLAN.steps)
    assert (made.production, made.step_by_step, made.auto_approve, made.ask_s) == (True, True, True, 5.0)
    assert (made.options, made.began_seq, made.state) == ({"rows": 9}, 3, ReleaseState.RUNNING)
    endpoint = said.endpoints["late"]
    assert (endpoint.name, endpoint.environment, endpoint.target, endpoint.production) == (
        "late", "prod", "kubernetes", True,
    )  # fmt: skip
    assert (said.seq, said.at) == (3, 7.0)


def test_what_a_new_follower_is_told_first_is_the_state_itself() -> None:
    carried = after(BEGAN)
    assert fold(Snapshot(), ev.Event(0, 0.0, "", ev.Carried(carried))) is carried
    assert fold(carried, ev.Event(0, 0.0, "", ev.Carried("something else"))) is carried


def test_an_endpoint_is_known_by_its_name_from_its_first_fact_on() -> None:
    assert after(ev.Drove("late", "ada")).endpoints["late"].name == "late"
    assert Snapshot().endpoint("late").name == "late"


RUNS = StepState(Work("train"), Status.RUNNING, 2.0)


@pytest.mark.parametrize(
    ("facts", "step"),
    [
        ((), StepState(Work("train"))),
        ((ev.StepStarted("r", 0),), RUNS),
        ((ev.Waved("r", 0),), StepState(Work("train"), waved=True)),
        # What was said to a step before it began is done when it begins; a second start is a fresh one.
        ((ev.Waved("r", 0), ev.StepStarted("r", 0)), replace(RUNS, started_at=3.0)),
        ((ev.StepStarted("r", 0), ev.StepMoved("r", 0, "x"), ev.StepStarted("r", 0)), replace(RUNS, started_at=4.0)),
        ((ev.StepStarted("r", 0), ASKED, ev.StepStarted("r", 0)), replace(RUNS, started_at=4.0)),
        ((ev.StepStarted("r", 0), ev.StepAsked("r", 0)), replace(RUNS, asked=True)),
        ((ev.StepStarted("r", 0), ev.AskFailed("r", "busy", 1, 0)), replace(RUNS, refusal="busy")),
        # What was refused before it was taken is no news any more.
        ((ev.StepStarted("r", 0), ev.AskFailed("r", "busy", 1, 0), ev.StepAsked("r", 0)), replace(RUNS, asked=True)),
        (
            (ev.StepStarted("r", 0), ev.StepMoved("r", 0, "half", 0.5, {"f1": 1})),
            replace(RUNS, text="half", fraction=0.5, figures={"f1": 1}),
        ),
        (
            (ev.StepStarted("r", 0), ev.StepDone("r", 0, "f1 .8", {"f1": 0.8})),
            replace(RUNS, status=Status.DONE, ended_at=3.0, figure="f1 .8", result={"f1": 0.8}, fraction=1.0),
        ),
        (
            (ev.StepStarted("r", 0), ev.StepFailed("r", 0, "no", False, {"f1": 0.1})),
            replace(RUNS, status=Status.FAILED, ended_at=3.0, why="no", result={"f1": 0.1}),
        ),
        (
            (ev.StepStarted("r", 0), ev.Judged("r", 0, (FAILS, PASSES))),
            replace(RUNS, verdicts=(FAILS, PASSES), looked_at=3.0, fails={"0": 1}),
        ),
        ((ev.StepStarted("r", 0), ASKED), replace(RUNS, question=ASKED)),
        ((ev.StepStarted("r", 0), ASKED, ev.Answered("r", 0, False)), replace(RUNS, question=ASKED, answer=False)),
        ((ev.StepStarted("r", 0), ASKED, ev.Answered("r", 0, True), ASKED), replace(RUNS, question=ASKED)),
        # A driver that died: what it had asked for is asked again, a person is not.
        (
            (ev.StepStarted("r", 0), ev.StepAsked("r", 0), ev.Drove("late", "bob")),
            replace(RUNS, status=Status.INTERRUPTED),
        ),
        (
            (ev.StepStarted("r", 0), ASKED, ev.Answered("r", 0, True), ev.Drove("late", "bob"), ev.StepStarted("r", 0)),
            replace(RUNS, started_at=6.0, question=ASKED, answer=True),
        ),
        ((ev.StepStarted("r", 0), ev.Drove("other", "bob")), RUNS),
        ((ev.StepStarted("r", 0), ev.Ended("r", ev.Outcome.FAILED), ev.Drove("late", "bob")), RUNS),
        # A way back that a no began asks again when it is taken back.
        (
            (ev.StepStarted("r", 0), ASKED, ev.Answered("r", 0, False), ev.TurnedBack("r", ev.Outcome.ABORTED, "no"),
             ev.TurnedForward("r")),
            replace(RUNS, status=Status.INTERRUPTED),
        ),
    ],
)  # fmt: skip
def test_a_step(facts: tuple[ev.Body, ...], step: StepState) -> None:
    assert release(*facts).steps[0] == step


@pytest.mark.parametrize("index", [-1, len(PLAN.steps), 99])
def test_a_fact_about_a_step_that_is_not_there_is_about_nothing(index: int) -> None:
    hold = after(BEGAN, ev.StepStarted("r", 3))
    later = after(ev.StepStarted("r", index), ev.Judged("r", index, (FAILS,)), start=hold)
    assert later.releases["r"] is hold.releases["r"]
    assert (later.measured, later.log[-1].source) == ({}, "gates")


@pytest.mark.parametrize(
    ("facts", "aliased"),
    [
        ((ev.StepDone("r", 4),), True),
        ((ev.StepDone("r", 0),), False),
        ((ev.StepDone("r", 5),), False),
        ((ev.Aliased("r"),), True),
        ((ev.StepDone("r", 4), ev.Aliased("r", True)), False),
    ],
)
def test_a_release_is_aliased_while_aliases_point_to_it(facts: tuple[ev.Body, ...], aliased: bool) -> None:
    assert release(*facts).aliases_moved is aliased


@pytest.mark.parametrize(
    ("facts", "started_at"),
    [
        ((ev.Paused("r"), ev.Resumed("r")), 2.0 + 1.0),
        ((ev.Paused("r"), ev.Paused("r"), ev.Resumed("r")), 2.0 + 2.0),
        ((ev.Resumed("r"),), 2.0),
    ],
)
def test_a_pause_lengthens_a_hold_by_what_it_took(facts: tuple[ev.Body, ...], started_at: float) -> None:
    done = tuple(ev.StepDone("r", n) for n in range(3))
    said = after(BEGAN, *done)
    said = fold_all((ev.Event(5, 2.0, "ada", ev.StepStarted("r", 3)),), said)
    for n, body in enumerate(facts):
        said = fold(said, ev.Event(6 + n, 3.0 + n, "ada", body))
    (hold, made) = said.releases["r"].steps[3], said.releases["r"]
    assert (hold.started_at, made.paused, made.paused_at) == (started_at, False, None)


def test_a_clock_that_went_back_in_a_pause_shortens_no_hold() -> None:
    done = tuple(ev.StepDone("r", n) for n in range(3))
    said = after(BEGAN, *done, ev.StepStarted("r", 3), ev.Paused("r"))
    said = fold(said, ev.Event(99, 1.0, "ada", ev.Resumed("r")))
    assert said.releases["r"].steps[3].started_at == 5.0


PLACED = ev.Placed("r", "green", "blue", V1, 2)
SHIFTED: tuple[ev.Body, ...] = (
    PLACED,
    *(ev.StepDone("r", n) for n in (0, 1)),
    ev.StepStarted("r", 2),
    ev.StepAsked("r", 2),
)
BACK = ev.TurnedBack("r", ev.Outcome.ROLLED_BACK, "rolled back", 6.5)
WAY = Way(ev.Outcome.ROLLED_BACK, "rolled back", 7.0, 7.0, 6.5, reached=10.0)
TRAVELLED = (
    ev.Applied("r", "blue"), ev.Routed("late", {"blue": 100.0}, "r"), ev.Removed("late", "green", "r"),
    ev.Aliased("r", True), ev.Pended("late", ev.PendingKind.REPLICAS, "", 9.0, "blue", 2, release="r"),
    ev.AskFailed("r", "busy", 3),
)  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "state", "way"),
    [
        ((BACK,), ReleaseState.BACK, WAY),
        (
            (BACK, *TRAVELLED),
            ReleaseState.BACK,
            replace(WAY, applied_at=8.0, routed=True, dropped=True, aliased=True, resized=True, refusal="busy"),
        ),
        # A new driver asks the target again, and has its whole time for that.
        (
            (BACK, *TRAVELLED, ev.Drove("late", "bob")),
            ReleaseState.BACK,
            replace(WAY, driven_at=14.0, dropped=True, aliased=True, refusal="busy"),
        ),
        # Forward again it begins anew, to where it was.
        (
            (BACK, *TRAVELLED, ev.TurnedForward("r", 13.5)),
            ReleaseState.FORWARD,
            replace(WAY, began_at=14.0, driven_at=14.0, asked_at=13.5),
        ),
        (
            (BACK, ev.TurnedForward("r"), ev.Resumed("r")),
            ReleaseState.RUNNING,
            replace(WAY, began_at=8.0, driven_at=8.0, asked_at=None),
        ),
        ((BACK, ev.Resumed("r")), ReleaseState.BACK, WAY),
        (
            (BACK, ev.Ended("r", ev.Outcome.STUCK), ev.TurnedBack("r", ev.Outcome.ABORTED, "aborted")),
            ReleaseState.BACK,
            Way(ev.Outcome.ABORTED, "aborted", 9.0, 9.0, after_end=True, reached=10.0),
        ),
        ((BACK, ev.Ended("r", ev.Outcome.STUCK), ev.Retried("r")), ReleaseState.RUNNING, None),
    ],
)  # fmt: skip
def test_the_way_back_and_forward(facts: tuple[ev.Body, ...], state: ReleaseState, way: Way | None) -> None:
    made = release(*SHIFTED, *facts)
    assert (made.state, made.way) == (state, way)


@pytest.mark.parametrize("turn", [BACK, ev.Retried("r"), ev.TurnedForward("r")], ids=lambda body: type(body).__name__)
def test_what_turns_is_neither_paused_nor_over(turn: ev.Body) -> None:
    ended: tuple[ev.Body, ...] = (BACK, ev.Ended("r", ev.Outcome.STUCK, "call a person", "/runs/r"))
    made = release(*SHIFTED, *ended, turn)
    assert (made.outcome, made.ended_at, made.paused, made.folder) == (None, None, False, "/runs/r")
    paused = release(*SHIFTED, ev.Paused("r"), BACK)
    assert (paused.paused, paused.paused_at) == (False, None)
    assert release(*ended, ev.Retried("r")).why == ""


def test_the_end_is_written_down_whole() -> None:
    made = release(ev.Reported("r", "/runs/r"), ev.Ended("r", ev.Outcome.FAILED, "no rows"))
    assert (made.state, made.outcome, made.why, made.ended_at, made.ended_seq, made.folder) == (
        ReleaseState.ENDED, ev.Outcome.FAILED, "no rows", 3.0, 3, "/runs/r",
    )  # fmt: skip
    assert release(ev.Ended("r", ev.Outcome.DONE, "", "/runs/x")).folder == "/runs/x"


def test_a_retry_keeps_what_was_done_before_the_first_deployment() -> None:
    plan = Plan("x", (Work("train"), Deploy(2), Shift(10), Deploy(4), Shift(100)))
    done = (ev.StepDone("r", n) for n in range(4))
    said = after(ev.Began("r", "late", "dev", plan), *done, ev.StepFailed("r", 4, "no"), ev.Retried("r"))
    assert [step.status for step in said.releases["r"].steps] == [Status.DONE, *(Status.WAITING,) * 4]
    work = Plan("x", (Work("data"), Work("train")))
    said = after(ev.Began("r", "late", "dev", work), ev.StepDone("r", 0), ev.StepFailed("r", 1, "no"), ev.Retried("r"))
    assert [step.status for step in said.releases["r"].steps] == [Status.DONE, Status.WAITING]


def test_who_grew_is_what_serves_not_what_was_placed() -> None:
    made = release(PLACED, ev.Grew("r", 5), ev.Grew("r", 3))
    assert (made.old_replicas, made.placed_replicas) == (5, 2)


# Endpoints


READY = Replica("b1", ReplicaState.READY, 100.0, 40.0)
STARTS = Replica("b2", ReplicaState.STARTING)
SEEN = Observation("blue", V1, 2, 1, 100.0, (READY, STARTS))


@pytest.mark.parametrize(
    ("body", "replicas"),
    [
        (ev.ReplicasSeen("late", replace(SEEN, ready=2, replicas=(replace(STARTS, restarts=1),))),
         (READY, replace(STARTS, restarts=1))),
        (ev.ReplicasSeen("late", replace(SEEN, ready=2, replicas=()), ("b1",)), (STARTS,)),
        (ev.ReplicasSeen("late", replace(SEEN, ready=2, replicas=(replace(READY, name="b3"),))),
         (READY, STARTS, replace(READY, name="b3"))),
    ],
)  # fmt: skip
def test_of_a_slot_only_the_replicas_that_changed_are_told(body: ev.Body, replicas: tuple[Replica, ...]) -> None:
    slot = after(ev.Observed("late", SEEN), body).endpoints["late"].slots["blue"]
    assert slot == replace(SEEN, ready=2, replicas=replicas)
    assert after(ev.ReplicasSeen("late", SEEN)).endpoints["late"].slots == {"blue": SEEN}


def test_what_replicas_use_is_put_beside_them() -> None:
    said = after(ev.Observed("late", SEEN), ev.UsageSeen("late", "blue", {"b2": (250.0, 80.0), "gone": (1.0, 1.0)}))
    used = replace(STARTS, cpu_m=250.0, memory_mb=80.0)
    assert said.endpoints["late"].slots == {"blue": replace(SEEN, replicas=(READY, used))}
    assert after(ev.UsageSeen("late", "blue", {"b2": (1.0, 1.0)})).endpoints["late"].slots == {}


@pytest.mark.parametrize(
    "seen",
    [
        Observation("blue", None, 0, 0, 0.0, (STARTS,)),
        Observation("blue", None, 0, 0, 5.0),
        Observation("blue", V1, 0, 0, 0.0),
    ],
)
def test_a_slot_that_still_has_anything_is_there(seen: Observation) -> None:
    assert after(ev.Observed("late", seen)).endpoints["late"].slots == {"blue": seen}


def test_an_endpoint_that_opened_is_where_and_what_it_said() -> None:
    said = after(ev.Opened("late", "http://x", "prod", "kubernetes", True)).endpoints["late"]
    assert (said.url, said.environment, said.target, said.production) == ("http://x", "prod", "kubernetes", True)


@pytest.mark.parametrize(
    ("body", "mark"),
    [
        (ev.Verified("late", {"blue": 100.0}, 3.0, 20), Mark(1.0, MarkKind.TRAFFIC, "blue takes 100 %", "blue")),
        (ev.Verified("late", {"blue": 0.0, "green": 0.5}, 3.0, 20),
         Mark(1.0, MarkKind.TRAFFIC, "green takes 0.5 %", "green")),
        (ev.Verified("late", {}, 3.0, 0), Mark(1.0, MarkKind.TRAFFIC, "traffic moved", None)),
        (ev.Looked("late", Scaled("blue", 1.0, 2, 4, "cpu")), Mark(1.0, MarkKind.SCALED, "2 → 4", "blue")),
        (ev.Looked("late", Scaled("blue", 1.0, 2, 2, "cpu")), None),
        (ev.Remarked("late", Noted("it died", Level.ERROR, "blue")), Mark(1.0, MarkKind.DIED, "it died", "blue")),
        (ev.Remarked("late", Noted("slow", Level.WARNING, "blue")), None),
    ],
)  # fmt: skip
def test_what_runs_as_a_line_through_the_charts(body: ev.Body, mark: Mark | None) -> None:
    assert after(body).endpoints["late"].marks == (() if mark is None else (mark,))


def test_traffic_that_only_went_down_is_marked_for_who_has_most() -> None:
    one = ev.Verified("late", {"blue": 40.0, "green": 60.0}, 3.0, 20)
    two = ev.Verified("late", {"blue": 40.0, "green": 50.0}, 3.0, 20)
    said = after(one, two).endpoints["late"]
    assert said.marks[-1] == Mark(2.0, MarkKind.TRAFFIC, "traffic moved", "green")
    assert (said.verified, said.verified_at) == (two, 2.0)
    first = ev.Verified("late", {"blue": 60.0, "green": 40.0}, 3.0, 20)
    assert after(first, first).endpoints["late"].marks[-1].slot == "blue"


def test_a_key_that_was_proved_stays_proved_as_it_was() -> None:
    """A driver that takes over proves the way back again; only another key, or another route, is another proof."""

    def told(*proofs: tuple[float, ev.Verified]) -> tuple[float, float | None]:
        events = [ev.Event(seq, at, "ada", body) for seq, (at, body) in enumerate(proofs, 1)]
        said = fold_all(events).endpoints["late"]
        assert said.verified is not None
        return said.verified.took_ms, said.verified_at

    def proof(took_ms: float, since: str = "key", slot: str = "blue") -> ev.Verified:
        return ev.Verified("late", {slot: 100.0}, took_ms, 4, since)

    assert told((10.0, proof(50)), (13.4, proof(3450))) == (50, 10.0)
    assert told((10.0, proof(50)), (13.4, proof(60))) == (60, 13.4)
    assert told((10.0, proof(50)), (13.4, proof(3450, "route"))) == (3450, 13.4)
    assert told((10.0, proof(50, "route")), (13.4, proof(3450))) == (3450, 13.4)
    assert told((10.0, proof(50, slot="green")), (13.4, proof(3450))) == (3450, 13.4)


def test_a_slot_that_goes_is_due_no_more() -> None:
    due = (ev.RetireDue("late", "blue", 9.0), ev.RetireDue("late", "green", 8.0))
    assert after(*due).endpoints["late"].retire == {"blue": 9.0, "green": 8.0}
    assert after(*due, ev.Removed("late", "blue")).endpoints["late"].retire == {"green": 8.0}
    assert after(*due, ev.Routed("late", {"blue": 0.0, "green": 100.0})).endpoints["late"].retire == {"blue": 9.0}


@pytest.mark.parametrize(("share", "serves"), [(0.0, None), (0.5, "blue"), (1.0, "blue")])
def test_the_least_traffic_is_served_by_somebody(share: float, serves: str | None) -> None:
    assert after(ev.Observed("late", replace(SEEN, weight=share))).endpoints["late"].serving == serves


# Load


SOURCE = LoadSource("mine.py", processes=2)
STARTED = ev.LoadStarted("late", "test", PROFILE, "rows", "http://l", SOURCE, (GATE,), "bob", True)
LOAD = LoadState("test", PROFILE, "rows", 1.0, 5, 2.0, web_url="http://l", source=SOURCE, limits=(GATE,))
LOAD = replace(LOAD, by="bob", stay=True)


@pytest.mark.parametrize(
    ("facts", "load"),
    [
        ((), LOAD),
        ((ev.LoadWanted("late"),), replace(LOAD, wanted_seq=2)),
        ((ev.LoadWanted("late", 9),), replace(LOAD, users=9, wanted_seq=2)),
        ((ev.LoadWanted("late", 0),), replace(LOAD, users=0, wanted_seq=2)),
        ((ev.LoadWanted("late", None, 7.0, True, True),),
         replace(LOAD, spawn_rate=7.0, paused=True, reset_seq=2, wanted_seq=2)),
        ((ev.LoadWanted("late", paused=True), ev.LoadWanted("late", paused=False)), replace(LOAD, wanted_seq=3)),
        ((ev.LoadWanted("late", reset=True), ev.LoadWanted("late")), replace(LOAD, reset_seq=2, wanted_seq=3)),
        ((ev.LoadWanted("late", stop=True),), replace(LOAD, stop=True, stopped_by="ada", wanted_seq=2)),
        ((ev.LoadEnded("late", "test", "killed", ("a",), LoadOutcome.STOPPED, verdicts=(FAILS,)),),
         replace(LOAD, running=False, why="killed", artifacts=("a",), how=LoadOutcome.STOPPED, verdicts=(FAILS,),
                 ended_at=2.0)),
        ((ev.LoadEnded("late", "manual", "killed"),), LOAD),
        ((ev.LoadEnded("late", "test", "one"), ev.LoadEnded("late", "test", "two")),
         replace(LOAD, running=False, why="one", how=LoadOutcome.GONE, ended_at=2.0)),
        ((ev.Drove("late", "bob"),), replace(LOAD, running=False, why="its driver is gone")),
        ((ev.LoadEnded("late", "test", "one"), ev.Drove("late", "bob")),
         replace(LOAD, running=False, why="one", how=LoadOutcome.GONE, ended_at=2.0)),
    ],
)  # fmt: skip
def test_a_load(facts: tuple[ev.Body, ...], load: LoadState) -> None:
    assert after(STARTED, *facts).endpoints["late"].load == load


def test_who_stopped_a_load_first_is_who_stopped_it() -> None:
    said = after(STARTED, ev.LoadWanted("late", stop=True))
    said = fold(said, ev.Event(3, 3.0, "bob", ev.LoadWanted("late", 7, stop=True)))
    load = said.endpoints["late"].load
    assert load is not None
    assert (load.stop, load.stopped_by) == (True, "ada")
    assert said.endpoints["late"].marks == (Mark(3.0, MarkKind.USERS, "7 users", None),)
    assert fold(said, ev.Event(4, 4.0, "eve", ev.LoadWanted("late"))).endpoints["late"].load == replace(
        load, wanted_seq=4
    )


# The log


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (ev.StepStarted("r", 0), LogLine(2, 2.0, "ada", "late", "train", "begins")),
        (ev.StepFailed("r", 0, "no"), LogLine(2, 2.0, "ada", "late", "train", "no", "error")),
        (ev.Logged("other", "train", "x"), LogLine(2, 2.0, "ada", "other", "train", "x")),
        (ev.StepStarted("q", 0), LogLine(2, 2.0, "ada", "", "step", "begins")),
    ],
)
def test_a_line_of_the_log(body: ev.Body, line: LogLine) -> None:
    assert after(BEGAN, body).log[-1] == line


OTHER = replace(PASSES, gate=Gate("rps", ">", 1.0))
OPEN = replace(PASSES, outcome=GateResult.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [
        ((PASSES,), (PASSES,), 1),
        ((PASSES,), (replace(PASSES, value=9.0),), 1),
        ((PASSES, OTHER), (FAILS, OTHER), 2),
        ((FAILS, OTHER), (PASSES, replace(OTHER, outcome=GateResult.FAIL)), 2),
        ((replace(FAILS, outcome=GateResult.ERROR),), (FAILS,), 1),
        ((OPEN,), (PASSES,), 2),
        ((PASSES,), (replace(FAILS, gate=replace(GATE, dry_run=True)),), 1),
    ],
)
def test_gates_have_a_line_where_something_else_fails_or_is_open(
    first: tuple[Verdict, ...], second: tuple[Verdict, ...], lines: int
) -> None:
    for index in (0, 3):
        log = after(BEGAN, ev.Judged("r", index, first), ev.Judged("r", index, second)).log
        assert len([line for line in log if line.source == "gates"]) == lines


# What a hold measures


def measures(*bodies: ev.Body) -> tuple[str, int, float, tuple[float, ...]] | None:
    """What is measured after these facts."""
    gates = (Gate("rps", ">", 1.0, window_s=9.0), Gate("rps", ">", 1.0), Gate("rps", ">", 1.0, window_s=5.0))
    plan = Plan("x", (Hold(5, gates), Shift(100)))
    found = after(ev.Began("r", "late", "dev", plan), *bodies).measured.get("late")
    return None if found is None else (found.release, found.index, found.since, found.windows_s)


HELD = ev.StepStarted("r", 0)


@pytest.mark.parametrize(
    ("facts", "measured"),
    [
        ((), None),
        ((HELD,), ("r", 0, 2.0, (5.0, 9.0))),
        ((HELD, ev.StepDone("r", 0)), ("r", 0, 2.0, (5.0, 9.0))),
        ((HELD, ev.StepStarted("q", 1)), ("r", 0, 2.0, (5.0, 9.0))),
        ((HELD, ev.StepDone("r", 0), HELD), ("r", 0, 4.0, (5.0, 9.0))),
        ((HELD, ev.StepStarted("r", 1)), None),
        ((HELD, ev.StepStarted("r", 2)), None),
        ((HELD, ev.StepStarted("r", -2)), None),
        ((HELD, BACK), None),
        ((HELD, ev.Ended("r", ev.Outcome.DONE)), None),
    ],
)
def test_a_hold_measures_from_its_begin_to_the_next_step(
    facts: tuple[ev.Body, ...], measured: tuple[str, int, float, tuple[float, ...]] | None
) -> None:
    assert measures(*facts) == measured


def test_another_endpoint_measures_on_when_one_ends() -> None:
    hold = Plan("x", (Hold(5, ()),))
    began = (ev.Began("r", "late", "dev", hold), ev.Began("q", "other", "dev", hold))
    said = after(*began, ev.StepStarted("r", 0), ev.StepStarted("q", 0), ev.Ended("r", ev.Outcome.DONE))
    assert set(said.measured) == {"other"}


def test_a_second_that_does_not_count_changes_nothing_and_one_that_does_is_the_newest() -> None:
    said = after(ev.Began("r", "late", "dev", Plan("x", (Hold(5, ()),))), HELD)
    early = fold(said, ev.Event(3, 2.5, "ada", ev.Sampled("late", Sample("green", 2.5, 7))))
    assert early.measured is said.measured
    late = fold(said, ev.Event(3, 3.5, "ada", ev.Sampled("late", Sample("green", 3.0, 7))))
    measured = late.measured["late"]
    assert measured.newest == 3.5
    assert (total := measured.over("green", 0.0, 9.0)) is not None
    assert total.ok == 7
    assert fold(late, ev.Event(4, 4.0, "ada", ev.Sampled("other", Sample("green", 4.0, 7)))).measured is late.measured
    assert Measured("r", 0, 2.0).plus(Sample(None, 5.0, 1), 5.0).slots == {}


# What is at hand


def many(count: int) -> dict[str, Release]:
    """Releases that failed, one after the other."""
    return {
        f"r{n}": Release(
            f"r{n}", "late", "dev", "local", PLAN, (), "ada", float(n),
            state=ReleaseState.ENDED, outcome=ev.Outcome.FAILED, began_seq=n, ended_seq=n,
        )
        for n in range(count)
    }  # fmt: skip


def test_up_to_twice_as_many_are_held_before_any_goes() -> None:
    all_ = many(2 * KEEP_RELEASES)
    assert at_hand(all_) is all_
    held = at_hand(many(2 * KEEP_RELEASES + 1))
    assert list(held) == [f"r{n}" for n in range(KEEP_RELEASES + 1, 2 * KEEP_RELEASES + 1)]


def test_what_a_way_back_may_be_asked_of_is_held_however_old() -> None:
    all_ = many(2 * KEEP_RELEASES + 1)
    all_["r3"] = replace(all_["r3"], state=ReleaseState.RUNNING, ended_seq=0)
    all_["r5"] = replace(all_["r5"], outcome=ev.Outcome.DONE)
    all_["r6"] = replace(all_["r6"], outcome=ev.Outcome.DONE)
    all_["r10"] = replace(all_["r10"], endpoint="other")
    all_["r9"] = replace(all_["r9"], endpoint="other", outcome=ev.Outcome.DONE)
    all_["r7"] = replace(all_["r7"], endpoint="other", outcome=ev.Outcome.DONE)
    all_["r2"] = replace(all_["r2"], ended_seq=10**6)
    assert list(at_hand(all_))[:-KEEP_RELEASES] == ["r2", "r3", "r6", "r9", "r10"]


def test_traffic_may_have_moved_once_a_shift_has_begun() -> None:
    assert not release(ev.StepStarted("r", 0)).touched
    assert release(ev.StepStarted("r", 2)).touched
    assert release(ev.StepStarted("r", 2)).reached == 0.0
    assert release(ev.StepStarted("r", 2), ev.StepAsked("r", 2)).reached == 10.0
    assert not release().aliases_began
    assert not release(ev.StepStarted("r", 0)).aliases_began
    assert release(ev.StepStarted("r", 4)).aliases_began


def test_pending_is_of_an_endpoint_without_a_release_too() -> None:
    said = after(ev.Pended("late", ev.PendingKind.REMOVAL, "busy", 9.0, "blue"))
    assert [one.what for one in said.endpoints["late"].pending] == ["removal of blue"]
    assert said.log[-1].endpoint == "late"
