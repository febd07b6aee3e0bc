"""Package and running host greet each other; a restart changes all processes under load."""

import asyncio

import pytest

from core.domain.errors import Failed, Refused
from core.domain.model import Level, Noted
from core.targets.local import records, wire
from core.targets.local.client import restart, status, stop
from core.targets.local.repeats import Repeats
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, loading, watching
from tests.targets.test_local_adoption import KINDS
from tests.targets.test_local_healing import pids, running, serving


async def test_a_restart_under_load_changes_every_process_and_fails_no_request(endpoints: Endpoints) -> None:
    target = endpoints.target()
    said: list[str] = []
    async with watching(target) as watcher:
        await serving(target, watcher, 3)
        await target.apply("green", TWO, 1)
        await watcher.ready("green", 1)
        await target.route({"blue": 90, "green": 10})
        await watcher.weight("green", 10)
        before = {kind: pids(target, kind) for kind in (*KINDS, "host")}
        async with loading(await target.address(), users=20) as load:
            await load.more(200)
            await restart(target.spec.folder, said.append)
            after = {kind: pids(target, kind) for kind in before}
            await load.more(200)
            await watcher.weight("green", 10)
        assert not load.failed
        assert not [kind for kind in before if before[kind] & after[kind]]
        assert [len(after[kind]) for kind in KINDS] == [2, 4, 1]
    assert [line.partition(": ")[2].split(";")[0] for line in said] == [
        "a new host has taken over",
        f"host, router and replicas run {wire.version()} now",
    ]


async def test_callers_who_pause_on_a_connection_are_never_cut_while_replicas_go_weights_flip_and_all_restarts(
    endpoints: Endpoints,
) -> None:
    """Whoever is about to send finds the connection open, or was told before that it would not be."""
    target = endpoints.target()
    async with watching(target) as watcher:
        await serving(target, watcher, 3)
        await target.apply("green", TWO, 2)
        await watcher.ready("green", 2)
        async with loading(await target.address(), users=30, pause_s=0.1) as load:
            for share in (50, 0, 100):
                await target.route({"blue": 100 - share, "green": share})
                await watcher.weight("green", share)
                await load.more(100)
            await target.apply("green", TWO, 1)
            await watcher.ready("green", 1)
            await target.remove("blue")
            await watcher.gone("blue")
            await load.more(100)
            assert (load.failed, load.told) == ({}, 0)
            await restart(target.spec.folder, lambda _: None)
            await load.more(200)
        assert not load.failed
        # The router is another one: each connection to the last one was told to come anew.
        assert load.told >= load.users


async def test_a_router_that_was_changed_is_watched_and_changed_again(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await serving(target, watcher, 1)
        for _ in range(2):
            await restart(target.spec.folder, lambda _: None)
            await watcher.noted("has let go; starting it again")
        await watcher.until(lambda: len([text for text in watcher.notes() if "is back after" in text]) == 2)
        await watcher.until(lambda: watcher.reports[-1:] and not isinstance(watcher.reports[-1], Noted))
        running(target, "router")[0].kill()
        await watcher.noted("the router is back after")
        seen = await watcher.weight("blue", 100)
        assert (seen.ready, seen.weight) == (1, 100)


async def test_a_restart_whose_replicas_do_not_come_leaves_the_old_ones(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await serving(target, watcher, 1)
        old = pids(target, "replica")
        endpoints.model("1", broken="it is gone")
        async with loading(await target.address()) as load:
            with pytest.raises(Failed, match="it is gone"):
                await restart(target.spec.folder, lambda _: None)
            await load.more(20)
        assert not load.failed
        assert pids(target, "replica") == old


async def test_traffic_moves_while_replicas_are_changed_and_what_is_stopped_meanwhile_stays_stopped(
    endpoints: Endpoints,
) -> None:
    """Changing replicas may take minutes; a way back may not."""
    target = endpoints.target()
    async with watching(target) as watcher:
        host = await serving(target, watcher, 1)
        await target.apply("green", TWO, 1)
        await watcher.ready("green", 1)
        old = pids(target, "replica")
        # From now on none of this version gets ready.
        endpoints.model("1", mute=True)
        restarting = asyncio.create_task(restart(target.spec.folder, lambda _: None))
        await watcher.until(lambda: pids(target, "host") - {host.pid})
        await watcher.until(lambda: len(pids(target, "replica") - old) > 0)
        await target.route({"green": 100})
        await watcher.weight("green", 100)
        assert not restarting.done()
        stopping = asyncio.create_task(stop(target.spec.folder))
        with pytest.raises(Refused, match="late was stopped meanwhile"):
            await restarting
        assert await stopping
    assert records.running(target.spec.folder) == []


async def test_where_nothing_is_deployed_there_is_nothing_to_restart(endpoints: Endpoints) -> None:
    with pytest.raises(Refused, match="nothing is deployed here"):
        await restart(endpoints.target().spec.folder, lambda _: None)


async def test_another_version_is_said_to_whoever_watches(
    endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = endpoints.target()
    await target.apply("blue", ONE, 0)
    found = await status(target.spec.folder)
    assert found is not None
    assert (found.version, found.protocol) == (wire.version(), wire.PROTOCOL)
    theirs = wire.version()
    monkeypatch.setattr(wire, "version", lambda: "99.1")
    async with watching(target) as watcher:
        said = await watcher.noted(f"the host runs {theirs}, this is 99.1; 'quarterdeck restart' changes it")
    assert said.level is Level.WARNING


def test_what_a_newer_host_says_besides_is_no_trouble() -> None:
    plain = {"endpoint": "late", "folder": "/f", "alive": True, "pid": 1, "url": "", "slots": [], "mood": "good"}
    assert wire.HostStatus.from_json(plain).endpoint == "late"
    assert "older version" in wire.unlike({})


def test_what_repeats_is_counted() -> None:
    said: list[str] = []
    repeats = Repeats(lambda noted: said.append(noted.text))
    for delay in (1, 2, 4, 8, 16):
        repeats.note(Noted(f"blue-1 died: no memory; next try in {delay} s"))
    repeats.note(Noted("the router died: killed; again in 2 s"))
    assert [line[-6:] for line in said] == ["in 1 s", "in 2 s", "in 4 s", "in 2 s"]
    first_s = next(iter(repeats._kinds.values())).first_s
    repeats.settle(first_s + 59)
    assert len(said) == 4
    repeats.settle(first_s + 61)
    assert said[4] == "blue-1 died: no memory; next try in 16 s (again, 2 times in 61 s)"
    repeats.settle(first_s + 200)
    assert len(said) == 5
