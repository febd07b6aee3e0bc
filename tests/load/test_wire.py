"""The wire between the engine and its Locust: what is said on it, and what goes wrong with it."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config.profiles import profile
from core.domain.errors import Refused, Unreachable
from core.domain.sample import Sample
from core.load.child import LoadRun
from core.load.command import LocustSettings
from core.load.feed import KEEP, Feed
from core.load.wire import Wire
from tests.load.conftest import Serve

STAND_IN = """
import json, os, signal, socket, sys, time
wire = socket.socket(fileno=json.loads(os.environ["QUARTERDECK_LOAD"])["fd"])
wire.sendall(b'{"kind": "started", "shape": ""}' + bytes([10]))
"""

Stand = Callable[[str], LoadRun]


@pytest.fixture
def stand_in(serve: Serve, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """A run whose Locust is a few lines that behave badly."""

    def run(text: str) -> LoadRun:
        call = [sys.executable, "-c", STAND_IN + text]
        monkeypatch.setattr("core.load.command.command", lambda *_: call)
        return LoadRun(profile("steady", duration_s=None), LocustSettings(serve(), tmp_path, rows))

    return run


async def test_a_line_that_is_none_of_ours_ends_the_run_and_the_process(
    stand_in: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.load.process.LEAVE_S", 0.2)
    async with stand_in("wire.sendall(b'hello' + bytes([10])); time.sleep(60)") as run:
        result = await asyncio.wait_for(run.wait(), 10)
        assert result.how == "exited"
        assert result.why.startswith("Locust sent a line that is none of ours: Expecting value")


async def test_silence_is_given_up_and_said(stand_in: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.load.child.ANSWER_S", 0.2)
    monkeypatch.setattr("core.load.child.STOP_S", 0.2)
    async with stand_in("time.sleep(60)") as run:
        with pytest.raises(Unreachable, match=r"Locust did not answer to 'users' within 0\.2 s"):
            await run.users(3)
        await run.stop()
        assert (await run.wait()).why == "it did not stop within 0.2 s and was sent SIGINT"


async def test_a_question_that_the_end_overtakes_is_refused(stand_in: Stand) -> None:
    async with stand_in("wire.recv(1000); os._exit(3)") as run:
        with pytest.raises(Refused, match="it ended before it could pause"):
            await run.pause()
        assert (await run.wait()).why.startswith("Locust left with exit code 3; its last words: it said nothing")


async def test_a_wire_that_something_else_holds_open_does_not_hide_that_locust_ended(
    stand_in: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.load.process.LEAVE_S", 0.2)
    async with stand_in("child = os.fork() or time.sleep(60)\nprint(child, flush=True)\nos._exit(4)") as run:
        assert "exit code 4" in (await asyncio.wait_for(run.wait(), 10)).why
        output = run.settings.folder / "load_test_output.txt"
        os.kill(int(await asyncio.to_thread(output.read_text)), signal.SIGKILL)


def test_a_slow_engine_never_holds_up_the_load_and_loses_no_line() -> None:
    ours, theirs = socket.socketpair()
    wire = Wire(theirs.detach())
    for number in range(5000):
        wire.say("tick", number=number, padding="x" * 100)
    received = b""
    ours.settimeout(5)
    while received.count(b'"tick"') < 5000:
        received += ours.recv(1 << 20)
        wire.say("more")
    ticks = [line for line in received.splitlines() if b'"tick"' in line and line.endswith(b"}")]
    assert [json.loads(line)["number"] for line in ticks] == list(range(len(ticks)))
    assert len(ticks) >= 4999
    ours.close()
    wire.say("tick")
    wire.flush()
    assert list(wire.commands()) == []
    wire.close()


async def test_a_late_follower_gets_what_is_kept_and_a_slow_one_skips() -> None:
    feed = Feed()
    slow = feed.samples()
    feed.add(Sample(None, at=0.0, ok=1))
    assert (await anext(slow)).at == 0.0
    for second in range(1, KEEP + 10):
        feed.add(Sample(None, at=float(second), ok=1))
    assert (await anext(slow)).at == 10.0
    late = feed.samples()
    feed.end()
    assert [sample.at for sample in [one async for one in late]] == [float(second) for second in range(10, KEEP + 10)]
    assert feed.total.ok == KEEP + 10
