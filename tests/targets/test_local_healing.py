"""Whatever dies on this machine is noticed, said and healed; what can't start says why in one line."""

import psutil
import pytest

from core.domain.errors import Refused
from core.domain.model import Observation
from core.targets.local import records
from core.targets.local.client import LocalTarget, status
from core.targets.local.keys import read_key
from core.targets.local.state import load
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, Watcher, loading, watching


async def serving(target: LocalTarget, watcher: Watcher, replicas: int = 2) -> psutil.Process:
    """Blue serves all traffic; the host's process is given."""
    await target.apply("blue", ONE, replicas)
    await watcher.ready("blue", replicas)
    await target.route({"blue": 100})
    await watcher.weight("blue", 100)
    found = await status(target.spec.folder)
    assert found is not None
    assert found.pid is not None
    return psutil.Process(found.pid)


def running(target: LocalTarget, kind: str) -> list[psutil.Process]:
    """What runs for an endpoint as its records tell: `parent`, `replica`, `router` or `host`."""
    folder = target.spec.folder
    paths = {
        "parent": folder.glob("run/*/parent.json"),
        "replica": folder.glob("run/*/replica-*.json"),
        "router": [records.router_record(folder)],
        "host": [records.host_record(folder)],
    }
    found = [records.process_in(records.read(path)) for path in paths[kind]]
    return [psutil.Process(one.pid) for one in found if one is not None]


def pids(target: LocalTarget, kind: str) -> set[int]:
    """Their numbers."""
    return {one.pid for one in running(target, kind)}


async def test_a_killed_replica_costs_no_request_and_is_replaced(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await serving(target, watcher)
        async with loading(await target.address(), users=8) as load:
            await load.more(100)
            victim = running(target, "replica")[0]
            victim.kill()
            said = await watcher.noted("died: killed by SIGKILL")
            assert said.slot == "blue"
            await watcher.ready("blue", 2)
            await load.more(100)
        assert not load.failed
        assert victim.pid not in pids(target, "replica")
        assert sorted(one.restarts for one in watcher.slots["blue"].replicas) == [0, 1]


async def test_a_killed_router_is_back_within_a_second(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await serving(target, watcher)
        async with loading(await target.address()) as load:
            await load.more(50)
            running(target, "router")[0].kill()
            await watcher.noted("the router died: ")
            back = await watcher.noted("the router is back after")
            await load.more(50)
        assert float(back.text.split()[-2]) < 1000
        assert load.failed
        await target.route({})
        await watcher.weight("blue", 0)


async def test_a_killed_parent_takes_no_replica_along_and_all_are_replaced(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await serving(target, watcher)
        old = running(target, "replica")
        async with loading(await target.address()) as load:
            await load.more(50)
            running(target, "parent")[0].kill()
            await watcher.noted("killed by SIGKILL; 2 of them go on and are replaced one after the other")
            await watcher.until(lambda: {one.name for one in watcher.slots["blue"].replicas} == {"blue-3", "blue-4"})
            await watcher.ready("blue", 2)
            await load.more(50)
        assert not load.failed
        _, alive = psutil.wait_procs(old, timeout=5)
        assert not alive
        assert all(seen.ready > 0 for seen in watcher.reports if isinstance(seen, Observation) and seen.weight)


async def test_a_killed_host_comes_back_with_the_next_call(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
    host.kill()
    psutil.wait_procs([host], timeout=5)
    found = await status(target.spec.folder)
    assert found is not None
    assert (found.alive, found.why, found.slots[0].weight) == (False, "its host is not running", 100.0)
    again = endpoints.target(token=1)
    await again.apply("green", TWO, 1)
    async with watching(again) as watcher:
        await watcher.ready("green", 1)
        await watcher.ready("blue", 2)
        await watcher.weight("blue", 100)


async def test_a_host_that_comes_back_keeps_each_slots_settings_and_key(endpoints: Endpoints) -> None:
    target = endpoints.target(cpu_m=100, key="one")
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
        changed = endpoints.target(token=1, cpu_m=300, key="two")
        await changed.apply("green", TWO, 1)
        with pytest.raises(Refused):
            await endpoints.target(token=0, key="three").apply("green", TWO, 1)
        host.kill()
        await watcher.noted("is back after")
        await watcher.ready("blue", 1)
        await watcher.ready("green", 1)
    state = load(target.spec.folder)
    assert state is not None
    kept = {slot: (held.spec.cpu_m, held.spec.key) for slot, held in state.slots.items()}
    assert (kept, state.token) == ({"blue": (100, "one"), "green": (300, "two")}, 1)
    assert read_key(target.spec.folder) == "one"
