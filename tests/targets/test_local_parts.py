"""The parts of the local target that need no process: logs, settings, state, ports, the broadcast, children."""

import json
import os
import socket
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import BadInput
from core.domain.model import Noted, Observation, Reading, Scaled, Sticky, StickyBy, Synced
from core.state.codec import plain
from core.system import sockets
from core.targets.local import broadcast, keys, logs, ports, spec
from core.targets.local.hpa import Behavior
from core.targets.local.spec import Autoscaling, EndpointSpec, exposed, url_of
from core.targets.local.state import Held, HostState, load, save
from tests.targets.helpers import ONE

# Logs


def test_the_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert logs.last_line(log) == ""
    log.write_text("one\ntwo\n\n")
    assert logs.last_line(log) == "two"
    assert logs.tail(log, 0) == []


def test_a_log_line_brings_no_escape_sequence_along(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"\x1b[31mred\x1b[0m\xe2\x80\xae and\r\n  \x07late\n")
    assert logs.tail(log, 5) == ["red and", "  \ufffdlate"]
    assert logs.last_line(log) == "\ufffdlate"


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
    # Another version's: a name of before, and settings that are not known here.
    of_another = json.loads(json.dumps(one.to_json() | {"of_tomorrow": 1}))
    scaling_of_another = of_another["autoscaling"]
    scaling_of_another |= {"low": scaling_of_another.pop("min"), "high": scaling_of_another.pop("max"), "more": 1}
    assert EndpointSpec.from_json(of_another, tmp_path, "k") == one


def test_a_key_that_is_no_longer_set_is_removed(tmp_path: Path) -> None:
    keys.keep_key(tmp_path, "k")
    keys.keep_key(tmp_path, "l", present=False)
    assert (keys.read_key(tmp_path), keys.key_path(tmp_path).stat().st_mode & 0o077) == ("k", 0)
    names = [keys.key_name(tmp_path, key) for key in ("k", "l", "")]
    assert [keys.key_named(tmp_path, name) for name in names] == ["k", "l", ""]
    keys.forget_keys(tmp_path, ["k"])
    assert keys.key_named(tmp_path, names[1]) == ""
    keys.keep_key(tmp_path, "", present=True)
    assert keys.read_key(tmp_path) == ""


def test_a_key_that_an_older_host_wrote_is_read(tmp_path: Path) -> None:
    keys.key_path(tmp_path).write_text("plain")
    assert keys.read_key(tmp_path) == "plain"


def test_a_folder_for_sockets_that_others_may_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SHARED", str(tmp_path))
    (tmp_path / f"quarterdeck-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(BadInput, match="chmod 700"):
        spec.socket_path(Path("/", "x" * 120), "host.sock")


def test_a_socket_lies_where_every_shell_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("x" * 120)
    before = spec.socket_path(folder, "host.sock")
    for name in ("XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    tempfile.tempdir = None
    assert spec.socket_path(folder, "host.sock") == before
    assert len(str(before)) < sockets.SOCKET_BYTES


# State


def test_state_survives_its_file(tmp_path: Path) -> None:
    settings = EndpointSpec("late", tmp_path, cpu_m=300, key="k")
    state = HostState(
        settings.to_json(), 80, 3, 4, {"blue": 100.0}, {"green": 20.0}, {"blue": Held(ONE, tmp_path, 2, 3, settings)}
    )
    state = replace(state, sticky=Sticky(StickyBy.COOKIE, "uid"))
    save(tmp_path, state)
    keys.keep_key(tmp_path, "k")
    assert load(tmp_path) == state
    assert state.observations() == (Observation("blue", ONE, 3, 0, 100.0),)
    assert state.holding("blue", None).slots == {}


def test_a_state_of_the_first_format_gives_each_slot_the_endpoints_settings(tmp_path: Path) -> None:
    settings = EndpointSpec("late", tmp_path, cpu_m=300, key="k")
    keys.key_path(tmp_path).write_text("k")
    held = {"version": plain(ONE), "model": "/m", "asked": 1, "wanted": 2}
    content = {"format": 1, "spec": settings.to_json(), "port": 1, "token": 0, "generation": 0, "weights": {}}
    (tmp_path / "state.json").write_text(json.dumps({**content, "mirror": None, "slots": {"blue": held}}))
    state = load(tmp_path)
    assert state is not None
    assert state.slots == {"blue": Held(ONE, Path("/m"), 1, 2, settings)}


@pytest.mark.parametrize(("kept", "read"), [(None, {}), ("green", {"green": 50.0}), ({"green": 20}, {"green": 20.0})])
def test_a_mirror_that_an_older_version_kept_by_name_is_read(
    tmp_path: Path, kept: object, read: dict[str, float]
) -> None:
    save(tmp_path, HostState(EndpointSpec("late", tmp_path).to_json()))
    path = tmp_path / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mirror": kept}))
    state = load(tmp_path)
    assert state is not None
    assert state.mirror == read


# Ports


def test_a_port_that_needs_rights_or_an_address_that_is_not_ours_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "can't be used" in ports.who_holds("127.0.0.1.invalid", 1)
    with pytest.raises(BadInput, match="set another `port`"):
        ports.check_port("127.0.0.1.invalid", 1)

    def bind(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket.socket, "bind", bind)
    assert "above 1023" in ports.who_holds("127.0.0.1", 80)


# The broadcast


async def test_a_reader_far_behind_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "MOST", 3)
    news = broadcast.Broadcast()
    reader = news.read()
    for number in range(3):
        news.tell(Noted(str(number)))
    assert [reader.get_nowait() for _ in range(4)] == [Synced(()), Noted("0"), Noted("1"), None]
    news.tell(Noted("4"))
    assert reader.empty()


async def test_the_last_look_of_the_autoscaler_is_true_too() -> None:
    news = broadcast.Broadcast()
    seen, scaled = Observation("blue", ONE, 1, 1, 0.0), Scaled("blue", 1.0, 1, 2, "", (Reading("cpu", 1.0, 2.0),))
    news.tell(seen)
    news.tell(scaled)
    news.tell(seen)
    reader = news.read()
    assert [reader.get_nowait() for _ in range(3)] == [seen, scaled, Synced(("blue",))]
    news.tell(Observation("blue", None, 0, 0, 0.0))
    news.tell(Observation("green", None, 0, 0, 0.0))
    news.leave(reader)
    assert news.read().get_nowait() == Synced(())


@pytest.mark.parametrize(
    ("host", "key", "warned"),
    [
        ("127.0.0.1", "", False),
        ("::1", "", False),
        ("localhost", "", False),
        ("0.0.0.0", "a-key", False),  # noqa: S104  (nobody listens there)
        ("0.0.0.0", "", True),  # noqa: S104
        ("::", "", True),
        ("192.0.2.7", "", True),
        ("a.example", "", True),
    ],
)
def test_an_endpoint_that_others_reach_without_a_key_is_warned_of(host: str, key: str, warned: bool) -> None:
    text = exposed(host, key)
    assert bool(text) is warned
    assert not warned or (f"listens on {host} without a key" in text and "endpoint.key_env" in text)


def test_the_url_of_an_address_of_version_six_has_brackets() -> None:
    assert url_of("::1", 80) == "http://[::1]:80"
    assert url_of("127.0.0.1", 80) == "http://127.0.0.1:80"
