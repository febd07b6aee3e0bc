"""A router that died with its host answers again before the next host is there, and that one adopts it."""

import asyncio
import os
from contextlib import suppress

import psutil

from core.domain.errors import Unreachable
from core.targets.local.client import LocalTarget
from core.targets.local.launch import start
from core.targets.local.router_revival import keeping_router, lock_host, revive_router
from core.targets.protocol import Address
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ask, loading, watching
from tests.targets.test_local_adoption import ended
from tests.targets.test_local_healing import pids, running, serving

GOOD = 200


async def _answers(address: Address) -> None:
    async with asyncio.timeout(20):
        while True:
            with suppress(OSError, Unreachable):
                if (await ask(address))[0] == GOOD:
                    return
            await asyncio.sleep(0.01)


async def _revived(endpoints: Endpoints) -> LocalTarget:
    """An endpoint whose host and router were killed together, and whose router was started again."""
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
    router = running(target, "router")
    for process in (host, *router):
        process.kill()
    assert await ended([host, *router])
    assert await revive_router(target.spec.folder)
    return target


async def test_a_router_that_died_with_its_host_answers_before_the_next_host_is_there(endpoints: Endpoints) -> None:
    target = await _revived(endpoints)
    await _answers(await target.address())
    assert running(target, "host") == []
    revived = pids(target, "router")
    assert len(revived) == 1
    assert not await revive_router(target.spec.folder)
    await start(target.spec.folder)
    assert pids(target, "router") == revived
    async with watching(target) as watcher:
        await watcher.weight("blue", 100)


async def test_a_router_that_is_still_starting_is_adopted_too(endpoints: Endpoints) -> None:
    target = await _revived(endpoints)
    (revived,) = running(target, "router")
    revived.suspend()
    try:
        starting = asyncio.create_task(start(target.spec.folder))
        # The host is there once it holds its lock; it waits for the router then.
        async with asyncio.timeout(20):
            while (lock := lock_host(target.spec.folder)) is not None:
                os.close(lock)
                await asyncio.sleep(0.05)
    finally:
        revived.resume()
    await starting
    assert pids(target, "router") == {revived.pid}


async def test_who_watches_says_that_the_router_died_too(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
        before = pids(target, "router")
        async with loading(await target.address(), users=4) as load:
            await load.more(20)
            # It must not see its router die: it would have another one by the time of its own death.
            host.suspend()
            for process in (*running(target, "router"), host):
                process.kill()
            await watcher.noted("the router died with it")
            await watcher.noted("is back after")
            await load.more(100)
        assert len(pids(target, "router")) == 1
        assert pids(target, "router") != before


async def test_a_router_without_replicas_is_not_started_before_its_host(endpoints: Endpoints) -> None:
    """It would answer 503 in the name of a version that could not help it."""
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
    others = [psutil.Process(pid) for kind in ("parent", "replica", "router") for pid in pids(target, kind)]
    for process in (host, *others):
        process.kill()
    assert await ended([host, *others])
    assert not await revive_router(target.spec.folder)
    assert running(target, "router") == []


async def test_a_router_is_left_to_the_host_that_is_there(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
        router = running(target, "router")
        host.suspend()
        try:
            router[0].kill()
            assert await ended(router)
            assert not await revive_router(target.spec.folder)
        finally:
            host.resume()
        await watcher.noted("the router is back after")


async def test_a_router_that_dies_while_its_host_is_still_to_come_is_started_too(endpoints: Endpoints) -> None:
    """A host that died often is started after a while only."""
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
    host.kill()
    assert await ended([host])
    async with keeping_router(target.spec.folder) as revived:
        for count in (1, 2):
            router = running(target, "router")
            router[0].kill()
            assert await ended(router)
            await _answers(await target.address())
            assert len(revived) == count
    assert running(target, "host") == []
