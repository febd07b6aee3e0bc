"""A watch that is missing, dead, hanging or of another version is replaced; there is never more than one."""

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from core.domain.errors import Unreachable
from core.system.processes import ended, process_id
from core.watch import client as module
from core.watch.client import WatchClient
from core.watch.place import WatchPlace
from tests.starved import idle_scheduling, starved
from tui.headless import replaced


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended may stand in the list until somebody waits for it."""
    return process_id(pid) is not None


async def test_the_first_call_starts_it_and_all_others_find_it(client: WatchClient) -> None:
    assert not client.wanted
    assert await client.status() is None
    first, second = await asyncio.gather(client.ensure(), WatchClient(client.place).ensure())
    assert first.pid == second.pid
    assert (await client.ensure()).pid == first.pid
    assert client.wanted
    assert client.place.socket.stat().st_mode & 0o777 == 0o600


async def test_it_belongs_to_no_terminal(client: WatchClient) -> None:
    pid = (await client.ensure()).pid
    assert os.getsid(pid) != os.getsid(0)
    for number in (signal.SIGHUP, signal.SIGINT):
        os.kill(pid, number)
    status = await client.status(module.ANSWER_S)
    assert status is not None
    assert status.pid == pid


async def test_one_that_was_killed_is_followed_by_another(client: WatchClient) -> None:
    first = await client.ensure()
    os.kill(first.pid, signal.SIGKILL)
    second = await client.ensure()
    assert second.pid != first.pid
    assert client.wanted


async def test_one_that_was_ended_by_a_signal_is_followed_too_and_says_how_it_ended(client: WatchClient) -> None:
    first = await client.ensure()
    who = client.place.who()
    assert who is not None
    assert not client.place.ended
    os.kill(first.pid, signal.SIGTERM)
    await ended(who)
    assert (client.wanted, client.place.ended) == (True, True)
    assert (await client.ensure()).pid != first.pid
    assert not client.place.ended


async def test_who_only_looks_is_known_to_a_watch_and_starts_none(client: WatchClient) -> None:
    looking = asyncio.create_task(client.look_on())
    await asyncio.sleep(0)
    assert not client.wanted
    looking.cancel()
    await client.ensure()
    looking = asyncio.create_task(client.look_on())
    async with asyncio.timeout(20):
        # Nobody tells us when another process has heard us.
        while not ((await client._ask({"do": "ping"}, 1.0)) or {}).get("lookers"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    looking.cancel()


async def test_one_that_hangs_is_ended_and_followed_by_another(
    client: WatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await client.ensure()
    os.kill(first.pid, signal.SIGSTOP)
    assert not await client.take_up("late", force=False)
    monkeypatch.setattr(module, "ANSWER_S", 0.5)
    second = await client.ensure()
    assert second.pid != first.pid
    assert not alive(first.pid)
    assert replaced(client).startswith(f"the watch before it, process {first.pid}, gave no sign of life")


@idle_scheduling
async def test_one_that_only_waits_for_a_cpu_is_left_alone(
    client: WatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await client.ensure()
    monkeypatch.setattr(module, "TAKE_UP_S", 0.05)
    monkeypatch.setattr(module, "ANSWER_S", 0.5)
    monkeypatch.setattr(module, "TRIES", 2)
    with starved(first.pid):
        # Now and then it gets a turn all the same, and answers.
        with suppress(Unreachable):
            assert (await client.ensure()).pid == first.pid
        assert client.hung is None
    assert alive(first.pid)


async def test_one_of_another_version_is_ended_in_good_order(
    client: WatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await client.ensure()
    monkeypatch.setattr(module, "package_version", lambda: "99")
    started: list[int] = []

    async def start(self: WatchClient) -> module.WatchStatus:
        started.append(0)
        return module.WatchStatus(0, "99", 0.0)

    monkeypatch.setattr(WatchClient, "_start", start)
    assert (await client.ensure()).version == "99"
    assert started == [0]
    assert not alive(first.pid)


async def test_an_orderly_end_leaves_nothing_and_wants_no_other(client: WatchClient) -> None:
    pid = (await client.ensure()).pid
    assert await client.stop()
    assert not alive(pid)
    assert not client.wanted
    assert not client.place.socket.exists()
    assert not await client.stop()


async def test_what_nobody_understands_costs_the_connection_and_nothing_else(client: WatchClient) -> None:
    pid = (await client.ensure()).pid
    for text in (
        b"not json\n",
        b"[]\n",
        b'{"do": 1}\n',
        b"{}\n",
        b"x" * 100_000 + b"\n",
        b"",
        b"rollback\t\n",
        b"rollback\t\xff\n",
    ):
        reader, writer = await asyncio.open_unix_connection(str(client.place.socket))
        writer.write(text)
        writer.write_eof()
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert answer == b"" or b"error" in answer
        writer.close()
    status = await client.status(module.ANSWER_S)
    assert status is not None
    assert status.pid == pid


async def test_where_the_settings_are_read_only_its_door_is_closed_at_once(client: WatchClient) -> None:
    await client.ensure()
    config = client.place.config
    config.write_text(config.read_text() + "\nread_only: true\n")
    reader, writer = await asyncio.open_unix_connection(str(client.place.socket))
    writer.write(f"rollback\t{config}\tdev\tada\there\twhy\t0.1\n".encode())
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"no\tdev: read-only by its settings")
    writer.close()


async def test_it_ends_when_its_project_has_gone(client: WatchClient) -> None:
    pid = (await client.ensure()).pid
    client.place.lock.unlink()
    async with asyncio.timeout(10):
        while alive(pid):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not alive(pid)


async def test_why_it_does_not_start_is_one_line(tmp_path: Path) -> None:
    config = tmp_path / "quarterdeck.yaml"
    config.write_text("data: {source: iris}\nendpoint: {nam: late}\n")
    with pytest.raises(Unreachable, match=r"does not start: .*did you mean name"):
        await WatchClient(WatchPlace(config)).ensure()


async def test_a_copy_of_a_project_is_another_project(client: WatchClient) -> None:
    pid = (await client.ensure()).pid
    folder = client.place.config.parent
    copied = folder.with_name("copy")
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("*.sock"))
    copy = WatchClient(WatchPlace(copied / client.place.config.name))
    assert not copy.wanted
    assert not await copy.stop()
    other = await copy.ensure()
    assert other.pid != pid
    assert await copy.stop()
    status = await client.status(module.ANSWER_S)
    assert status is not None
    assert status.pid == pid


async def test_a_project_that_was_moved_gets_a_watch_where_it_is_now(client: WatchClient) -> None:
    pid = (await client.ensure()).pid
    folder = client.place.config.parent
    moved = folder.rename(folder.with_name("moved"))
    there = WatchClient(WatchPlace(moved / client.place.config.name))
    status = await there.ensure()
    assert status.pid != pid
    assert not alive(pid)
    assert await there.stop()
