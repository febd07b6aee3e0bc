"""The fake target keeps the contract, lands its changes late, and goes wrong as it is told."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.domain.errors import Refused, Unreachable
from core.domain.model import Noted, ReplicaState
from core.domain.sample import Sample
from core.targets.fake.client import Delays, FakePlace, FakeTarget
from tests.targets.contract import Contract, MakeTarget
from tests.targets.helpers import ONE, TWO, watching

SOON = Delays(accept_s=0.005, ready_s=0.01, route_s=0.01, remove_s=0.01, heal_s=0.01)


class TestContract(Contract):
    """The suite over a fake place that takes its time."""

    @pytest.fixture
    async def make(self) -> AsyncIterator[MakeTarget]:
        """Targets of one place."""
        place = FakePlace(SOON)
        made: list[FakeTarget] = []

        def one(token: int) -> FakeTarget:
            made.append(FakeTarget(place, token=token))
            return made[-1]

        yield one
        for target in made:
            await target.close()


@pytest.fixture
async def target() -> AsyncIterator[FakeTarget]:
    """A target whose changes land at once."""
    target = FakeTarget()
    yield target
    await target.close()


async def test_a_call_that_was_given_up_lands_all_the_same() -> None:
    target = FakeTarget(FakePlace(Delays(accept_s=0.05)))
    async with watching(target) as watcher:
        call = asyncio.create_task(target.apply("blue", ONE, 1))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await watcher.ready("blue", 1)
    await target.close()


async def test_it_remembers_what_it_was_asked(target: FakeTarget) -> None:
    await target.apply("blue", ONE, 2)
    await target.route({"blue": 100}, mirror=None)
    assert [one.verb for one in target.asked] == ["apply", "route"]
    assert (target.asked[0].version, target.asked[0].replicas, target.asked[1].weights) == (ONE, 2, {"blue": 100})


async def test_a_refusal_happens_once(target: FakeTarget) -> None:
    await target.apply("blue", ONE, 1)
    target.place.refuse("route", "frozen for the night")
    with pytest.raises(Refused, match="frozen"):
        await target.route({"blue": 100})
    await target.route({"blue": 100})


async def test_no_answer_may_mean_that_it_happened(target: FakeTarget) -> None:
    await target.apply("blue", ONE, 1)
    target.place.unreachable("route", landed=True)
    async with watching(target) as watcher:
        with pytest.raises(Unreachable):
            await target.route({"blue": 100})
        await watcher.weight("blue", 100)


async def test_a_stalled_verb_is_accepted_and_never_lands(target: FakeTarget) -> None:
    await target.apply("blue", ONE, 1)
    target.place.stall("route")
    await target.route({"blue": 100})
    assert target.place.slots["blue"].weight == 0
    target.place.stall("route", on=False)
    await target.route({"blue": 100})
    assert target.place.slots["blue"].weight == 100


async def test_a_slot_that_never_gets_ready_says_why(target: FakeTarget) -> None:
    target.place.never_ready("green", "no module named x")
    async with watching(target) as watcher:
        await watcher.until(watcher.synced)
        await target.apply("green", TWO, 1)
        assert (await watcher.noted("no module named x")).slot == "green"
        assert watcher.state("green-1") is ReplicaState.DEAD
        assert watcher.slots["green"].ready == 0


async def test_a_dead_replica_is_replaced() -> None:
    target = FakeTarget(FakePlace(Delays(heal_s=0.02)))
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 2)
        await watcher.ready("blue", 2)
        target.place.kill("blue")
        await watcher.noted("died")
        await watcher.until(lambda: watcher.slots["blue"].ready == 1)
        seen = await watcher.ready("blue", 2)
    assert (seen.ready, seen.wanted) == (2, 2)
    await target.close()


async def test_samples_and_notes_are_pushed_to_all_who_watch(target: FakeTarget) -> None:
    async with watching(target) as one, watching(target) as two:
        await asyncio.sleep(0)
        target.place.push(Sample("blue", 1.0, ok=3))
        target.place.push(Noted("hello"))
        for watcher in (one, two):
            await watcher.noted("hello")
            assert Sample("blue", 1.0, ok=3) in watcher.reports


async def test_logs_begin_with_the_last_lines(target: FakeTarget) -> None:
    for number in range(4):
        target.place.say("blue", "blue-1", f"line {number}")
    target.place.say("blue", "blue-2", "another")
    lines = target.logs("blue", "blue-1", lines=2)
    assert [await anext(lines), await anext(lines)] == ["line 2", "line 3"]
    target.place.say("blue", "blue-1", "line 4")
    assert await anext(lines) == "line 4"
    await target.close()
    with pytest.raises(StopAsyncIteration):
        await anext(lines)


async def test_a_closed_target_takes_nothing_more(target: FakeTarget) -> None:
    await target.close()
    with pytest.raises(Refused, match="closed"):
        await target.apply("blue", ONE, 1)
