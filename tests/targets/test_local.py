"""What the local target does besides the contract: logs, keys, stopping, listing."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import BadInput, Refused, Unreachable
from core.domain.model import Observation
from core.system.processes import ended
from core.targets.local import wire
from core.targets.local.client import LocalTarget, listing, status, stop
from core.targets.local.http import Connection
from core.targets.local.keys import read_key
from core.targets.local.launch import recorded
from core.targets.local.state import load, save
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, ask, loading, two_slots, watching, where


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


async def test_another_key_takes_new_replicas_in_the_slot_that_gets_it_alone(endpoints: Endpoints) -> None:
    target = endpoints.target(key="one")
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        pids = {slot: await pid(target, slot) for slot in ("blue", "green")}
        async with loading(await target.address()) as load:
            await endpoints.target(key="two").apply("green", TWO, 1)
            await watcher.until(lambda: {one.name for one in watcher.slots["green"].replicas} == {"green-2"})
            await load.more(20)
        assert not load.failed
        assert pids["blue"] == await pid(target, "blue")
        assert pids["green"] != await pid(target, "green")
        keys = [(await target.address(slot)).key for slot in (None, "blue", "green")]
        assert keys == ["one", "one", "two"]


async def test_the_way_back_brings_no_settings_of_the_release_that_failed(endpoints: Endpoints) -> None:
    target = endpoints.target(key="one", cpu_m=500)
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        failing = endpoints.target(key="two", cpu_m=900)
        await failing.apply("green", TWO, 1)
        await failing.route({"green": 100})
        await watcher.weight("green", 100)
        before = await pid(target, "blue")
        await failing.apply("blue", ONE, 2)
        await failing.route({"blue": 100})
        await watcher.weight("blue", 100)
        await watcher.ready("blue", 2)
        assert before == await pid(target, "blue") or len(watcher.slots["blue"].replicas) == 2
    state = load(target.spec.folder)
    assert state is not None
    assert (state.slots["blue"].spec.key, state.slots["blue"].spec.cpu_m) == ("one", 500)
    assert (await target.address()).key == read_key(target.spec.folder) == "one"


async def test_an_old_slot_gets_its_size_back_and_what_the_autoscaler_added_stays(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 2)
        await watcher.ready("blue", 2)
    await stop_host(target)
    state = load(target.spec.folder)
    assert state is not None
    for wanted, after in ((1, 2), (3, 3)):
        save(target.spec.folder, state.holding("blue", replace(state.slots["blue"], wanted=wanted)))
        async with watching(target) as watcher:
            await watcher.ready("blue", wanted)
            await target.apply("blue", ONE, 2)
            await watcher.ready("blue", after)
        await stop_host(target)


async def stop_host(target: LocalTarget) -> None:
    """End the host alone, as another version of it would."""
    host = recorded(target.spec.folder)
    assert host is not None
    await wire.ask(target.spec.folder, {"do": "leave"})
    await ended(host)


async def pid(target: LocalTarget, slot: str) -> int:
    """Which process answers for a slot."""
    address = await target.address(slot)
    line = await Connection.open(where(address))
    try:
        found: int = json.loads((await line.ask("/predict", address.headers)).body)["pid"]
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
