"""A host that dies takes nothing along: router, parent and replicas go on, and the next host finds them again."""

import asyncio
import json
import shutil
from collections import Counter

import psutil
import pytest

from core.domain.sample import Sample
from core.targets.local import records, zygote
from core.targets.local.client import status, stop
from core.targets.local.launch import start
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, loading, watching
from tests.targets.test_local_healing import pids, running, serving

KINDS = ("parent", "replica", "router")


async def ended(processes: list[psutil.Process]) -> bool:
    """Whether they all end in time."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, 20)
    return not alive


async def test_a_killed_host_costs_no_request_and_its_follower_adopts_all(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
        await target.apply("green", TWO, 1)
        await watcher.ready("green", 1)
        await target.route({"blue": 70, "green": 30})
        await watcher.weight("green", 30)
        before = {kind: pids(target, kind) for kind in KINDS}
        async with loading(await target.address(), users=8) as load:
            await load.more(100)
            host.kill()
            await watcher.noted("died; starting it again")
            await watcher.noted("is back after")
            start = len(watcher.reports)
            await watcher.until(lambda: len(watcher.reports) > start)
            await watcher.ready("blue", 2)
            await watcher.weight("green", 30)
            await load.more(100)
        assert not load.failed
        assert {kind: pids(target, kind) for kind in KINDS} == before
        assert [len(before[kind]) for kind in KINDS] == [2, 3, 1]


async def test_restarts_survive_and_an_adopted_replica_is_healed_as_any_other(endpoints: Endpoints) -> None:
    target = endpoints.target(cpu_m=500)
    async with watching(target) as watcher:
        host = await serving(target, watcher)
        running(target, "replica")[0].kill()
        await watcher.until(lambda: sorted(one.restarts for one in watcher.slots["blue"].replicas) == [0, 1])
        await watcher.ready("blue", 2)
        host.kill()
        await watcher.noted("is back after")
        await watcher.until(lambda: sorted(one.restarts for one in watcher.slots["blue"].replicas) == [0, 1])
        running(target, "replica")[0].kill()
        await watcher.until(lambda: sum(one.restarts for one in watcher.slots["blue"].replicas) == 2)
        seen = await watcher.ready("blue", 2)
        assert (seen.ready, sum(one.restarts for one in seen.replicas)) == (2, 2)
        running(target, "router")[0].kill()
        assert (await watcher.noted("the router is back after")).level == "info"


async def test_what_was_counted_before_is_not_counted_again(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
        async with loading(await target.address()) as load:
            await load.more(300)
            await watcher.until(lambda: sum(one.ok for one in watcher.reports if isinstance(one, Sample)) >= 300)
            host.kill()
            await watcher.noted("is back after")
            start = len(watcher.reports)
            before = load.count
            await watcher.until(lambda: any(isinstance(one, Sample) and one.ok for one in watcher.reports[start:]))
            seen = sum(one.ok for one in watcher.reports[start:] if isinstance(one, Sample))
            assert seen <= load.count - before + 100


async def test_host_and_parent_killed_together_leave_replicas_that_serve_until_they_are_replaced(
    endpoints: Endpoints,
) -> None:
    target = endpoints.target(cpu_m=800)
    async with watching(target) as watcher:
        host = await serving(target, watcher)
        async with loading(await target.address()) as load:
            await load.more(50)
            host.kill()
            running(target, "parent")[0].kill()
            await watcher.noted("is back after")
            await watcher.until(lambda: {one.name for one in watcher.slots["blue"].replicas} == {"blue-3", "blue-4"})
            await watcher.ready("blue", 2)
            await load.more(50)
        assert not load.failed


async def test_a_replica_that_rested_when_its_parent_died_goes_on(endpoints: Endpoints) -> None:
    endpoints.model("1", busy_ms=20)
    target = endpoints.target(cpu_m=50)
    async with watching(target) as watcher:
        await serving(target, watcher, 1)
        async with loading(await target.address(), users=2) as load:
            await load.more(4)
            host, parent = running(target, "host")[0], running(target, "parent")[0]
            replica = running(target, "replica")[0]
            await asyncio.to_thread(_until_stopped, replica)
            host.suspend()
            parent.kill()
            await load.more(4)
            host.resume()
        assert not load.failed
    assert await stop(target.spec.folder)


def _until_stopped(process: psutil.Process) -> None:
    while process.status() != psutil.STATUS_STOPPED:
        pass


async def test_stopping_ends_what_a_dead_host_has_left(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
    family = [one for kind in KINDS for one in running(target, kind)]
    host.kill()
    assert await ended([host])
    assert await stop(target.spec.folder)
    assert await ended(family)
    assert not await stop(target.spec.folder)
    assert not list(records.run_folder(target.spec.folder).glob("*"))


async def test_stopping_ends_all_even_where_the_state_can_not_be_read(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
    family = [one for kind in KINDS for one in running(target, kind)]
    host.kill()
    assert await ended([host])
    (target.spec.folder / "state.json").write_text("{")
    assert await stop(target.spec.folder)
    assert await ended(family)
    shutil.rmtree(target.spec.folder)


async def test_without_host_and_folder_all_end_by_themselves(
    endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
    family = [one for kind in KINDS for one in running(target, kind)]
    host.kill()
    assert await ended([host])
    shutil.rmtree(target.spec.folder)
    assert await ended(family)


async def test_what_is_written_down_nowhere_is_ended_by_the_next_host(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
    lost = [*running(target, "parent"), *running(target, "replica"), *running(target, "router")]
    host.kill()
    assert await ended([host])
    shutil.rmtree(records.run_folder(target.spec.folder))
    records.router_record(target.spec.folder).unlink()
    await start(target.spec.folder)
    assert await ended(lost)
    async with watching(target) as watcher:
        await watcher.ready("blue", 1)
        await watcher.weight("blue", 100)


async def test_a_router_that_was_never_written_down_costs_no_address(endpoints: Endpoints) -> None:
    """A host may die between starting its router and writing that down: the port is the endpoint's own all the same."""
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
    before, lost = await target.address(), running(target, "router")
    host.kill()
    assert await ended([host])
    records.router_record(target.spec.folder).unlink()
    await start(target.spec.folder)
    assert await ended(lost)
    assert (await target.address()).url == before.url
    async with watching(target) as watcher:
        await watcher.weight("blue", 100)


async def test_a_record_of_another_process_ends_nobody(endpoints: Endpoints) -> None:
    target = endpoints.target()
    await target.apply("blue", ONE, 0)
    found = await status(target.spec.folder)
    assert found is not None
    mine = records.me()
    stranger = {**mine, "started": int(str(mine["started"])) - 1}
    records.write(records.router_record(target.spec.folder), {"process": stranger, "epoch": 0, "older": [stranger]})
    assert records.running(target.spec.folder) == []
    assert records.end_all(target.spec.folder) == 0


def test_alone_is_who_has_no_endpoint_or_no_host_for_long_and_no_place_in_its_state(
    endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, pool = endpoints.folder, endpoints.folder / "run" / "1"
    pool.mkdir(parents=True)
    records.write(pool / "pool.json", {"slot": "blue"})
    now_s = Counter({"now": 100})
    monkeypatch.setattr(records, "boottime_s", lambda: now_s["now"])
    alone = records.Alone(folder, pool)
    assert (alone.over(), alone.gone) == (True, True)
    (folder / "state.json").write_text('{"slots": {"blue": {}}}')
    assert not alone.over()
    now_s["now"] += 60_000
    assert not alone.over()
    (folder / "state.json").write_text('{"slots": {"green": {}}}')
    assert (alone.over(), alone.gone) == (True, False)
    (folder / "state.json").write_text("half of i")
    assert not alone.over()
    (folder / "state.json").write_text('{"slots": {}}')
    records.write(records.host_record(folder), {"process": records.me()})
    assert not alone.over()
    assert json.loads(records.host_record(folder).read_text())
    assert zygote.LOOK_S < records.ALONE_S
