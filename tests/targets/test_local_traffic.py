"""Traffic on this machine: split, pinned, mirrored, counted, and moved without a failed request."""

import pytest

from core.domain.errors import Refused
from core.domain.model import Sample
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, ask, loading, two_slots, watching


async def test_flips_under_load_fail_no_request(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher)
        async with loading(await target.address()) as load:
            await load.more(50)
            for green in (10, 50, 100, 0, 50, 0):
                weights = {"blue": 100.0 - green, "green": float(green)}
                await target.route({slot: weight for slot, weight in weights.items() if weight})
                await watcher.weight("green", green)
                await load.more(50)
            assert not load.failed
            assert set(load.answers) == {"1", "2"}
            # Proved means proved: from here on no other version answers.
            before = load.answers["2"]
            await load.more(100)
            assert load.answers["2"] <= before + load.users


async def test_weights_split_requests_and_not_connections(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        await target.route({"blue": 50, "green": 50})
        await watcher.weight("green", 50)
        async with loading(await target.address(), users=1) as load:
            await load.more(400)
        assert 0.35 < load.answers["2"] / load.count < 0.65


async def test_a_header_reaches_a_slot_that_gets_no_traffic(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        assert (await ask(await target.address("green")))[:2] == (200, "2")
        assert (await ask(await target.address()))[:2] == (200, "1")


async def test_an_answer_names_its_slot_and_the_generation_of_the_routes(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        _, _, first = await ask(await target.address())
        await target.route({"green": 100})
        await watcher.weight("green", 100)
        _, _, second = await ask(await target.address())
        assert (first["x-quarterdeck-slot"], second["x-quarterdeck-slot"]) == ("blue", "green")
        assert int(second["x-quarterdeck-route"]) == int(first["x-quarterdeck-route"]) + 1


async def test_without_traffic_or_replicas_the_answer_is_one_line_of_json(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 0)
        await watcher.ready("blue", 0)
        line = await ask(await target.address())
        assert line[0] == 503
        await target.route({"blue": 100})
        await watcher.weight("blue", 100)
        assert (await ask(await target.address()))[0] == 503


async def test_samples_count_what_users_saw_and_no_probe(endpoints: Endpoints) -> None:
    target = endpoints.target()
    endpoints.model("2", status=500)
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        for _ in range(30):
            await ask(await target.address())
        for _ in range(5):
            await ask(await target.address("green"))

        def total(slot: str) -> Sample | None:
            found = [one for one in watcher.reports if isinstance(one, Sample) and one.slot == slot]
            return sum(found[1:], found[0]) if found else None

        blue = await watcher.until(lambda: next((one for one in [total("blue")] if one and one.requests >= 30), None))
        green = await watcher.until(lambda: next((one for one in [total("green")] if one and one.requests >= 5), None))
        await watcher.until(lambda: (total("blue") or blue).latency.count >= 30)
        assert (blue.ok, dict(blue.failed), dict(blue.mix)) == (30, {}, {"version:1": 30})
        assert (green.ok, dict(green.failed), dict(green.mix)) == (0, {"500": 5}, {"version:2": 5})
        took = (total("blue") or blue).latency
        assert took.count == 30
        assert took.min_ms is not None
        assert 0.02 < took.min_ms < 1000


async def test_a_mirrored_slot_gets_a_copy_and_nobody_its_answer(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        await target.route({"blue": 100}, mirror="green")
        with pytest.raises(Refused, match="mirror"):
            await target.remove("green")
        async with loading(await target.address()) as load:
            await load.more(100)
            seen = await watcher.until(
                lambda: next((s for s in watcher.reports if isinstance(s, Sample) and s.slot == "green"), None)
            )
        assert set(load.answers) == {"1"}
        assert seen.ok > 0
        assert dict(seen.mix).keys() == {"version:2"}
