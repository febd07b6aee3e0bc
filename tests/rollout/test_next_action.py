"""The next action in every scene, as it stands: what is done or waited for, until when, and in which words."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.model import Observation, Replica, ReplicaState, Slot
from core.domain.plan import Ask, Deploy, Hold, Plan, Retire, Shift, Step, Work
from core.domain.sample import Sample
from core.rollout import actions as d
from core.rollout.decide import decide
from core.rollout.rollback import answers, proved, split
from core.state import events as ev
from core.state.endpoint import Endpoint, Pending
from core.state.measured import Measured, SlotMeasured
from core.state.release import Release, ReleaseState, Status, StepState, Way
from core.state.snapshot import Snapshot
from tests.environments import V1, V2, V3

NOW = 1000.0
GATE = Gate("failed_percent", "<", 5.0, at_least=20)
WHAT_TO_DO = "mend that and call 'quarterdeck rollback --env dev' again, or release a version that works"


def slot(
    name: str = "green", ready: int = 2, weight: float = 0.0, proved_by: int = 20, wanted: int = 2, why: str = ""
) -> Observation:
    """One of the two slots, with its own version."""
    version = {"green": V2, "blue": V1}.get(name, V3)
    return Observation(name, version, wanted, ready, weight, why=why, proved_by=proved_by)


def at(step: Step, status: Status = Status.RUNNING, **state: Any) -> Release:
    """Version 2 in green beside version 1 in blue, at a step that began 10 s ago."""
    began = {"started_at": NOW - 10} if status is Status.RUNNING else {}
    steps = (StepState(step, status, **{**began, **state}),)
    return Release(
        "r2", "late", "dev", "local", Plan("x", (step,)), steps, "ada", NOW - 60,
        version=V2, slot="green", old="blue", old_version=V1, old_replicas=2,
    )  # fmt: skip


def turned(
    outcome: ev.Outcome = ev.Outcome.ROLLED_BACK, step: Step | None = None, changes: Mapping[str, object] | None = None,
    **way: object,
) -> Release:  # fmt: skip
    """On its way back since 5 s, from 50 % of the traffic."""
    state = {"state": ReleaseState.BACK, "way": Way(outcome, "rolled back", NOW - 5, NOW - 5, **way)}  # type: ignore[arg-type]
    return replace(at(step or Shift(50), asked=True), **{**state, **(changes or {})})  # type: ignore[arg-type]


def onward(**way: object) -> Release:
    """On its way forward again since 5 s, to 50 % of the traffic."""
    reached = {"reached": 50.0, **way}
    return replace(turned(**reached), state=ReleaseState.FORWARD)  # type: ignore[arg-type]


def what(release: Release, *slots: Observation, measured: Measured | None = None, **endpoint: object) -> d.Action:
    """The next action beside these slots."""
    known = Endpoint("late", slots={seen.slot: seen for seen in slots}, **endpoint)  # type: ignore[arg-type]
    seen = {"late": measured} if measured is not None else {}
    return decide(release, Snapshot(releases={"r2": release}, endpoints={"late": known}, measured=seen), NOW)


def failed(why: str) -> d.Record:
    return d.Record((ev.StepFailed("r2", 0, why),))


def done(figure: str) -> d.Record:
    return d.Record((ev.StepDone("r2", 0, figure),))


DEPLOY, SHIFT = Deploy(2), Shift(10)
FIRST = {"old": None, "old_version": None, "old_replicas": 0}


@pytest.mark.parametrize(
    ("release", "slots", "action"),
    [
        (replace(at(DEPLOY), state=ReleaseState.ENDED), (), d.Wait("nothing: it is over")),
        (replace(at(DEPLOY), steps=()), (), d.Finish(ev.Outcome.DONE, "")),
        (at(Work("train"), asked=True), (), d.Wait("train to finish")),
        (at(Work("train")), (), d.RunStep(0)),
        (at(Ask("really?")), (), d.Record((ev.Asked("r2", 0, "really?", NOW + 600),))),
        (replace(at(DEPLOY, Status.WAITING), step_by_step=True), (), d.Wait("n, to begin deploy")),
        (replace(at(DEPLOY, Status.WAITING, waved=True), step_by_step=True), (), d.StartStep(0)),
        (at(DEPLOY, Status.INTERRUPTED), (), d.StartStep(0)),
        (
            at(DEPLOY, Status.FAILED, why="no room"),
            (),
            d.Record((ev.TurnedBack("r2", ev.Outcome.FAILED, "deploy: no room"),)),
        ),
        (
            at(DEPLOY, Status.FAILED, why="deploy: no room"),
            (),
            d.Record((ev.TurnedBack("r2", ev.Outcome.FAILED, "deploy: no room"),)),
        ),
        # Deploy: asked for, waited for, ready, or too late, which it is at the last moment itself.
        (replace(at(DEPLOY), version=None), (), failed("there is no version to deploy")),
        (at(DEPLOY), (), d.Apply("green", V2, 2, 0)),
        (replace(at(DEPLOY), placed_replicas=3), (), d.Apply("green", V2, 3, 0)),
        (at(DEPLOY, asked=True), (), d.Wait("green to be ready, 0 of 2", NOW + 50)),
        (at(DEPLOY, asked=True), (slot(ready=1),), d.Wait("green to be ready, 1 of 2", NOW + 50)),
        (at(DEPLOY, asked=True), (slot(),), done("2 ready")),
        (at(DEPLOY, asked=True), (slot(ready=3, wanted=3),), done("3 ready")),
        (
            at(DEPLOY, started_at=NOW - 60),
            (),
            failed("green has 0 of 2 ready after 60 s: nothing was heard of it"),
        ),
        (
            at(DEPLOY, started_at=NOW - 60, asked=True, refusal="no room"),
            (slot(ready=1, wanted=4),),
            failed("green has 1 of 4 ready after 60 s: no room"),
        ),
        (at(DEPLOY, started_at=NOW - 60, asked=True), (slot(),), done("2 ready")),
        # Traffic: only to what can answer, and proved by answers.
        (at(SHIFT), (slot(ready=0),), d.Wait("green to be ready", NOW + 20)),
        (at(SHIFT), (slot(),), d.Route({"green": 10, "blue": 90}, 0)),
        (replace(at(SHIFT), **FIRST), (slot(),), d.Route({"green": 100.0}, 0)),  # type: ignore[arg-type]
        (at(SHIFT, asked=True), (slot(),), d.Wait("answers that prove 10 %", NOW + 20)),
        (at(SHIFT, asked=True), (slot(weight=10), slot("blue", weight=90)), done("10 %")),
        (
            at(SHIFT, started_at=NOW - 30),
            (),
            failed("10 % was asked for and not begun, for green was not ready, within 30 s"),
        ),
        (
            at(SHIFT, started_at=NOW - 30),
            (slot(ready=0, why="no module x"),),
            failed("10 % was asked for and not begun, for green was not ready, within 30 s: no module x"),
        ),
        (
            at(SHIFT, started_at=NOW - 30, refusal="busy"),
            (slot(why="slow"),),
            failed("10 % was asked for and not accepted within 30 s: busy"),
        ),
        (
            at(SHIFT, started_at=NOW - 30, asked=True),
            (slot(),),
            failed("10 % was asked for and not proved within 30 s"),
        ),
        # Traffic that somebody paused stays as it is.
        (replace(at(SHIFT), paused=True), (slot(),), d.Wait("somebody to resume it")),
        (replace(at(Hold(60.0, (GATE,)), Status.WAITING), paused=True), (), d.Wait("somebody to resume it")),
    ],
)
def test_on_its_way(release: Release, slots: tuple[Observation, ...], action: d.Action) -> None:
    assert what(release, *slots) == action


@pytest.mark.parametrize(
    ("slots", "weights", "action"),
    [
        ((), {}, d.ChooseSlot("blue", None, None, 0)),
        ((slot("blue", weight=0),), {}, d.ChooseSlot("green", None, None, 0)),
        ((slot("blue", weight=100, wanted=3),), {}, d.ChooseSlot("green", "blue", V1, 3)),
        ((slot("green", weight=100),), {"green": 100}, d.ChooseSlot("blue", "green", V2, 2)),
        # A router that has proved nothing yet: where most was sent still holds.
        ((slot("blue"), slot("green")), {"blue": 70, "green": 30}, d.ChooseSlot("green", "blue", V1, 2)),
        ((slot("blue"), slot("green")), {"blue": 30, "green": 70}, d.ChooseSlot("blue", "green", V2, 2)),
        ((slot("green"),), {"blue": 100}, d.ChooseSlot("blue", None, None, 0)),
    ],
)
def test_a_release_takes_the_slot_beside_the_one_that_serves(
    slots: tuple[Observation, ...], weights: Mapping[Slot, float], action: d.ChooseSlot
) -> None:
    release = replace(at(DEPLOY), slot=None, old=None, old_version=None)
    assert what(release, *slots, weights=weights) == action


@pytest.mark.parametrize(
    ("after_s", "span"),
    [
        (30, "30 s"), (59.9, "59.9 s"), (60, "1 min"), (90, "1.5 min"), (3599, "60 min"), (3600, "1 h"),
        (86399, "24 h"), (86400, "1 d"), (604800, "7 d"),
    ],
)  # fmt: skip
def test_what_served_goes_later(after_s: float, span: str) -> None:
    due = ev.RetireDue("late", "blue", NOW + after_s)
    assert what(at(Retire(after_s))) == d.Record((due, ev.StepDone("r2", 0, f"in {span}")))


def test_what_nothing_served_before_retires_nothing() -> None:
    assert what(replace(at(Retire(60)), old=None)) == done("nothing to retire")


@pytest.mark.parametrize(
    ("weights", "slots", "tolerance", "holds"),
    [
        ({"green": 10, "blue": 90}, (slot(weight=10), slot("blue", weight=90)), 0.01, True),
        ({"green": 10, "blue": 90}, (slot(weight=11), slot("blue", weight=89)), 1.0, True),
        ({"green": 10, "blue": 90}, (slot(weight=11), slot("blue", weight=89)), 0.9, False),
        # A slot without traffic need be neither there nor able to answer.
        ({"green": 100, "blue": 0}, (slot(weight=100),), 0.01, True),
        ({"green": 100, "blue": 0}, (slot(weight=100), slot("blue", ready=0)), 0.01, True),
        ({"green": 100}, (slot(weight=100), slot("blue", weight=100)), 0.01, False),
        # One that has the least traffic must.
        ({"green": 1, "blue": 99}, (slot(weight=1, ready=0), slot("blue", weight=99)), 0.01, False),
        ({"green": 1, "blue": 99}, (slot(weight=1, proved_by=0), slot("blue", weight=99, proved_by=0)), 0.01, False),
        ({"green": 1, "blue": 99}, (slot(weight=1, proved_by=0), slot("blue", weight=99, proved_by=1)), 0.01, True),
    ],
)
def test_what_proves_a_share(
    weights: Mapping[Slot, float], slots: tuple[Observation, ...], tolerance: float, holds: bool
) -> None:
    release = at(SHIFT)
    release = replace(release, plan=replace(release.plan, tolerance=tolerance))
    assert proved(release, Endpoint("late", slots={seen.slot: seen for seen in slots}), weights) is holds


@pytest.mark.parametrize(
    ("weights", "count"), [({"green": 1, "blue": 99}, 27), ({"green": 1, "blue": 0}, 20), ({"blue": 100}, 7), ({}, 0)]
)
def test_answers_of_slots_without_traffic_prove_nothing(weights: Mapping[Slot, float], count: int) -> None:
    endpoint = Endpoint("late", slots={"green": slot(proved_by=20), "blue": slot("blue", proved_by=7)})
    assert answers(endpoint, weights) == count


def test_a_share_and_its_rest_are_the_whole() -> None:
    assert split(at(SHIFT), 10) == {"green": 10, "blue": 90}
    assert split(at(SHIFT), 100) == {"green": 100, "blue": 0}
    assert split(replace(at(SHIFT), old=None), 10) == {"green": 100}
    assert split(replace(at(SHIFT), slot=None), 10) == {}


BLUE, GREEN = slot("blue", weight=50), slot("green", weight=50)
HOME = (slot("blue", weight=100), slot("green", weight=0))
DYING = tuple(Replica(f"blue-{n}", ReplicaState.DEAD, restarts=3, why="no module x") for n in (1, 2))
MOVED: Step = Work("alias")


def late(**way: object) -> Release:
    """A way back whose time is up at this very moment."""
    release = turned(**way)  # type: ignore[arg-type]
    assert release.way is not None
    return replace(release, way=replace(release.way, driven_at=NOW - 120))


def stuck(said: str) -> d.Finish:
    return d.Finish(ev.Outcome.STUCK, f"rolled back; {said}; {WHAT_TO_DO}")


@pytest.mark.parametrize(
    ("release", "slots", "action"),
    [
        # Nothing was placed yet, so there is nothing to bring back.
        (turned(changes={"slot": None}), (), d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")),
        (turned(changes={"way": None}), (), d.Finish(ev.Outcome.FAILED, "")),
        # Traffic first, to what can answer; as many replicas as before beside it.
        (turned(), (BLUE, GREEN), d.Route({"blue": 100.0})),
        (turned(), (replace(BLUE, ready=1), GREEN), d.Apply("blue", V1, 2, waits=False)),
        (turned(), (replace(BLUE, wanted=1), GREEN), d.Apply("blue", V1, 2, waits=False)),
        (turned(resized=True), (replace(BLUE, ready=1), GREEN), d.Route({"blue": 100.0})),
        (turned(routed=True), (BLUE, GREEN), d.Wait("answers that prove the way back", NOW + 115)),
        (turned(routed=True), HOME, d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")),
        (turned(), (GREEN,), d.Apply("blue", V1, 2)),
        (turned(changes={"old_replicas": 0}), (GREEN,), d.Apply("blue", V1, 1)),
        (turned(applied_at=NOW - 1), (GREEN,), d.Wait("blue to be ready again", NOW + 115)),
        (
            turned(applied_at=NOW - 1),
            (replace(BLUE, ready=0, replicas=DYING), GREEN),
            d.Wait("blue to be ready again: no module x", NOW + 9),
        ),
        (
            turned(applied_at=NOW - 10),
            (replace(BLUE, ready=0, replicas=DYING, weight=1), replace(GREEN, weight=99)),
            stuck("blue does not get ready again: no module x; traffic is at blue 1 %, green 99 %"),
        ),
        (
            turned(applied_at=NOW - 10),
            (replace(BLUE, ready=0, replicas=tuple(replace(one, restarts=2) for one in DYING), why="full"), GREEN),
            d.Wait("blue to be ready again: full", NOW + 115),
        ),
        # Its time is up at the last moment itself, and it says where traffic is.
        (
            late(),
            (BLUE, GREEN),
            stuck("the target did not accept the way back; traffic is at blue 50 %, green 50 %"),
        ),
        (
            late(refusal="busy"),
            (replace(BLUE, why="slow"), GREEN),
            stuck("the target did not accept the way back: busy; traffic is at blue 50 %, green 50 %"),
        ),
        (
            late(routed=True),
            (slot("blue", weight=0), slot("green", weight=100)),
            stuck("no answer proved that traffic is back; traffic is at green 100 %"),
        ),
        (
            late(refusal="busy"),
            (slot("blue", ready=0), slot("green", weight=0)),
            stuck("blue does not get ready again: busy; nothing is known to take traffic"),
        ),
        # Traffic that never moved, or has returned: aliases, the failed slot, the end.
        (turned(step=Deploy(2)), HOME, d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")),
        (turned(step=Deploy(2)), (BLUE, GREEN), d.Route({"blue": 100.0})),
        (turned(step=MOVED), HOME, d.MoveAliases(back=True)),
        (turned(step=MOVED, aliased=True), HOME, d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")),
        (turned(step=Deploy(2), changes={"aliases_moved": True}), HOME, d.MoveAliases(back=True)),
        (turned(ev.Outcome.FAILED, Deploy(2)), HOME, d.RemoveSlot("green")),
        (turned(ev.Outcome.FAILED, Deploy(2)), HOME[:1], d.Finish(ev.Outcome.FAILED, "rolled back")),
        (turned(ev.Outcome.FAILED, Deploy(2), dropped=True), HOME, d.Finish(ev.Outcome.FAILED, "rolled back")),
        # What nothing served before: traffic ends, the failed slot goes, aliases, the end.
        (turned(changes=FIRST), (GREEN,), d.Route({})),
        (turned(changes={"old_version": None}), (GREEN,), d.Route({})),
        (turned(routed=True, changes=FIRST), (GREEN,), d.Wait("traffic to end", NOW + 115)),
        (turned(step=Deploy(2), changes=FIRST), (GREEN,), d.Wait("traffic to end", NOW + 115)),
        (turned(routed=True, changes=FIRST), HOME[1:], d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")),
        (turned(ev.Outcome.FAILED, routed=True, changes=FIRST), HOME[1:], d.RemoveSlot("green")),
        (turned(ev.Outcome.FAILED, routed=True, changes=FIRST), (), d.Finish(ev.Outcome.FAILED, "rolled back")),
        (turned(step=MOVED, changes=FIRST), (), d.MoveAliases(back=True)),
        (turned(step=Deploy(2), changes={**FIRST, "aliases_moved": True}), (), d.MoveAliases(back=True)),
        (turned(step=MOVED, aliased=True, changes=FIRST), (), d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")),
        (replace(late(), **FIRST), (GREEN,), stuck("traffic does not end")),  # type: ignore[arg-type]
        (replace(late(refusal="busy"), **FIRST), (GREEN,), stuck("traffic does not end: busy")),  # type: ignore[arg-type]
        (
            replace(late(), **FIRST),  # type: ignore[arg-type]
            HOME[1:],
            d.Finish(ev.Outcome.ROLLED_BACK, "rolled back"),
        ),
    ],
)
def test_on_its_way_back(release: Release, slots: tuple[Observation, ...], action: d.Action) -> None:
    assert what(release, *slots) == action


def test_what_was_sent_to_the_new_slot_comes_back_although_nothing_was_seen_of_it_yet() -> None:
    release = turned(step=Deploy(2))
    assert what(release, *HOME, weights={"blue": 90.0, "green": 10.0}) == d.Route({"blue": 100.0})


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({}, d.Wait("4 replicas of blue to be accepted", NOW + 3)),
        ({"again_at": NOW}, d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")),
        ({"why": "busy"}, d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")),
        ({"slot": "green"}, d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")),
        ({"kind": ev.PendingKind.REMOVAL}, d.Finish(ev.Outcome.ROLLED_BACK, "rolled back")),
    ],
)
def test_replicas_that_were_asked_for_are_waited_for_until_the_target_has_answered_once(
    changes: Mapping[str, object], action: d.Action
) -> None:
    asked = Pending(ev.PendingKind.REPLICAS, "", NOW, 1, NOW + 3, "blue", 4)
    pending = (replace(asked, **changes),)  # type: ignore[arg-type]
    assert what(turned(routed=True), *HOME, pending=pending) == action


ALIASES = Pending(ev.PendingKind.ALIASES, "no registry", NOW, 1, NOW + 3, back=True)
REST: Step = Work("alias")


def promoting(**changes: object) -> Release:
    """On its way forward, after its aliases had begun to move."""
    fields = {"routed": True, "reached": 50.0, **{k: v for k, v in changes.items() if k in ("aliased", "after_end")}}
    more = {k: v for k, v in changes.items() if k == "aliases_moved"}
    return replace(turned(step=REST, **fields), state=ReleaseState.FORWARD, **more)  # type: ignore[arg-type]


AGAIN = d.Record((ev.Resumed("r2", False),))


@pytest.mark.parametrize(
    ("release", "slots", "pending", "action"),
    [
        (replace(onward(), way=None), (), (), d.Finish(ev.Outcome.FAILED, "there is no way forward")),
        (replace(onward(), slot=None), (), (), d.Finish(ev.Outcome.FAILED, "there is no way forward")),
        (onward(), HOME, (), d.Route({"green": 50.0, "blue": 50.0})),
        (onward(), (), (), d.Wait("green to be ready", NOW + 115)),
        (onward(routed=True), HOME, (), d.Wait("answers that prove the way forward", NOW + 115)),
        (onward(routed=True), (BLUE, GREEN), (), AGAIN),
        (replace(onward(routed=True), step_by_step=True), (BLUE, GREEN), (), d.Record((ev.Resumed("r2", True),))),
        (
            onward(routed=True, after_end=True),
            (BLUE, GREEN),
            (),
            d.Finish(ev.Outcome.DONE, "the rollback was taken back"),
        ),
        # Aliases move where they had begun to, unless they stand forward for good.
        (promoting(), (BLUE, GREEN), (), d.MoveAliases(back=False)),
        (promoting(aliases_moved=True), (BLUE, GREEN), (), AGAIN),
        (promoting(aliases_moved=True), (BLUE, GREEN), (ALIASES,), d.MoveAliases(back=False)),
        (promoting(aliases_moved=True), (BLUE, GREEN), (replace(ALIASES, back=False),), AGAIN),
        (
            promoting(aliases_moved=True),
            (BLUE, GREEN),
            (replace(ALIASES, kind=ev.PendingKind.REPORT),),
            AGAIN,
        ),
        (promoting(aliased=True), (BLUE, GREEN), (), AGAIN),
    ],
)
def test_on_its_way_forward(
    release: Release, slots: tuple[Observation, ...], pending: tuple[Pending, ...], action: d.Action
) -> None:
    assert what(release, *slots, pending=pending) == action


@pytest.mark.parametrize(("refusal", "because"), [("", ""), ("busy", ": busy")])
def test_a_way_forward_that_is_not_proved_in_time_is_a_way_back(refusal: str, because: str) -> None:
    release = replace(late(refusal=refusal, reached=50.0), state=ReleaseState.FORWARD)
    back = ev.TurnedBack("r2", ev.Outcome.ROLLED_BACK, f"the way forward was not proved{because}")
    assert what(release, *HOME) == d.Record((back,))


QUESTION = ev.Asked("r2", 0, "really?", NOW + 5)


@pytest.mark.parametrize(
    ("state", "more", "action"),
    [
        ({}, {}, d.Record((ev.Asked("r2", 0, "really?", NOW + 600),))),
        ({"question": QUESTION}, {}, d.Wait("a person to answer: really?", NOW + 5)),
        ({"question": QUESTION, "answer": True}, {}, done("a person said yes")),
        (
            {"question": QUESTION, "answer": False},
            {},
            d.Record((ev.TurnedBack("r2", ev.Outcome.ABORTED, "a person said no to: really?"),)),
        ),
        ({}, {"auto_approve": True}, done("approved beforehand: really?")),
        ({"question": replace(QUESTION, until=NOW)}, {}, failed("nobody answered within 600 s: really?")),
    ],
)
def test_a_question(state: Mapping[str, Any], more: Mapping[str, object], action: d.Action) -> None:
    assert what(replace(at(Ask("really?"), **state), **more)) == action  # type: ignore[arg-type]


# A hold of 60 s that began 10 s ago, unless it says otherwise

HOLD = Hold(60.0, (GATE,))


def seconds(ok: int = 100, failed: int = 0, newest: float = NOW, live: int = 0) -> Measured:
    """What was measured in the hold so far."""
    new = SlotMeasured(Sample("green", newest, ok, {"500": failed} if failed else {}))
    old = SlotMeasured(Sample("blue", newest, live))
    return Measured("r2", 0, NOW - 10, newest=newest, slots={"green": new, "blue": old})


def verdict(outcome: GateResult, why: str, value: float | None = None, gate: Gate = GATE) -> Verdict:
    return Verdict(gate, outcome, value, why)


PASSES = verdict(GateResult.PASS, "0 % is < 5 % over 100 requests", 0.0)
FAILS = verdict(GateResult.FAIL, "50 % is not < 5 % over 100 requests", 50.0)
LITTLE = verdict(GateResult.INCONCLUSIVE, "0 of 20 requests")


def judged(*verdicts: Verdict) -> d.Record:
    return d.Record((ev.Judged("r2", 0, verdicts),))


@pytest.mark.parametrize(
    ("state", "measured", "action"),
    [
        # The first look, at once.
        ({}, None, judged(LITTLE)),
        ({}, seconds(), judged(PASSES)),
        # Nothing new: left alone until the end. Something new: looked at a second after the last look.
        ({"looked_at": NOW, "verdicts": (PASSES,)}, seconds(), d.Wait("the hold to end", NOW + 50)),
        (
            {"looked_at": NOW - 0.5, "verdicts": (PASSES,)},
            seconds(newest=NOW - 0.5),
            d.Wait("the hold to end", NOW + 50),
        ),
        ({"looked_at": NOW - 0.5, "verdicts": (PASSES,)}, seconds(), d.Wait("the hold to end", NOW + 0.5)),
        ({"looked_at": NOW - 0.5, "verdicts": (LITTLE,)}, None, d.Wait("the hold to end", NOW + 50)),
        ({"looked_at": NOW - 0.5, "verdicts": (FAILS,)}, None, d.Wait("the hold to end", NOW + 0.5)),
        ({"looked_at": NOW - 1, "verdicts": (PASSES,)}, seconds(50, 50), judged(FAILS)),
        # What fails is counted each second, the same or not; what passes is said once.
        ({"looked_at": NOW - 1, "verdicts": (FAILS,)}, seconds(50, 50), judged(FAILS)),
        ({"looked_at": NOW - 1, "verdicts": (PASSES,)}, seconds(), d.Wait("the hold to end", NOW + 50)),
        # At the end it looks once more, however soon that is; not again after it.
        (
            {"started_at": NOW - 60, "looked_at": NOW - 0.3, "verdicts": (PASSES,)},
            seconds(50, 50),
            judged(FAILS),
        ),
        ({"started_at": NOW - 60, "looked_at": NOW - 0.3, "verdicts": (PASSES,)}, seconds(), done("1 gates hold")),
        (
            {"started_at": NOW - 60.2, "looked_at": NOW - 0.2, "verdicts": (LITTLE,)},
            seconds(),
            d.Wait("errors: 0 of 20 requests", NOW + 0.8),
        ),
        # With too little data it waits its patience, then asks.
        (
            {"started_at": NOW - 80, "looked_at": NOW, "verdicts": (LITTLE,)},
            None,
            d.Wait("errors: 0 of 20 requests", NOW + 10),
        ),
        (
            {"started_at": NOW - 89.75, "looked_at": NOW - 0.5, "verdicts": (LITTLE,)},
            seconds(),
            d.Wait("errors: 0 of 20 requests", NOW + 0.25),
        ),
        (
            {"started_at": NOW - 90, "looked_at": NOW, "verdicts": (LITTLE,)},
            None,
            d.Record(
                (ev.Asked("r2", 0, "too little data for errors (0 of 20 requests): go on?", NOW + 600),),
            ),
        ),
        # More failures or errors in a row than it forgives end it.
        (
            {"looked_at": NOW, "verdicts": (FAILS,), "fails": {"0": 1}},
            seconds(50, 50),
            failed("errors 50 % is not < 5 % over 100 requests"),
        ),
        (
            {"looked_at": NOW, "verdicts": (LITTLE,), "fails": {"0!": 5}},
            None,
            failed("errors could not be measured: 0 of 20 requests"),
        ),
        ({"looked_at": NOW, "verdicts": (LITTLE,), "fails": {"0!": 4}}, None, d.Wait("the hold to end", NOW + 50)),
        # A person lets it go on, but not over what fails.
        ({"looked_at": NOW, "verdicts": (PASSES,), "waved": True}, seconds(), done("let go on")),
    ],
)
def test_a_hold(state: Mapping[str, Any], measured: Measured | None, action: d.Action) -> None:
    assert what(at(HOLD, **state), measured=measured) == action


def test_a_gate_against_live_is_judged_by_what_live_answered() -> None:
    gate = Gate("rps", ">", -10.0, "live", at_least=20)
    passes = verdict(GateResult.PASS, "+25.0 % is > -10 % over 100 requests", 25.0, gate)
    assert what(at(Hold(60.0, (gate,))), measured=seconds(live=80)) == judged(passes)


def test_a_dry_run_ends_nothing_and_hides_nothing_that_stands_behind_it() -> None:
    dry = replace(GATE, dry_run=True)
    said = (verdict(GateResult.FAIL, "x", 1.0, dry), FAILS)
    release = at(Hold(60.0, (dry, GATE)), looked_at=NOW, verdicts=said, fails={"0": 9, "1": 1})
    assert what(release) == failed("errors 50 % is not < 5 % over 100 requests")
    assert what(at(Hold(60.0, (dry, GATE)), looked_at=NOW, verdicts=said, fails={"0": 9})) != failed("errors x")


def test_a_question_about_too_little_data_names_three_gates() -> None:
    gates = tuple(Gate(f"p{n}_ms", "<", 5.0, at_least=n) for n in (50, 95, 99, 10))
    little = tuple(verdict(GateResult.INCONCLUSIVE, "0", gate=gate) for gate in gates)
    action = what(at(Hold(60.0, gates), started_at=NOW - 90, looked_at=NOW, verdicts=little))
    text = "too little data for p50 (0), p95 (0), p99 (0): go on?"
    assert action == d.Record((ev.Asked("r2", 0, text, NOW + 600),))


@pytest.mark.parametrize(
    ("state", "measured", "action"),
    [
        # Gates are looked at each second all the same, but nothing goes on.
        ({"looked_at": NOW - 0.5, "verdicts": (PASSES,)}, seconds(), d.Wait("somebody to resume it", NOW + 0.5)),
        ({"looked_at": NOW, "verdicts": (PASSES,)}, seconds(), d.Wait("somebody to resume it")),
        ({"looked_at": NOW - 1, "verdicts": (PASSES,)}, seconds(50, 50), judged(FAILS)),
        ({"started_at": NOW - 60, "looked_at": NOW, "verdicts": (PASSES,)}, seconds(), d.Wait("somebody to resume it")),
        (
            {"looked_at": NOW, "verdicts": (FAILS,), "fails": {"0": 1}},
            seconds(50, 50),
            failed("errors 50 % is not < 5 % over 100 requests"),
        ),
        # While a person is asked, nothing else is.
        (
            {"looked_at": NOW - 1, "verdicts": (PASSES,), "question": QUESTION},
            seconds(50, 50),
            d.Wait("somebody to resume it"),
        ),
        (
            {"looked_at": NOW - 0.5, "verdicts": (PASSES,), "question": QUESTION},
            seconds(),
            d.Wait("somebody to resume it"),
        ),
    ],
)
def test_a_hold_that_is_paused(state: Mapping[str, Any], measured: Measured | None, action: d.Action) -> None:
    assert what(replace(at(HOLD, **state), paused=True), measured=measured) == action
