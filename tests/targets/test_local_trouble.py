"""What can't start or will not run says why in one line, and is tried again."""

import asyncio
import os
import shutil
import signal
import socket
from pathlib import Path

import psutil
import pytest

from core.domain.errors import BadInput
from core.domain.model import ReplicaState
from core.targets.local.client import stop
from core.targets.local.wire import host_socket
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, Watcher, ask, loading, watching
from tests.targets.test_local_healing import pids, running, serving


async def test_a_stale_socket_is_no_host(endpoints: Endpoints) -> None:
    target = endpoints.target()
    target.spec.folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(host_socket(target.spec.folder)))
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        assert (await watcher.ready("blue", 1)).version == ONE


async def test_two_who_start_a_host_at_once_share_one(endpoints: Endpoints) -> None:
    one, two = endpoints.target(), endpoints.target()
    await asyncio.gather(one.apply("blue", ONE, 1), two.apply("green", TWO, 1))
    async with watching(one) as watcher:
        await watcher.ready("blue", 1)
        await watcher.ready("green", 1)
    assert len(pids(one, "host")) == 1


async def test_a_long_path_gets_a_socket_elsewhere(tmp_path: Path, endpoints: Endpoints) -> None:
    target = endpoints.target(folder=tmp_path / ("a-long-name-" * 8) / "late")
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
    path = host_socket(target.spec.folder)
    assert target.spec.folder not in path.parents
    assert path.parent.stat().st_mode & 0o077 == 0


async def test_a_taken_port_is_named_with_who_holds_it(endpoints: Endpoints) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=rf"port {port} is taken by .*{os.getpid()}.*`port`"):
            await endpoints.target(port=port).apply("blue", ONE, 1)


async def test_a_chosen_port_that_is_taken_meanwhile_is_chosen_anew_and_said(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await serving(target, watcher, 1)
    old = await target.address()
    await stop(target.spec.folder)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(old.url.rsplit(":", 1)[1])))
        taken.listen()
        async with watching(target) as watcher:
            await serving(target, watcher, 1)
        assert (await target.address()).url != old.url
    assert "is taken by" in (target.spec.folder / "host.log").read_text()


async def test_a_crash_loop_backs_off_and_says_the_last_line(endpoints: Endpoints) -> None:
    endpoints.model("1", dies_s=0.01)
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.noted("exit code 3 (it fell over); next try in ")
        await watcher.until(lambda: watcher.state("blue-1") is ReplicaState.BACKOFF)
        assert "it fell over" in watcher.slots["blue"].why
        await watcher.noted("next try in 2 s")
        tries = watcher.slots["blue"].replicas[0].restarts
        await target.apply("blue", ONE, 0)
        await watcher.until(lambda: all(one.restarts > tries for one in watcher.slots["blue"].replicas))
        assert not watcher.slots["blue"].replicas


async def test_a_replica_that_never_gets_ready_is_dead_and_says_why(endpoints: Endpoints) -> None:
    endpoints.model("2", mute=True)
    target = endpoints.target(ready_deadline_s=0.3)
    async with watching(target) as watcher:
        await serving(target, watcher, 1)
        await target.apply("green", TWO, 1)
        said = await watcher.noted("green-1 is dead: not ready after 0.3 s: still waiting for a friend")
        assert said.level == "error"
        await watcher.until(lambda: watcher.state("green-1") is ReplicaState.DEAD)
        assert (await ask(await target.address()))[:2] == (200, "1")


async def test_a_model_that_does_not_load_is_said_and_tried_again(endpoints: Endpoints) -> None:
    endpoints.model("1", broken="model.json: no field named x")
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.noted("model late v1 does not load: model.json: no field named x; next try in ")
        endpoints.model("1")
        assert (await watcher.ready("blue", 1)).why == ""


def _tries(watcher: Watcher, slot: str) -> int:
    seen = watcher.slots.get(slot)
    return sum(one.restarts for one in seen.replicas if one.state is ReplicaState.BACKOFF) if seen is not None else 0


async def test_what_is_asked_for_again_is_tried_at_once_and_not_after_its_wait(endpoints: Endpoints) -> None:
    """Both slots wait for as long; the one that is asked for comes, and the other one waits on."""
    for number in ("1", "2"):
        endpoints.model(number, broken="model.json: no field named x")
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await target.apply("green", TWO, 1)
        # The wait after the fifth try is of 16 s.
        for slot in ("blue", "green"):
            await watcher.until(lambda: _tries(watcher, slot) == 5, deadline_s=60)  # noqa: B023 - asked at once
        endpoints.model("1")
        endpoints.model("2")
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        assert watcher.state("green-1") is ReplicaState.BACKOFF
        await target.apply("green", TWO, 1)
        await watcher.ready("green", 1)


async def test_a_replica_that_hangs_is_replaced(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await serving(target, watcher)
        before = pids(target, "replica")
        running(target, "replica")[0].suspend()
        await watcher.noted("it hangs: no answer to /health within 3 s")
        await watcher.ready("blue", 2)
        assert len(pids(target, "replica") & before) == 1


async def test_a_replica_over_its_memory_is_killed_and_said(endpoints: Endpoints) -> None:
    endpoints.model("1", fat_mb=200)
    target = endpoints.target(memory_mb=150)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        said = await watcher.noted("out of memory: ")
        assert said.slot == "blue"


async def test_a_replica_that_will_not_end_is_killed(endpoints: Endpoints) -> None:
    endpoints.model("1", stubborn=True)
    target = endpoints.target(drain_s=0.2)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await target.remove("blue")
        await watcher.noted("blue-1 did not end within 0.2 s")
        await watcher.gone("blue")
        assert pids(target, "replica") == set()


async def test_a_resting_replica_still_drains(endpoints: Endpoints) -> None:
    endpoints.model("1", busy_ms=20)
    target = endpoints.target(cpu_m=50)
    async with watching(target) as watcher:
        await serving(target, watcher, 2)
        async with loading(await target.address(), users=4) as load:
            await load.more(8)
            await target.apply("blue", ONE, 1)
            await watcher.ready("blue", 1)
            await watcher.until(lambda: len(watcher.slots["blue"].replicas) == 1)
            await load.more(4)
        assert not load.failed


async def test_a_removed_folder_ends_everything(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
    family = [host, *(one for kind in ("parent", "replica", "router") for one in running(target, kind))]
    assert len(family) == 5
    shutil.rmtree(target.spec.folder)
    _, alive = await asyncio.to_thread(psutil.wait_procs, family, 10)
    assert not alive


async def test_a_terminated_host_lets_go_and_the_next_adopts_what_serves(endpoints: Endpoints) -> None:
    endpoints.model("1", slow_ms=200)
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
    before = {kind: pids(target, kind) for kind in ("parent", "replica", "router")}
    asked = asyncio.create_task(ask(await target.address()))
    await asyncio.sleep(0)
    host.send_signal(signal.SIGTERM)
    assert (await asked)[:2] == (200, "1")
    _, alive = await asyncio.to_thread(psutil.wait_procs, [host], 10)
    assert not alive
    async with watching(target) as watcher:
        await watcher.ready("blue", 2)
        await watcher.weight("blue", 100)
    assert {kind: pids(target, kind) for kind in before} == before


async def test_a_folder_that_may_not_be_written_is_one_line(tmp_path: Path, endpoints: Endpoints) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="the endpoint keeps its state there"):
        await endpoints.target(folder=tmp_path / "file" / "late").apply("blue", ONE, 1)
