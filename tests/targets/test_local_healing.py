"""Whatever dies on this machine is noticed, said and healed; what can't start says why in one line."""

import psutil
import pytest

from core.domain.errors import Refused
from core.targets.local.client import LocalTarget, status
from core.targets.local.spec import read_key
from core.targets.local.state import load
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, Watcher, ask, loading, watching


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


def child(host: psutil.Process, part: str) -> psutil.Process:
    """The child of a host whose command has this part."""
    return next(one for one in host.children() if any(part in word for word in one.cmdline()))


def replicas_of(host: psutil.Process) -> list[psutil.Process]:
    """The forked replicas."""
    return child(host, "zygote").children()


async def test_a_killed_replica_costs_no_request_and_is_replaced(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
        async with loading(await target.address(), users=8) as load:
            await load.more(100)
            victim = replicas_of(host)[0]
            victim.kill()
            said = await watcher.noted("died: killed by SIGKILL")
            assert said.slot == "blue"
            await watcher.ready("blue", 2)
            await load.more(100)
        assert not load.failed
        assert victim.pid not in {one.pid for one in replicas_of(host)}
        assert sorted(one.restarts for one in watcher.slots["blue"].replicas) == [0, 1]


async def test_a_killed_router_is_back_within_a_second(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
        async with loading(await target.address()) as load:
            await load.more(50)
            child(host, "bootstrap.json").kill()
            await watcher.noted("the router died: killed by SIGKILL")
            back = await watcher.noted("the router is back after")
            await load.more(50)
        assert float(back.text.split()[-2]) < 1000
        assert load.failed
        await target.route({})
        await watcher.weight("blue", 0)


async def test_a_killed_parent_takes_its_replicas_along_and_all_come_back(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
        old = replicas_of(host)
        child(host, "zygote").kill()
        await watcher.noted("its parent process ended: killed by SIGKILL")
        await watcher.ready("blue", 2)
        _, alive = psutil.wait_procs(old, timeout=5)
        assert not alive
        assert (await ask(await target.address()))[:2] == (200, "1")


async def test_a_killed_host_comes_back_as_it_was_while_somebody_watches(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
        await target.apply("green", TWO, 1)
        await watcher.ready("green", 1)
        await target.route({"blue": 70, "green": 30})
        await watcher.weight("green", 30)
        address, family = await target.address(), host.children(recursive=True)
        host.kill()
        await watcher.noted("died; starting it again")
        await watcher.noted("is back after")
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not alive
        start = len(watcher.reports)
        await watcher.until(lambda: len(watcher.reports) > start)
        await watcher.ready("blue", 2)
        await watcher.ready("green", 1)
        await watcher.weight("green", 30)
        assert await target.address() == address
        assert (await ask(address))[0] == 200


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


async def test_a_host_that_comes_back_keeps_the_last_settings_and_the_key(endpoints: Endpoints) -> None:
    target = endpoints.target(cpu_m=100, key="one")
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
        changed = endpoints.target(token=1, cpu_m=300, key="two")
        await changed.apply("blue", ONE, 1)
        with pytest.raises(Refused):
            await endpoints.target(token=0, key="three").apply("blue", ONE, 1)
        host.kill()
        await watcher.noted("is back after")
        await watcher.ready("blue", 1)
    state = load(target.spec.folder)
    assert state is not None
    assert (state.spec["cpu_m"], state.token, read_key(target.spec.folder)) == (300, 1, "two")
