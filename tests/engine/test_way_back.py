"""A driver that comes to a place it has not seen: it looks first, and the way back waits for little."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import BadInput, Failed, Unreachable
from core.domain.model import Noted, Observation
from core.domain.strategies import all_at_once, canary
from core.engine import calls, driver as driver_module, observer as observer_module
from core.engine.engine import Engine
from core.journal.journal import Journal
from core.rollout.decide import decide
from core.state import commands as c, events as ev
from core.state.release import ReleaseState
from core.targets.fake.place import Delays, FakePlace
from core.work.job import Done
from tests.environments import (
    V1,
    V2,
    V3,
    Bridge,
    FakeEnvironment,
    at,
    begin,
    bodies,
    canary_plan,
    ended,
    rollout,
    serve,
    until,
    weights,
)

LONG = 600.0


@pytest.fixture
async def engine(store: Bridge, journal: Journal) -> AsyncIterator[Engine]:
    async with store.engine(journal) as opened:
        yield opened


async def left_at(store: Bridge, percent: float = 10) -> None:
    """A release that holds at this share, and nobody who drives it any more."""
    journal = store.journal()
    async with store.engine(journal, "gone") as engine:
        await serve(engine)
        await engine.do(begin(V2, canary_plan(LONG)))
        await at(engine, "r2", percent)
    journal.close()
    store.place.asked.clear()


def verbs(store: Bridge) -> list[str]:
    return [call.verb for call in store.place.asked]


async def test_a_slot_that_died_while_nobody_watched_is_brought_up_before_traffic_goes_there(store: Bridge) -> None:
    await left_at(store)
    store.place.slots["blue"] = replace(store.place.slots["blue"], ready=0, replicas=())
    journal = store.journal()
    async with store.engine(journal) as engine:
        assert engine.snapshot.endpoint("late").slots["blue"].ready == 2
        await engine.do(c.Rollback("late"))
        assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert verbs(store) == ["apply", "route"]
    journal.close()


async def test_a_slot_that_went_while_nobody_watched_is_known_to_be_gone(store: Bridge) -> None:
    await left_at(store)
    del store.place.slots["blue"]
    journal = store.journal()
    async with store.engine(journal) as engine:
        engine.drive("late")
        await until(engine, lambda s: "blue" not in s.endpoint("late").slots)
        await engine.do(c.Rollback("late"))
        assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert verbs(store) == ["apply", "route"]
    journal.close()


@pytest.mark.parametrize(("answers", "asked"), [(True, ["route"]), (False, ["apply"])])
async def test_a_way_back_waits_a_moment_for_a_watch_that_is_silent_and_then_asks_the_slot_itself(
    store: Bridge, monkeypatch: pytest.MonkeyPatch, answers: bool, asked: list[str]
) -> None:
    async def answers_as(*_: object) -> bool:
        return answers

    monkeypatch.setattr(observer_module, "answers_as", answers_as)
    monkeypatch.setattr(driver_module, "SYNC_S", {ReleaseState.BACK: 0.05})
    await left_at(store)
    store.place.keep_silent()
    journal = store.journal()
    async with store.engine(journal) as engine:
        await engine.do(c.Rollback("late"))
        await until(engine, lambda _: verbs(store))
        said = "the watch has not told all that is true within 0.05 s; acting on what answers now"
        assert said in [line.text for line in engine.snapshot.log]
    assert verbs(store)[:1] == asked
    journal.close()


async def test_a_release_waits_for_the_first_full_report(store: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    await left_at(store)
    store.place.keep_silent()
    journal = store.journal()
    async with store.engine(journal) as engine:
        engine.drive("late")
        for _ in range(5):
            await engine.emit(ev.Logged("late", "test", "a tick"))
        assert verbs(store) == []
        assert engine.snapshot.releases["r2"].current.status == "interrupted"  # type: ignore[union-attr]
    journal.close()


async def test_replicas_that_went_come_back_with_the_traffic(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    store.place.push(replace(store.place.slots["blue"], wanted=4, ready=4))
    await until(engine, lambda s: s.endpoint("late").slots["blue"].ready == 4)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.place.push(replace(store.place.slots["blue"], wanted=1, ready=1))
    await until(engine, lambda s: s.endpoint("late").slots["blue"].ready == 1)
    store.place.asked.clear()
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert [(call.verb, call.replicas) for call in store.place.asked] == [("apply", 4), ("route", None)]
    await until(engine, lambda s: s.endpoint("late").slots["blue"].ready == 4 and not s.endpoint("late").pending)


async def test_traffic_goes_back_while_the_target_is_still_asked_for_replicas(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    target, hanging = store.sites[-1].targets[-1], asyncio.Event()

    async def hang(*_: object) -> None:
        hanging.set()
        await asyncio.Event().wait()

    target.apply = hang  # type: ignore[method-assign,assignment]
    store.place.push(replace(store.place.slots["blue"], wanted=1, ready=1))
    await until(engine, lambda s: s.endpoint("late").slots["blue"].ready == 1)
    await engine.do(c.Rollback("late", asked_at=time.time()))
    seen = await until(engine, lambda s: s.endpoint("late").weights == {"blue": 100.0} and s.endpoint("late").verified)
    await until(engine, lambda s: s.endpoint("late").verified.weights == {"blue": 100.0})  # type: ignore[union-attr]
    assert hanging.is_set()
    assert [one.what for one in seen.endpoint("late").pending] == ["2 replicas of blue"]
    assert weights(store.place)["blue"] == 100.0


async def test_a_place_that_is_late_and_lands_in_parts_is_proved_when_it_is_whole(tmp_path: Path) -> None:
    store = Bridge(tmp_path, FakePlace(Delays(accept_s=0.002, part_s=0.01, ready_s=0.01, route_s=0.01)))
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        await engine.do(begin(V2, canary_plan()))
        assert (await ended(engine, "r2")).outcome is ev.Outcome.DONE
        await engine.do(c.Rollback("late"))
        assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    shares = [fact.weights.get("green", 0.0) for fact in bodies(journal, ev.Verified)]
    assert shares == [0.0, 10.0, 50.0, 100.0, 0.0]
    seen: dict[str, Observation] = {}
    for event in journal.read(0, 100_000):
        match event.body:
            case ev.Observed(observation=one):
                seen[one.slot] = one
            case ev.Verified(weights=shown):
                assert {slot: one.weight for slot, one in seen.items() if one.weight} == {
                    slot: weight for slot, weight in shown.items() if weight
                }
            case _:
                pass
    journal.close()


async def test_no_share_is_verified_that_is_five_points_off(store: Bridge, engine: Engine, journal: Journal) -> None:
    await serve(engine)
    store.place.miss(5.0)
    await engine.do(begin(V2, canary_plan(LONG)))
    await until(engine, lambda s: s.endpoint("late").slots.get("green") and s.endpoint("late").weights.get("green"))
    await until(engine, lambda s: s.endpoint("late").slots["green"].weight == 15.0)
    for _ in range(3):
        await engine.emit(ev.Logged("late", "test", "a tick"))
    assert [fact.weights for fact in bodies(journal, ev.Verified)] == [{"blue": 100.0}]
    store.place.miss(0.0)
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    last = bodies(journal, ev.Verified)[-1]
    assert (last.weights, last.answers) == ({"blue": 100.0}, 20)


async def test_a_slot_that_shows_all_traffic_as_another_version_proves_nothing(
    store: Bridge, engine: Engine, journal: Journal
) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.place.stall("route")
    await engine.do(c.Rollback("late"))
    await until(engine, lambda s: s.releases["r2"].way and s.releases["r2"].way.routed)
    store.place.push(replace(store.place.slots["green"], weight=0.0, proved_by=0))
    store.place.push(Observation("blue", V3, 2, 2, 100.0, proved_by=20))
    await until(engine, lambda s: s.endpoint("late").slots["blue"].version == V3)
    assert engine.snapshot.releases["r2"].live
    assert bodies(journal, ev.Verified)[-1].weights == {"green": 10.0, "blue": 90.0}
    store.place.push(Observation("blue", V1, 2, 2, 100.0, proved_by=20))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK


async def test_a_standby_that_can_not_be_brought_up_is_said_at_once_and_traffic_stays(
    store: Bridge, engine: Engine
) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.place.push(replace(store.place.slots["blue"], ready=0, replicas=()))
    await until(engine, lambda s: s.endpoint("late").slots["blue"].ready == 0)
    store.place.fail("apply", Failed("late v1: the registry at here.db is gone"))
    await engine.do(c.Rollback("late"))
    stuck = await ended(engine, "r2")
    assert stuck.outcome is ev.Outcome.STUCK
    assert stuck.why.startswith("rolled back; late v1: the registry at here.db is gone; mend that and call")
    assert weights(store.place) == {"blue": 90.0, "green": 10.0}
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert weights(store.place) == {"blue": 100.0, "green": 0.0}


# Silence


async def test_what_nobody_answers_is_asked_ever_less_often_and_said_in_few_lines(
    store: Bridge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "AGAIN_S", 0.0)
    store.place.unreachable("apply", 9)
    await engine.do(begin(V1, canary_plan(LONG)))
    await until(engine, lambda s: s.releases["r1"].index > 0)
    said = [line.text for line in engine.snapshot.log if "no answer from the fake place" in line.text]
    assert [text.rpartition("asked again")[2] for text in said] == ["", *(f", {n} times so far" for n in (2, 4, 8))]


async def test_a_way_back_over_an_undo_that_nobody_answered_is_proved_once(
    store: Bridge, engine: Engine, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "AGAIN_S", 0.0)
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    await engine.do(c.Rollback("late", asked_at=engine.now() - 5))
    await ended(engine, "r2")
    before = len(bodies(journal, ev.Verified))
    store.place.unreachable("route", 1000)
    await engine.do(c.Undo("late"))
    await until(engine, lambda s: bool(s.releases["r2"].way and s.releases["r2"].way.refusal))
    await engine.do(c.Rollback("late", asked_at=engine.now()))
    await until(engine, lambda _: len([call for call in store.place.asked if call.weights == {"blue": 100.0}]) > 5)
    store.place._errors.clear()
    await ended(engine, "r2")
    proofs = bodies(journal, ev.Verified)[before:]
    assert [(one.since, one.weights) for one in proofs] == [("key", {"blue": 100.0})]


async def test_the_last_refusal_is_the_reason_when_nothing_was_heard(
    store: Bridge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(site: object) -> None:
        make = site.target  # type: ignore[attr-defined]

        def target(token: int) -> object:
            made = make(token)

            async def broken() -> AsyncIterator[object]:
                raise Unreachable("the watch of late is forbidden to you")
                yield

            made.watch = broken
            return made

        site.target = target  # type: ignore[attr-defined]

    monkeypatch.setattr(driver_module, "SYNC_LATE_S", 0.05)
    store.write_site = write
    await engine.do(begin(V1, all_at_once((), replace(rollout(), deadline_s=1.0))))
    release = await ended(engine, "r1")
    assert release.outcome is ev.Outcome.FAILED
    assert release.why == "deploy: blue has 0 of 2 ready after 1 s: the watch of late is forbidden to you"


@pytest.mark.parametrize("state", ["on", "back"])
async def test_a_fault_in_a_rule_is_said_and_ends_what_it_is_in(
    store: Bridge, engine: Engine, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    faults = 1

    def broken(*args: object) -> object:
        nonlocal faults
        if faults:
            faults -= 1
            raise ValueError("seven is not a slot")
        return decide(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(driver_module, "decide", broken)
    if state == "back":
        await engine.do(c.Rollback("late"))
    release = await ended(engine, "r2")
    assert "ValueError: seven is not a slot" in release.why
    assert release.outcome is (ev.Outcome.STUCK if state == "back" else ev.Outcome.FAILED)


async def test_a_target_that_breaks_in_a_call_fails_the_step(store: Bridge, engine: Engine) -> None:
    await serve(engine)

    async def broken(*_: object) -> None:
        raise ValueError("no such thing")

    store.sites[-1].targets[-1].apply = broken  # type: ignore[method-assign,assignment]
    await engine.do(begin(V2, canary_plan()))
    assert (await ended(engine, "r2")).why == "deploy: ValueError: no such thing"


async def test_a_clock_that_is_set_changes_nothing_about_how_long_it_took(
    store: Bridge, engine: Engine, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.place.stall("route")
    await engine.do(c.Rollback("late", asked_at=time.time()))
    await until(engine, lambda s: s.releases["r2"].way and s.releases["r2"].way.routed)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() - 3600)
    for slot, weight in (("green", 0.0), ("blue", 100.0)):
        store.place.push(replace(store.place.slots[slot], weight=weight, proved_by=7))
    await until(engine, lambda s: s.releases["r2"].outcome)
    took = bodies(journal, ev.Verified)[-1].took_ms
    assert 0 < took < 60_000


# Aliases and what serves


async def test_an_alias_of_another_registered_model_was_moved_by_nobody(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    store.sites[-1].results["alias"] = Done({"alias": "dev", "alias_was": None, "number": "2"}, "v2")
    await engine.do(begin(replace(V2, model="theirs"), canary_plan()))
    await ended(engine, "r2")
    assert not [line.text for line in engine.snapshot.log if line.source == "registry"]


async def test_an_alias_of_what_another_machine_released_was_moved_by_nobody(store: Bridge, engine: Engine) -> None:
    """Its registry is another: in the one here the alias never was."""
    store.place.push(Observation("blue", V1, 2, 2, 100.0, proved_by=20))
    store.write_site = lambda site: site.results.update(
        alias=Done({"alias": "dev", "alias_was": None, "number": "2"}, "v2")
    )
    await engine.do(begin(V2, canary_plan()))
    over = await ended(engine, "r2")
    assert (over.outcome, over.old_version) == (ev.Outcome.DONE, V1)
    assert not [line.text for line in engine.snapshot.log if line.source == "registry"]


async def test_what_another_machine_has_put_into_a_slot_is_not_removed_for_one_that_was_kept_there(
    store: Bridge, engine: Engine
) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.place.push(replace(store.place.slots["green"], version=V3))
    await until(engine, lambda s: s.endpoint("late").slots["green"].version == V3)
    await engine.do(c.Abort("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ABORTED
    assert engine.snapshot.endpoint("late").retire == {}
    assert store.place.slots["green"].version == V3


async def test_an_alias_that_somebody_else_moved_is_said(store: Bridge, engine: Engine) -> None:
    def write(site: FakeEnvironment) -> None:
        site.results["alias"] = Done({"alias": "dev", "alias_was": "7", "number": "2"}, "v2")
        site.results["restore"] = Done(
            {"moved_by_others": "@dev was at v9, not at v2: somebody else had moved it"}, "v1"
        )

    await serve(engine)
    write(store.sites[-1])
    await engine.do(begin(V2, canary_plan()))
    await ended(engine, "r2")
    await engine.do(c.Rollback("late"))
    await ended(engine, "r2")
    said = [line.text for line in engine.snapshot.log if line.source == "registry"]
    assert said == [
        "@dev was at v7, though v1 served: somebody else had moved it",
        "@dev was at v9, not at v2: somebody else had moved it",
    ]
    options = next(options for name, options in store.sites[-1].worked if name == "restore")
    assert options == {"number": "1", "alias": "dev", "previous_alias": "dev-previous", "moved_to": "2"}


async def test_a_file_that_was_gone_as_a_call_began_is_asked_for_again_though_another_is_named_by_now(
    store: Bridge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks from another shell lends it in the very moment in which the call with the old one fails."""
    most = 100

    def routes() -> int:
        return [one.verb for one in store.place.asked].count("route")

    def lacks(_: FakeEnvironment) -> str:
        return "SSL_CERT_FILE names gone.pem, which is gone" if routes() <= most else ""

    monkeypatch.setattr(FakeEnvironment, "lacks", lacks)
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    store.place.fail("route", BadInput("SSL_CERT_FILE: gone.pem can't be used"))
    most = routes()
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert weights(store.place)["blue"] == 100.0


async def test_a_gate_compares_with_what_serves(store: Bridge, engine: Engine) -> None:
    await engine.do(begin(V1, canary(("evaluate",), rollout(), (10,))))
    await ended(engine, "r1")
    await engine.do(begin(V2, canary(("evaluate",), rollout(), (10,)), options={"evaluate": {"rows": 5}}))
    await ended(engine, "r2")
    asked = [options for site in store.sites for name, options in site.worked if name == "evaluate"]
    assert asked == [{}, {"rows": 5, "serving": "models:/late/1"}]


async def test_a_watch_that_breaks_is_said_once_also_after_an_undo(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan(LONG)))
    await at(engine, "r2", 10)
    await engine.do(c.Rollback("late"))
    await ended(engine, "r2")
    await engine.do(c.Undo("late"))
    await at(engine, "r2", 10)
    watching = engine.leadership.drivers["late"].driver._observer
    watching._trouble = "nobody answers"
    assert watching._untold()
    await watching._say("nobody answers")
    assert not watching._untold()


async def test_a_slot_that_is_due_waits_for_the_first_full_report(store: Bridge) -> None:
    await left_at(store, 10)
    journal = store.journal()
    async with store.engine(journal) as engine:
        await engine.do(c.Rollback("late"))
        await ended(engine, "r2")
    store.place.asked.clear()
    store.place.keep_silent()
    async with store.engine(journal) as engine:
        engine.drive("late")
        await engine.emit(ev.RetireDue("late", "green", 1.0))
        for _ in range(5):
            await engine.emit(ev.Logged("late", "test", "a tick"))
        assert verbs(store) == []
    store.place.keep_silent(on=False)
    async with store.engine(journal) as engine:
        engine.drive("late")
        await until(engine, lambda s: "green" not in s.endpoint("late").slots)
    assert verbs(store) == ["remove"]
    journal.close()


async def test_a_slot_that_was_asked_for_and_lands_after_its_release_is_removed(store: Bridge, engine: Engine) -> None:
    await serve(engine)
    store.place.stall("apply")
    await engine.do(begin(V2, canary_plan(LONG)))
    await until(engine, lambda _: "apply" in verbs(store)[2:])
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    await until(engine, lambda _: "remove" in verbs(store))
    assert engine.snapshot.endpoint("late").weights == {"blue": 100.0}


async def test_a_slot_whose_time_has_come_goes_once_it_gets_no_copy_of_the_traffic(
    store: Bridge, engine: Engine
) -> None:
    await serve(engine)
    await engine.do(begin(V2, canary_plan()))
    await ended(engine, "r2")
    store.place.push(replace(store.place.slots["blue"], mirror=20.0))
    await until(engine, lambda s: s.endpoint("late").slots["blue"].mirror == 20)
    await engine.do(c.RetireSlot("late", "blue"))
    await until(engine, lambda s: s.endpoint("late").retire["blue"] <= engine.now())
    # A look later than that one would have asked for it.
    looked = engine.snapshot.seq
    store.place.push(Noted("looked", source="test"))
    await until(engine, lambda s: s.seq > looked)
    assert "remove" not in verbs(store)
    store.place.push(replace(store.place.slots["blue"], mirror=0.0))
    await until(engine, lambda s: "blue" not in s.endpoint("late").slots)
