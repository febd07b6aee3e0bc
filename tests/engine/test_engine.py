"""The engine over a fake place and a real journal: releases whole, the way back from everywhere, two terminals."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.errors import BadInput, Failed, JournalError, Refused
from core.domain.gates import Gate
from core.domain.model import Observation
from core.domain.plan import Ask, Plan, Summarise, Work
from core.domain.strategies import all_at_once, blue_green, shadow
from core.engine import engine as module, retries
from core.engine.engine import Engine
from core.journal.journal import Journal, Lease
from core.state import commands as c, events as ev
from core.state.release import ReleaseState, Status
from tests.environments import (
    STEADY,
    TEST,
    V1,
    V2,
    V3,
    Bridge,
    FakeLoad,
    at,
    begin,
    bodies,
    canary_plan,
    ended,
    rollout,
    sample,
    serve,
    until as becomes,
    weights,
)

LONG = 600.0


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again without a rest."""
    monkeypatch.setattr(retries, "AGAIN_S", (0.0,))


@pytest.fixture
async def engine(store: Bridge, journal: Journal) -> AsyncIterator[Engine]:
    before = asyncio.all_tasks()
    async with store.engine(journal) as opened:
        yield opened
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"tasks outlive the engine: {left}"


async def test_a_first_release_takes_all_traffic_and_leaves_a_report(store: Bridge, engine: Engine) -> None:
    await engine.do(begin(V1, all_at_once(("data", "train"), rollout())))
    release = await ended(engine, "r1")
    assert (release.outcome, weights(store.place)) == (ev.Outcome.DONE, {"blue": 100.0})
    assert release.folder.endswith("r1")
    assert [name for name, _ in store.sites[0].worked] == ["data", "train", "smoke", "alias"]


async def test_a_canary_moves_10_50_100_and_each_share_is_proved(
    store: Bridge, engine: Engine, journal: Journal
) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan()))
    release = await ended(engine, "r2")
    assert release.outcome is ev.Outcome.DONE
    asked = [change.weights for change in store.place.asked if change.verb == "route"]
    assert asked == [
        {"blue": 100.0},
        {"green": 10.0, "blue": 90.0},
        {"green": 50.0, "blue": 50.0},
        {"green": 100.0, "blue": 0.0},
    ]
    assert [fact.weights for fact in bodies(journal, ev.Verified)] == asked
    assert engine.snapshot.endpoints["late"].retire.keys() == {"blue"}


@pytest.mark.parametrize("plan", [blue_green((), rollout()), all_at_once((), rollout())], ids=lambda p: p.strategy)
async def test_all_traffic_moves_at_once(store: Bridge, engine: Engine, plan: Plan) -> None:
    await serve(engine)
    await engine.do(begin(V2, plan))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.DONE
    assert weights(store.place) == {"blue": 0.0, "green": 100.0}


async def test_training_alone_touches_no_traffic(store: Bridge, engine: Engine) -> None:
    await engine.do(begin(None, Plan("train only", (Work("data"), Work("train"), Summarise()))))
    assert (await ended(engine, "r")).outcome is ev.Outcome.DONE
    assert store.place.asked == []


# The way back


@pytest.mark.parametrize("percent", [10, 50, 100])
async def test_r_at_any_share_brings_all_traffic_back_and_says_how_long_it_took(
    store: Bridge, engine: Engine, journal: Journal, percent: float
) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    for share in (10, 50, 100):
        await at(engine, "r2", share)
        if share == percent:
            break
        await engine.do(c.Next("late"))
    await engine.do(c.Rollback("late", asked_at=time.time()))
    release = await ended(engine, "r2")
    assert release.outcome is ev.Outcome.ROLLED_BACK
    assert weights(store.place) == {"blue": 100.0, "green": 0.0}
    last = bodies(journal, ev.Verified)[-1]
    assert (last.weights, last.since) == ({"blue": 100.0}, "key")
    assert last.took_ms > 0


async def test_verified_comes_only_once_the_watch_has_shown_it(store: Bridge, engine: Engine, journal: Journal) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.place.stall("route")
    await engine.do(c.Rollback("late", asked_at=time.time()))
    await becomes(engine, lambda s: s.releases["r2"].way and s.releases["r2"].way.routed)
    said = bodies(journal, ev.Verified)[-1]
    assert said.weights == {"green": 10.0, "blue": 90.0}
    store.place.stall("route", on=False)
    for slot, weight in (("green", 0.0), ("blue", 100.0)):
        store.place.push(_moved(store, slot, weight))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert bodies(journal, ev.Verified)[-1].weights == {"blue": 100.0}


def _moved(store: Bridge, slot: str, weight: float) -> Observation:
    from dataclasses import replace

    return replace(store.place.slots[slot], weight=weight, proved_by=7)


async def test_r_while_replicas_are_awaited_leaves_the_endpoint_as_it_was(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    store.place.never_ready("green")
    await engine.do(begin(V2, canary_plan()))
    await becomes(engine, lambda s: s.releases["r2"].slot and s.releases["r2"].current.asked)  # type: ignore[union-attr]
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert weights(store.place)["blue"] == 100.0


async def test_r_does_not_wait_for_a_call_that_is_in_flight(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.place.unreachable("route", landed=True)
    await engine.do(c.Next("late"))
    await becomes(engine, lambda s: s.releases["r2"].index == 4)
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert weights(store.place) == {"blue": 100.0, "green": 0.0}


async def test_r_cuts_a_load_test_short_and_does_not_wait_for_its_end(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(load=TEST)))
    await becomes(engine, lambda s: s.endpoints["late"].load and s.endpoints["late"].load.kind == "test")
    await engine.do(c.Rollback("late"))
    release = await ended(engine, "r2")
    assert release.outcome is ev.Outcome.ROLLED_BACK
    load = (await becomes(engine, lambda s: not s.endpoints["late"].load.running)).endpoints["late"].load  # type: ignore[union-attr]
    assert load is not None
    assert (load.how, load.why) == ("stopped", "the release turned")
    assert "restore" in [name for name, _ in store.sites[0].worked + store.sites[-1].worked]
    assert not release.aliases_moved


async def test_r_while_paused_goes_back(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    await engine.do(c.Pause("late"))
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK


async def test_r_after_the_end_goes_back_once_and_not_twice_as_far(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan()))
    await ended(engine, "r2")
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert weights(store.place) == {"blue": 100.0, "green": 0.0}
    with pytest.raises(Refused, match="was taken back already"):
        await engine.do(c.Rollback("late"))


async def test_r_after_the_old_slot_went_brings_it_up_first(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan()))
    await ended(engine, "r2")
    store.place._gone("blue")
    await becomes(engine, lambda s: "blue" not in s.endpoints["late"].slots)
    asked_before = len(store.place.asked)
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert [(a.verb, a.version) for a in store.place.asked[asked_before:]] == [("apply", V1), ("route", None)]
    assert weights(store.place) == {"blue": 100.0, "green": 0.0}


async def test_r_after_a_later_release_failed_takes_back_the_one_that_serves(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan()))
    await ended(engine, "r2")
    store.place.refuse("route", "the router says no")
    await engine.do(begin(V3, canary_plan()))
    failed = await ended(engine, "r3")
    assert (failed.outcome, failed.slot) == (ev.Outcome.FAILED, "blue")
    assert "the router says no" in failed.why
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert (store.place.slots["blue"].version, store.place.slots["blue"].weight) == (V1, 100.0)


async def test_u_in_the_middle_goes_on_with_the_interrupted_hold(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    await engine.do(c.Rollback("late"))
    await ended(engine, "r2")
    await engine.do(c.Undo("late", asked_at=time.time()))
    await at(engine, "r2", 10)
    assert weights(store.place) == {"blue": 90.0, "green": 10.0}
    assert "green" not in engine.snapshot.endpoints["late"].retire
    for percent in (10, 50, 100):
        await at(engine, "r2", percent)
        await engine.do(c.Next("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.DONE


async def test_u_after_the_end_moves_traffic_and_aliases_again(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan()))
    await ended(engine, "r2")
    await engine.do(c.Rollback("late"))
    assert not (await ended(engine, "r2")).aliases_moved
    await engine.do(c.Undo("late"))
    release = await ended(engine, "r2")
    assert (release.outcome, release.aliases_moved) == (ev.Outcome.DONE, True)
    assert weights(store.place) == {"blue": 0.0, "green": 100.0}
    moved = [(name, o["number"]) for s in store.sites for name, o in s.worked if name in ("alias", "restore")]
    assert moved == [("alias", "1"), ("alias", "2"), ("restore", "1"), ("alias", "2")]


@pytest.mark.parametrize("fault", [Failed("the registry is down"), ValueError("the registry is down")])
async def test_aliases_that_can_not_be_moved_end_no_rollback_and_stay_pending_until_they_are(
    store: Bridge, engine: Engine, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    await serve(engine)
    store.sites[0].faults["restore"] = [fault, fault, fault]
    await engine.do(begin(V2, canary_plan()))
    await ended(engine, "r2")
    await engine.do(c.Rollback("late"))
    pended = await becomes(engine, lambda s: s.endpoints["late"].pending)
    assert [(one.what, one.why, one.release) for one in pended.endpoints["late"].pending] == [
        ("aliases back", "the registry is down", "r2")
    ]
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    await becomes(engine, lambda s: not s.endpoints["late"].pending and not s.releases["r2"].aliases_moved)
    tries = [name for site in store.sites for name, _ in site.worked if name == "restore"]
    assert len(tries) == 4
    said = [line.text for line in engine.snapshot.log if line.source == "registry"]
    failed = "aliases are not moved back yet: the registry is down; tried again until they are"
    assert said == [failed, "aliases restored"]


async def test_a_rollback_does_not_wait_for_a_report_that_is_being_written(store: Bridge, engine: Engine) -> None:
    writing = asyncio.Event()
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.sites[-1].held["report"] = writing
    await engine.do(c.Abort("late"))
    await becomes(engine, lambda s: s.releases["r2"].outcome is ev.Outcome.ABORTED)
    await engine.do(begin(V3, canary_plan(LONG)))
    under_way = await at(engine, "r3", 10)
    assert (under_way.state, engine.snapshot.releases["r2"].folder) == (ReleaseState.RUNNING, "")
    writing.set()
    snapshot = await becomes(engine, lambda s: s.releases["r2"].folder)
    assert snapshot.releases["r2"].outcome is ev.Outcome.ABORTED


async def test_an_abort_takes_traffic_back_and_the_slot_away(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    await engine.do(c.Abort("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ABORTED
    assert weights(store.place) == {"blue": 100.0, "green": 0.0}
    assert "green" in engine.snapshot.endpoints["late"].retire


async def test_an_abort_can_be_undone_as_a_rollback_can(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    await engine.do(c.Abort("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ABORTED
    await engine.do(c.Undo("late"))
    await at(engine, "r2", 10)
    assert weights(store.place) == {"blue": 90.0, "green": 10.0}


async def test_a_first_release_that_is_taken_back_takes_no_traffic_and_can_be_undone(
    store: Bridge, engine: Engine
) -> None:
    await engine.do(begin(V1, all_at_once((), rollout(load=TEST))))
    await becomes(engine, lambda s: s.endpoints["late"].load)
    await engine.do(c.Abort("late"))
    assert (await ended(engine, "r1")).outcome is ev.Outcome.ABORTED
    assert weights(store.place) == {"blue": 0.0}
    assert "blue" in engine.snapshot.endpoints["late"].retire
    await engine.do(c.Undo("late"))
    await becomes(engine, lambda s: s.endpoints["late"].slots["blue"].weight == 100.0)


async def test_a_slot_that_will_not_go_is_tried_again_later_and_alarms_nobody(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.place.refuse("remove", "busy")
    store.place.refuse("route", "the router says no")
    await engine.do(c.Next("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.FAILED
    left = [(one.what, one.why) for one in engine.snapshot.endpoints["late"].pending]
    assert left == [("removal of green", "busy")]
    assert ("retire", "green stays: busy; tried again later") in [(x.source, x.text) for x in engine.snapshot.log]
    await becomes(engine, lambda s: not s.endpoints["late"].pending)
    assert weights(store.place) == {"blue": 100.0}


async def test_a_size_by_hand_is_asked_for_until_the_target_takes_it_or_refuses(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    store.place.unreachable("scale", 2)
    await engine.do(c.ScaleSlot("late", 3))
    await becomes(engine, lambda s: s.endpoints["late"].slots["blue"].ready == 3)
    await becomes(engine, lambda s: not s.endpoints["late"].pending)
    assert [call.replicas for call in store.place.asked if call.verb == "scale"] == [3, 3, 3]
    store.place.refuse("scale", "4 are outside")
    await engine.do(c.ScaleSlot("late", 4))
    await becomes(engine, lambda s: not s.endpoints["late"].pending)
    said = ("scaling", "blue does not get 4 replicas: 4 are outside")
    assert said in [(line.source, line.text) for line in engine.snapshot.log]
    assert [call.replicas for call in store.place.asked if call.verb == "scale"] == [3, 3, 3, 4]


async def test_a_way_back_that_the_target_refuses_calls_a_person_and_can_be_tried_again(
    store: Bridge, engine: Engine
) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.place.refuse("route", "the router is gone")
    await engine.do(c.Rollback("late"))
    stuck = await ended(engine, "r2")
    assert stuck.outcome is ev.Outcome.STUCK
    assert stuck.why.startswith(
        "rolled back; the router is gone; mend that and call 'quarterdeck rollback --env dev' again"
    )
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert weights(store.place) == {"blue": 100.0, "green": 0.0}


# Steps that fail, people who decide


@pytest.mark.parametrize("fault", [Failed("no rows"), ValueError("a bug")])
async def test_a_step_that_fails_ends_the_release_and_n_tries_it_again(
    store: Bridge, engine: Engine, fault: Exception
) -> None:
    store.write_site = lambda site: site.faults.update(train=[fault])
    await engine.do(begin(V1, all_at_once(("data", "train"), rollout())))
    failed = await ended(engine, "r1")
    assert failed.outcome is ev.Outcome.FAILED
    assert str(fault) in failed.why
    await engine.do(c.Next("late"))
    done = await ended(engine, "r1")
    await becomes(engine, lambda s: s.releases["r1"].outcome is ev.Outcome.DONE)
    assert [name for name, _ in store.sites[0].worked][:3] == ["data", "train", "train"]
    assert done.folder


async def test_a_model_that_the_gate_stops_changes_nothing(store: Bridge, engine: Engine, journal: Journal) -> None:
    from core.work.job import Done

    row = {"metric": "f1", "op": ">=", "limit": 0.8, "value": 0.5, "outcome": "FAIL", "why": "f1 0.5 is under 0.8"}
    await serve(engine)
    before = list(store.place.asked)
    version = {"model": "late", "number": "9", "run_id": "", "uri": "", "digest": ""}
    for site in store.sites:
        site.results["gate"] = Done({"passed": False, "verdicts": [row]}, "stopped")
        site.results["register"] = Done({"version": version}, "v9")
    await engine.do(begin(None, canary_plan_of(("register", "gate"))))
    release = await ended(engine, "r")
    assert (release.outcome, release.why) == (ev.Outcome.FAILED, "gate: f1 0.5 is under 0.8")
    assert release.version is not None
    assert release.version.number == "9"
    assert store.place.asked == before


def canary_plan_of(work: tuple[str, ...]) -> Plan:
    from core.domain.strategies import canary

    return canary(work, rollout(), (10, 50, 100))


async def test_gates_that_fail_take_traffic_back(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG, (Gate("failed_percent", "<", 5.0, window_s=60.0, at_least=20),))))
    await at(engine, "r2", 10)
    store.place.push(sample("green", 50, 50, at=time.time() + 1))
    release = await ended(engine, "r2")
    assert release.outcome is ev.Outcome.FAILED
    assert "errors" in release.why
    assert weights(store.place) == {"blue": 100.0}


async def test_gates_watch_on_while_the_release_is_paused(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG, (Gate("failed_percent", "<", 5.0, window_s=60.0, at_least=20),))))
    await at(engine, "r2", 10)
    await engine.do(c.Pause("late"))
    store.place.push(sample("green", 50, 50, at=time.time() + 1))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.FAILED


async def test_step_by_step_waits_for_n_before_each_stage(store: Bridge, engine: Engine) -> None:
    await engine.do(begin(V1, all_at_once((), rollout()), step_by_step=True))
    steps = len(engine.snapshot.releases["r1"].steps)
    for index in range(steps):
        await becomes(engine, lambda s, i=index: s.releases["r1"].index == i)  # type: ignore[misc]
        assert engine.snapshot.releases["r1"].current.status is Status.WAITING  # type: ignore[union-attr]
        await engine.do(c.Next("late"))
    assert (await ended(engine, "r1")).outcome is ev.Outcome.DONE


async def test_a_question_is_answered_yes_or_no(store: Bridge, engine: Engine) -> None:
    plan = Plan("asked", (Ask("go on?"), Summarise()))
    for name, yes, outcome in (("one", True, ev.Outcome.DONE), ("two", False, ev.Outcome.ABORTED)):
        await engine.do(begin(None, plan, release=name))
        await becomes(engine, lambda s, n=name: s.releases[n].current.question)  # type: ignore[misc]
        await engine.do(c.Answer("late", yes))
        assert (await ended(engine, name)).outcome is outcome


async def test_a_deployment_that_never_gets_ready_fails_at_its_deadline(store: Bridge, engine: Engine) -> None:
    from dataclasses import replace

    store.place.never_ready("blue", "out of memory")
    await engine.do(begin(V1, all_at_once((), replace(rollout(), deadline_s=0.2))))
    release = await ended(engine, "r1")
    assert release.outcome is ev.Outcome.FAILED
    assert "blue has 0 of 2 ready after 0.2 s: out of memory" in release.why


async def test_a_call_that_nobody_answers_is_asked_again(store: Bridge, engine: Engine) -> None:
    store.place.unreachable("apply")
    await engine.do(begin(V1, all_at_once((), rollout())))
    assert (await ended(engine, "r1")).outcome is ev.Outcome.DONE
    assert [a.verb for a in store.place.asked] == ["apply", "apply", "route"]


async def test_a_slot_that_is_due_goes(store: Bridge, engine: Engine) -> None:
    from dataclasses import replace

    await serve(engine)
    store.place.refuse("remove", "not yet")
    await engine.do(begin(V2, blue_green((), replace(rollout(), retire_after_s=0.0))))
    await ended(engine, "r2")
    await becomes(engine, lambda s: any("not yet; tried again later" in line.text for line in s.log))
    await becomes(engine, lambda s: "blue" not in s.endpoints["late"].slots)
    assert weights(store.place) == {"green": 100.0}


# Load and logs


SHADOW = shadow((), rollout(LONG), 20, Gate("differing_percent", "<=", 5.0), (10, 100))


@pytest.mark.parametrize(("plan", "share"), [(canary_plan(LONG), 10), (SHADOW, 0)], ids=["canary", "shadow"])
async def test_background_load_runs_while_gates_watch(tmp_path: Path, plan: Plan, share: float) -> None:
    store = Bridge(tmp_path, background=STEADY)
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        await engine.do(begin(V2, plan))
        await at(engine, "r2", share)
        state = await becomes(engine, lambda s: s.endpoints["late"].load and s.endpoints["late"].load.running)
        assert state.endpoints["late"].load.kind == "background"  # type: ignore[union-attr]
        await engine.do(c.Rollback("late"))
        await ended(engine, "r2")
        await becomes(engine, lambda s: not s.endpoints["late"].load.running)  # type: ignore[union-attr]
        assert [load.closed for site in store.sites for load in site.loads] == [True]
    journal.close()


async def load_of(store: Bridge) -> FakeLoad:
    """The load of the test that has begun."""
    async with asyncio.timeout(5):
        while not (found := [load for site in store.sites for load in site.loads]):  # noqa: ASYNC110
            await asyncio.sleep(0)
    return found[-1]


async def test_load_by_hand_is_steered(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(c.StartLoad("late", STEADY))
    await becomes(engine, lambda s: s.endpoints["late"].load)
    site = store.sites[-1]
    async with asyncio.timeout(5):
        await site.load_started.wait()
    for change in (c.SetLoad("late", change=5), c.SetLoad("late", paused=True), c.SetLoad("late", paused=False)):
        await engine.do(change)
    await engine.do(c.SetLoad("late", reset=True))
    async with asyncio.timeout(5):
        while ("reset",) not in site.loads[0].asked:
            await engine.change(0.1)
    site.loads[0].push(sample(None))
    await becomes(engine, lambda s: ("late", None) in s.series)
    await engine.do(c.SetLoad("late", stop=True))
    ended_load = await becomes(engine, lambda s: not s.endpoints["late"].load.running)  # type: ignore[union-attr]
    assert ("users", 10, 5.0) in site.loads[0].asked
    assert ended_load.endpoints["late"].load.why == "stopped by ada"  # type: ignore[union-attr]


async def test_a_load_test_over_its_limits_fails_the_release(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(load=TEST)))
    load = await load_of(store)
    load.push(sample(None, 50, 50))
    load.end()
    release = await ended(engine, "r2")
    assert release.outcome is ev.Outcome.FAILED
    assert "load test: errors" in release.why
    assert next(step for step in release.steps if step.result.get("failed")).result["kinds"] == {
        "failed": {"500": 50},
        "exceptions": {},
    }
    assert weights(store.place) == {"blue": 100.0}


async def test_a_load_test_within_its_limits_passes(store: Bridge, engine: Engine) -> None:
    await engine.do(begin(V1, all_at_once((), rollout(load=TEST))))
    load = await load_of(store)
    load.push(sample(None))
    load.end()
    release = await ended(engine, "r1")
    assert release.outcome is ev.Outcome.DONE
    assert next(s for s in release.steps if s.figure == "100 rps").result["requests"] == 100


async def test_a_replicas_log_is_followed_while_somebody_reads(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(c.Tail("late", "blue-1"))
    await becomes(engine, lambda s: "blue-1" in s.endpoints["late"].tails)
    async with asyncio.timeout(5):
        while not store.place._readers:
            await engine.change(0.1)
    store.place.say("blue", "blue-1", "hello from blue-1")
    await becomes(engine, lambda s: any(line.text == "hello from blue-1" for line in s.log))
    await engine.do(c.Tail("late", "blue-1", 0))
    async with asyncio.timeout(5):
        while store.place._readers:
            await engine.change(0.1)
    store.place.say("blue", "blue-1", "nobody reads this")
    assert [line.text for line in engine.snapshot.log if line.source == "blue-1"] == ["hello from blue-1"]


# Who may ask, who drives


async def test_a_second_release_is_refused_with_who_holds_the_first(engine: Engine) -> None:
    await engine.do(begin(V1, canary_plan(), step_by_step=True))
    with pytest.raises(Refused, match="r1 is under way, begun by ada"):
        await engine.do(begin(V2, canary_plan()))


async def test_a_read_only_engine_takes_no_commands(store: Bridge, journal: Journal) -> None:
    async with store.engine(journal, read_only=True) as engine:
        with pytest.raises(Refused, match="read-only"):
            await engine.do(c.Pause("late"))


async def test_surroundings_that_can_not_be_made_leave_the_wheel_free(store: Bridge, journal: Journal) -> None:
    def broken(endpoint: str, options: ev.Result) -> object:
        raise BadInput("endpoint.key_env: the variable KEY is not set")

    async with Engine(journal, broken, "ada") as engine:  # type: ignore[arg-type]
        with pytest.raises(BadInput, match="KEY is not set"):
            await engine.do(begin(V1, canary_plan()))
        assert journal.holder("late") is None
        engine.attend("late")
        await engine.change(1.5)
        assert not engine.drives("late")


async def test_followers_end_when_the_engine_is_closed(store: Bridge, journal: Journal) -> None:
    async with store.engine(journal) as engine:

        async def follow() -> int:
            return len([event async for event in engine.events()])

        following = asyncio.create_task(follow())
        await serve(engine)
        assert not following.done()
    async with asyncio.timeout(5):
        assert await following == journal.last()


async def test_a_follower_from_a_place_misses_nothing_and_hears_nothing_twice(engine: Engine) -> None:
    await serve(engine)
    last = engine.snapshot.seq
    for after in (0, last // 2, last - 1):
        events = engine.events(after)
        seen = [(await anext(events)).seq for _ in range(last - after)]
        assert seen == list(range(after + 1, last + 1))
        await events.aclose()  # type: ignore[attr-defined]


async def test_an_engine_that_is_closed_under_a_release_leaves_it_to_the_next(store: Bridge, journal: Journal) -> None:
    store.write_site = lambda site: site.held.update(train=asyncio.Event())
    async with store.engine(journal) as engine:
        await engine.do(begin(V1, all_at_once(("data", "train"), rollout())))
        await becomes(engine, lambda s: s.releases["r1"].index == 1 and s.releases["r1"].current.asked)  # type: ignore[union-attr]
    assert journal.holder("late") is None
    assert (store.sites[0].closed, store.sites[0].cancelled) == (1, 1)
    store.write_site = lambda site: None
    async with store.engine(journal) as engine:
        assert engine.snapshot.releases["r1"].index == 1
        engine.drive("late")
        assert (await ended(engine, "r1")).outcome is ev.Outcome.DONE
        assert [name for name, _ in store.sites[1].worked] == ["train", "smoke", "alias"]


async def test_an_engine_that_is_closed_during_a_load_test_judges_nothing(store: Bridge, journal: Journal) -> None:
    async with store.engine(journal) as engine:
        await engine.do(begin(V1, all_at_once((), rollout(load=TEST))))
        (await load_of(store)).push(sample(None, 1, 99))
    assert bodies(journal, ev.StepFailed) == []
    async with store.engine(journal) as engine:
        release = engine.snapshot.releases["r1"]
        assert (release.state, release.current.status) == (ReleaseState.RUNNING, Status.RUNNING)  # type: ignore[union-attr]
        assert not engine.snapshot.endpoints["late"].load.running  # type: ignore[union-attr]


async def test_a_driver_that_breaks_is_said_to_those_who_follow(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    seat = engine.leadership.drivers["late"]
    seat.driver._observer._saw = None  # type: ignore[method-assign,assignment]
    events = engine.events(engine.snapshot.seq)
    store.place.push(sample("blue"))
    with pytest.raises(Failed, match=r"drive late: .*call again"):
        async with asyncio.timeout(5):
            await anext(events)
    assert isinstance(engine.broken, Failed)
    assert not isinstance(engine.broken, JournalError)


async def test_a_journal_that_can_not_be_read_for_a_moment_is_said_and_read_again(
    engine: Engine, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ATTEND_S", 0.02)
    await serve(engine)
    faults = [JournalError("journal x: disk I/O error; call again")]
    changed = journal.changed

    def once() -> bool:
        if faults:
            raise faults.pop()
        return changed()

    monkeypatch.setattr(journal, "changed", once)
    with pytest.raises(JournalError, match="disk I/O error"):
        async with asyncio.timeout(5):
            await anext(engine.events(engine.snapshot.seq))
    async with asyncio.timeout(5):
        while engine.broken is not None:
            await engine.change(0.05)
    assert engine.drives("late")


async def test_an_attended_endpoint_whose_wheel_can_not_be_taken_is_tried_again(
    engine: Engine, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ATTEND_S", 0.02)
    faults = [JournalError("journal x: database is locked; call again")]
    take = journal.take

    def once(*args: object, **more: object) -> Lease:
        if faults:
            raise faults.pop()
        return take(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(journal, "take", once)
    engine.attend("late")
    async with asyncio.timeout(5):
        while not engine.drives("late"):
            await engine.change(0.02)
    assert engine.broken is None
    assert engine.leadership.drivers["late"].weak


async def test_a_command_is_judged_again_when_others_wrote_in_between(
    engine: Engine, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.do(begin(V1, canary_plan(), step_by_step=True))
    append, others = journal.append, [ev.Logged("late", "other", "in between")]

    def with_others(*args: object, **more: object) -> int | None:
        if others and more.get("after") is not None:
            append([others.pop()], "bob", time.time())
        return append(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(journal, "append", with_others)
    await engine.do(c.Pause("late"))
    assert engine.snapshot.releases["r1"].paused
    monkeypatch.setattr(journal, "append", lambda *_, **__: None)
    with pytest.raises(JournalError, match="others write without pause"):
        await engine.do(c.Pause("late"))
    monkeypatch.setattr(journal, "append", append)


async def test_a_driver_that_was_broken_gives_its_seat_to_the_next(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    engine.leadership.drivers["late"].driver._observer._saw = None  # type: ignore[method-assign,assignment]
    store.place.push(sample("blue"))
    async with asyncio.timeout(5):
        while engine.drives("late"):
            await engine.change(0.05)
    assert store.sites[0].closed == 1
    await engine.do(begin(V2, canary_plan()))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.DONE
    assert engine.broken is None


async def test_an_engine_that_is_opened_and_closed_at_once_leaves_nothing(store: Bridge, journal: Journal) -> None:
    async with store.engine(journal) as engine:
        await engine.do(begin(V1, canary_plan()))
    assert store.sites[0].closed == 1
    assert store.sites[0].targets[0]._closed
    assert journal.holder("late") is None
