"""The local target keeps the contract, over a real router and forked replicas; and what it alone does."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BadInput, Refused, Unreachable
from core.model import Observation, Sample
from core.targets.local import wire
from core.targets.local.client import LocalTarget, listing, status, stop
from core.targets.local.http import Line
from core.targets.local.spec import read_key
from tests.targets.conftest import Endpoints
from tests.targets.contract import Contract, MakeTarget
from tests.targets.helpers import ONE, TWO, Watcher, ask, loading, watching, where


class TestContract(Contract):
    """The suite over one host, emptied after each test."""

    tokens = itertools.count(0, 10)

    @pytest.fixture(scope="class")
    def shared(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
        """The endpoint of all tests here."""
        endpoints = Endpoints(tmp_path_factory.mktemp("contract"))
        yield endpoints
        asyncio.run(endpoints.end())

    @pytest.fixture
    async def make(self, shared: Endpoints) -> AsyncIterator[MakeTarget]:
        """Targets over it; each test's drivers follow those of the test before."""
        base = next(self.tokens)
        yield lambda token: shared.target(base + token)
        last = shared.target(base + 9)
        found = await status(last.spec.folder)
        if found is not None and found.alive:
            await last.route({})
            async with watching(last) as watcher:
                for seen in found.slots:
                    await last.remove(seen.slot)
                    await watcher.until(lambda slot=seen.slot: _empty(watcher, slot))  # type: ignore[misc]
        for target in shared.made:
            await target.close()


def _empty(watcher: Watcher, slot: str) -> bool:
    return slot not in watcher.slots or watcher.slots[slot].version is None


async def two_slots(target: LocalTarget, watcher: Watcher, replicas: int = 2) -> None:
    """Blue with version 1 and all traffic, green with version 2 beside it."""
    await target.apply("blue", ONE, replicas)
    await target.apply("green", TWO, replicas)
    await watcher.ready("blue", replicas)
    await watcher.ready("green", replicas)
    await target.route({"blue": 100})
    await watcher.weight("blue", 100)


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


async def test_logs_give_the_last_lines_and_follow(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        lines = target.logs("blue", "blue-1")
        assert (await anext(lines)).startswith("standin 1 on")
        with (target.spec.folder / "logs" / "blue-1.log").open("a") as log:
            log.write("and another\n")
        assert await anext(lines) == "and another"
        await target.close()
        with pytest.raises(StopAsyncIteration):
            await anext(lines)


async def test_the_key_is_in_no_file_but_its_own(endpoints: Endpoints) -> None:
    target = endpoints.target(key="s3cret-of-ours")
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
    folder = target.spec.folder
    assert read_key(folder) == (await target.address()).key == "s3cret-of-ours"
    assert (folder / "key").stat().st_mode & 0o077 == 0
    others = [path for path in folder.rglob("*") if path.is_file() and path.name != "key"]
    assert not [path for path in others if b"s3cret" in path.read_bytes()]
    assert "s3cret" not in repr(target.spec)


async def test_stop_answers_what_is_in_hand_and_leaves_nothing(endpoints: Endpoints) -> None:
    endpoints.model("1", slow_ms=300)
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await target.route({"blue": 100})
        await watcher.weight("blue", 100)
        asked = asyncio.create_task(ask(await target.address()))
        await asyncio.sleep(0.1)
        assert await stop(target.spec.folder)
        assert (await asked)[:2] == (200, "1")
        await watcher.gone("blue")
    found = await status(target.spec.folder)
    assert found is not None
    assert (found.alive, found.slots, found.why) == (False, (), "stopped")
    assert not await stop(target.spec.folder)


async def test_the_same_port_is_kept_after_a_stop(endpoints: Endpoints) -> None:
    target = endpoints.target()
    await target.apply("blue", ONE, 0)
    before = await target.address()
    await stop(target.spec.folder)
    await target.apply("blue", ONE, 0)
    assert await target.address() == before


async def test_a_listing_tells_of_every_endpoint_of_a_project(tmp_path: Path, endpoints: Endpoints) -> None:
    home = tmp_path / ".quarterdeck" / "endpoints"
    target, other = endpoints.target(folder=home / "late"), endpoints.target(endpoint="dev", folder=home / "dev")
    assert await listing(tmp_path) == []
    await target.apply("blue", ONE, 0)
    await other.apply("blue", ONE, 0)
    await stop(other.spec.folder)
    dev, late = await listing(tmp_path)
    assert (late.endpoint, late.alive, late.url) == ("late", True, (await target.address()).url)
    assert (dev.endpoint, dev.alive) == ("dev", False)
    assert [replace(seen, proved_by=0) for seen in late.slots] == [Observation("blue", ONE, 0, 0, 0.0)]


async def test_nothing_deployed_yet_is_refused_in_one_line(endpoints: Endpoints) -> None:
    target = endpoints.target()
    with pytest.raises(Refused, match="deploy a model first"):
        await target.address()
    with pytest.raises(Refused, match="deploy a model first"):
        await target.route({"blue": 100})
    assert await status(target.spec.folder) is None


async def test_another_port_is_refused_while_it_runs(endpoints: Endpoints) -> None:
    target = endpoints.target()
    await target.apply("blue", ONE, 0)
    with pytest.raises(Refused, match="quarterdeck down"):
        await endpoints.target(port=1).apply("blue", ONE, 0)


async def test_a_state_that_is_none_is_bad_input(endpoints: Endpoints) -> None:
    target = endpoints.target()
    target.spec.folder.mkdir(parents=True)
    (target.spec.folder / "state.json").write_text(json.dumps({"slots": 3}))
    with pytest.raises(BadInput, match=r"state\.json"):
        await target.apply("blue", ONE, 1)


async def test_another_key_takes_new_replicas(endpoints: Endpoints) -> None:
    target = endpoints.target(key="one")
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        pids = {slot: await pid(target, slot) for slot in ("blue", "green")}
        async with loading(await target.address()) as load:
            await endpoints.target(key="two").apply("blue", ONE, 1)
            await watcher.until(lambda: {one.name for one in watcher.slots["blue"].replicas} == {"blue-2"})
            await watcher.until(lambda: {one.name for one in watcher.slots["green"].replicas} == {"green-2"})
            await load.more(20)
        assert not load.failed
        assert pids["blue"] != await pid(target, "blue")
        assert pids["green"] != await pid(target, "green")


async def pid(target: LocalTarget, slot: str) -> int:
    """Which process answers for a slot."""
    line = await Line.open(where(await target.address(slot)))
    try:
        found: int = json.loads((await line.ask("/predict", {"x-quarterdeck-slot": slot})).body)["pid"]
        return found
    finally:
        line.close()


async def test_a_slot_that_is_draining_can_be_taken_again(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await target.remove("blue")
        await target.apply("blue", ONE, 1)
        seen = await watcher.until(
            lambda: next((s for s in [watcher.slots["blue"]] if [r.name for r in s.replicas] == ["blue-2"]), None)
        )
        await watcher.ready("blue", 1)
        assert seen.version == ONE


async def test_a_state_that_cannot_be_kept_is_said(endpoints: Endpoints) -> None:
    target = endpoints.target()
    await target.apply("blue", ONE, 0)
    (target.spec.folder / ".state.json").mkdir()
    with pytest.raises(Unreachable, match=r"can.t keep its state in .*make room"):
        await target.route({"blue": 100})
    (target.spec.folder / ".state.json").rmdir()
    await target.route({"blue": 100})


async def test_what_the_host_does_not_know_is_said(endpoints: Endpoints) -> None:
    target = endpoints.target()
    await target.apply("blue", ONE, 0)
    with pytest.raises(Unreachable, match="does not know this"):
        await wire.ask(target.spec.folder, {"do": "dance", "token": 0})
    reader, writer = await wire.connect(target.spec.folder)
    writer.write(b"hello\n")
    assert "not understood" in (await reader.readline()).decode()
    writer.close()
    await writer.wait_closed()
