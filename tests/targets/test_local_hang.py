"""Hung is dead: what gives no sign of life is ended and replaced; and what was given up is not done later."""

import asyncio
import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.domain.errors import Unreachable
from core.domain.model import Noted
from core.domain.sample import Sample
from core.system.clock import boottime_s
from core.targets.local import wire
from core.targets.local.client import status, stop
from core.targets.local.launch import end_hung, recorded
from core.targets.local.server import Server
from core.targets.local.spec import EndpointSpec
from core.targets.local.state import HostState
from tests.starved import idle_scheduling, starved
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, ask, loading, watching
from tests.targets.test_local_adoption import KINDS, ended
from tests.targets.test_local_healing import pids, running, serving
from tests.targets.test_unanswered import states

STOPPED_S = wire.HANGS_S + 1


async def test_a_router_that_hangs_is_ended_and_started_again(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await serving(target, watcher, 1)
        running(target, "router")[0].suspend()
        await watcher.noted("the router died: it hangs: no sign of life for 2 s")
        await watcher.noted("the router is back after")
        assert (await ask(await target.address()))[:2] == (200, "1")


async def test_a_parent_that_hangs_is_ended_and_its_replicas_are_replaced(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await serving(target, watcher, 1)
        async with loading(await target.address()) as load:
            running(target, "parent")[0].suspend()
            await watcher.noted("it hangs: no sign of life for 3 s; 1 of them go on")
            await watcher.until(lambda: {one.name for one in watcher.slots["blue"].replicas} == {"blue-2"})
            await load.more(20)
        assert not load.failed


async def test_a_host_that_hangs_is_ended_by_whoever_watches(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
        before = {kind: pids(target, kind) for kind in KINDS}
        async with loading(await target.address()) as load:
            host.suspend()
            await watcher.noted("hung (no sign of life for 5 s) and was ended; starting it again")
            await watcher.noted("is back after")
            await load.more(20)
        assert not load.failed
        assert await ended([host])
        assert {kind: pids(target, kind) for kind in KINDS} == before


async def test_a_host_that_was_stopped_for_a_while_takes_nobody_else_for_hung(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher)
    before = {kind: pids(target, kind) for kind in KINDS}
    async with loading(await target.address()) as load:
        host.suspend()
        await asyncio.to_thread(psutil.wait_procs, [host], STOPPED_S)
        host.resume()
        async with watching(target) as watcher:
            await watcher.until(lambda: len([one for one in watcher.reports if isinstance(one, Sample)]) > 4)
            await load.more(50)
    assert not load.failed
    assert {kind: pids(target, kind) for kind in KINDS} == before


async def test_whoever_watches_and_was_stopped_for_a_while_ends_no_host(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
        # The whole of this loop stands still, as a terminal does after Ctrl-Z.
        psutil.wait_procs([host], STOPPED_S)
        seen = len(watcher.reports)
        await target.route({"blue": 100})
        await watcher.until(lambda: len(watcher.reports) > seen)
    assert running(target, "host") == [host]


@idle_scheduling
async def test_a_host_that_only_waits_for_a_cpu_is_left_alone(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
    folder = target.spec.folder
    with starved(host.pid):
        assert not await end_hung(folder, recorded(folder))
    assert running(target, "host") == [host]
    host.suspend()
    assert await end_hung(folder, recorded(folder))
    assert await ended([host])


async def test_a_host_that_hangs_is_ended_by_the_next_call(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
    host.suspend()
    await target.apply("green", TWO, 1)
    assert await ended([host])
    async with watching(target) as watcher:
        await watcher.ready("green", 1)
        await watcher.weight("blue", 100)


async def test_a_host_that_hangs_is_stopped_with_all_that_it_had(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
    family = [host, *(one for kind in KINDS for one in running(target, kind))]
    host.suspend()
    assert await stop(target.spec.folder)
    assert await ended(family)


@pytest.mark.parametrize("do", ["remove", "stop"])
async def test_what_was_given_up_while_the_host_hung_is_not_done_when_it_goes_on(endpoints: Endpoints, do: str) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        host = running(target, "host")[0]
        host.suspend()
        # One that was busy goes on for a moment, and might begin what it is asked for then.
        await asyncio.to_thread(states, host, psutil.STATUS_STOPPED)
        with pytest.raises(wire.SilentError):
            await wire.ask(target.spec.folder, {"do": do, "token": 0, "slot": "blue"}, timeout_s=0.2)
        host.resume()
        await watcher.noted(f"{do}: given up before it was begun")
        found = await status(target.spec.folder)
        assert found is not None
        assert [(one.slot, one.ready) for one in found.slots] == [("blue", 1)]


class Recorder:
    """As much of an endpoint as the server needs; writes down what it was asked to do."""

    def __init__(self, folder: Path) -> None:
        self.spec = EndpointSpec("late", folder)
        self.state = HostState(self.spec.to_json())
        self.done: list[str] = []
        self.heard = asyncio.Event()

    def fence(self, token: int) -> None:
        """Nobody is refused."""

    def note(self, noted: Noted) -> None:
        """What is said is that something was given up."""
        assert "given up" in noted.text
        self.heard.set()

    async def remove(self, slot: str) -> None:
        """Done."""
        self.done.append(slot)


async def _said(folder: Path, message: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await wire.connect(folder)
    writer.write(wire.line({"do": "remove", "token": 0, **message}))
    return reader, writer


async def test_a_message_whose_time_is_over_is_not_obeyed(tmp_path: Path) -> None:
    endpoint = Recorder(tmp_path)
    server = Server(endpoint)  # type: ignore[arg-type]
    await server.start()
    for slot, until_s in (("late", boottime_s() - 1), ("green", boottime_s() + 60)):
        reader, writer = await _said(tmp_path, {"slot": slot, "until_s": until_s})
        await reader.read()
        writer.close()
    assert endpoint.done == ["green"]
    await server.close()


async def test_whoever_hangs_up_while_waiting_for_a_turn_is_not_obeyed(tmp_path: Path) -> None:
    endpoint = Recorder(tmp_path)
    server = Server(endpoint)  # type: ignore[arg-type]
    await server.start()
    async with server._lock:
        _, leaving = await _said(tmp_path, {"slot": "blue"})
        reader, staying = await _said(tmp_path, {"slot": "green"})
        leaving.close()
        async with asyncio.timeout(5):
            await endpoint.heard.wait()
    assert json.loads(await reader.readline()) == {}
    staying.close()
    assert endpoint.done == ["green"]
    await server.close()


async def test_a_verb_of_another_version_says_what_changes_the_host(tmp_path: Path) -> None:
    server = Server(Recorder(tmp_path))  # type: ignore[arg-type]
    await server.start()
    with pytest.raises(Unreachable, match=r"does not know this, which 0\.\d.* asks for; 'quarterdeck restart'"):
        await wire.ask(tmp_path, {"do": "dance", "token": 0})
    await server.close()
