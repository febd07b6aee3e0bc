"""What the router answers by itself: each in our JSON and in words that say what to do, from a real Envoy."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from core.system.ports import free_port
from core.targets.local import envoy
from core.targets.local.http import Connection
from core.targets.local.router import Router
from tests.targets.helpers import listening

WAIT_S = 10.0
GET = b"GET /x HTTP/1.1\r\nhost: x\r\n"


@asynccontextmanager
async def routing(folder: Path, ports: tuple[int, ...], host: str = "127.0.0.1") -> AsyncIterator[Router]:
    """A router before one slot."""
    router = Router(folder / "late" / "router", (host, free_port(host)), lambda _: None, lambda: None)
    router.folder.mkdir(parents=True)
    try:
        await router.start(envoy.Table(1, {"blue": 100.0}, {}, {"blue": ports}))
        yield router
    finally:
        await router.stop()


async def asked(place: tuple[str, int], sent: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and document of the answer to some bytes."""
    async with asyncio.timeout(WAIT_S):
        reader, writer = await asyncio.open_connection(*place)
        writer.write(sent)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
        writer.close()
        return int(head[0].split()[1]), headers, json.loads(body)


async def test_what_the_router_refuses_is_said_in_our_json(tmp_path: Path) -> None:
    cases = {
        GET + b"\r\n": (503, "no replica is ready"),
        GET + b"a: " + b"a" * 70_000 + b"\r\n\r\n": (431, "the headers are larger"),
        GET + b"a: b\r\n" * 200 + b"\r\n": (431, "the headers are larger"),
        GET + b"upgrade: websocket\r\nconnection: upgrade\r\n\r\n": (403, "can't be upgraded"),
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n": (404, "no such path"),
        b"GET / HTTP/1.1\r\n\r\n": (400, "not HTTP as it should be"),
        b"nothing\r\n\r\n": (400, "not HTTP as it should be"),
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n": (400, "not HTTP as it should be"),
    }
    async with routing(tmp_path, ()) as router:
        for sent, (status, words) in cases.items():
            found, headers, document = await asked(router.address, sent)
            assert (found, document["status"]) == (status, status), sent[:60]
            assert words in document["error"]
            assert headers["content-type"] == "application/json"
            assert headers.get("retry-after") == ("1" if status == 503 else None)


async def test_a_replica_that_refuses_is_said_in_our_json(tmp_path: Path) -> None:
    async with routing(tmp_path, (free_port(),)) as router:
        status, headers, document = await asked(router.address, GET + b"\r\n")
    assert (status, headers["retry-after"]) == (503, "1")
    assert "went away before its answer" in document["error"]


@pytest.mark.parametrize(
    "sent",
    [b"GET /x HTTP/1.1\r\nhost:", b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n{"],
    ids=["headers", "body"],
)
async def test_one_who_sends_too_slowly_is_told_408(
    tmp_path: Path, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envoy, "HEADERS_S", "0.2s")
    monkeypatch.setattr(envoy, "REQUEST_S", "0.2s")
    with socket.create_server(("127.0.0.1", 0)) as replica:
        async with routing(tmp_path, (replica.getsockname()[1],)) as router:
            status, _, document = await asked(router.address, sent)
    assert (status, document["status"]) == (408, 408)
    assert "did not come whole in time" in document["error"]


async def test_clients_are_told_to_come_no_more_before_the_router_ends(tmp_path: Path) -> None:
    """Those who keep their connection and are about to ask again: each hears `close`, and nobody is reset."""
    told: list[str] = []

    async def replica(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async def client(place: tuple[str, int], asked_once: asyncio.Event) -> None:
        line = await Connection.open(place)
        connection = ""
        while connection != "close":
            connection = (await line.ask("/x")).headers.get("connection", "")
            asked_once.set()
            await asyncio.sleep(0.05)
        told.append(connection)
        line.close()

    async with listening(replica) as (_, port):
        async with routing(tmp_path, (port,)) as router:
            ready = [asyncio.Event() for _ in range(10)]
            clients = [asyncio.create_task(client(router.address, event)) for event in ready]
            for event in ready:
                await event.wait()
            await router.drain(WAIT_S)
        await asyncio.gather(*clients)
    assert told == ["close"] * 10


async def test_it_listens_on_an_address_of_version_six(tmp_path: Path) -> None:
    async with routing(tmp_path, (), host="::1") as router:
        status, _, _ = await asked(router.address, GET + b"\r\n")
    assert status == 503
