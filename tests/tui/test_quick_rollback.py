"""The quick way to a rollback: what it asks for, and that whatever it can't be sure of is left to the whole command."""

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config.scaffold import init
from core.watch.client import WatchClient
from core.watch.place import WatchPlace
from tui import quick_rollback


class Watch(threading.Thread):
    """What answers on a project's socket: one connection, one answer, given in the parts that are listed."""

    def __init__(self, folder: Path, parts: list[bytes]) -> None:
        super().__init__()
        (folder / ".quarterdeck").mkdir()
        self.parts = parts
        self.asked = b""
        self.done = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / ".quarterdeck" / "watch.sock"))
        self.listener.listen()

    def run(self) -> None:
        line, _ = self.listener.accept()
        with line:
            self.asked = line.recv(4096)
            for part in self.parts:
                line.sendall(part)
            if not self.parts:
                self.done.wait(10)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project's folder, in which the command is called; its path is so short that a socket in it has an address."""
    monkeypatch.setattr(quick_rollback, "TAKE_UP_S", 60.0)
    for name in [name for name in os.environ if name.startswith("QUARTERDECK_")]:
        monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory(prefix="late-") as made, monkeypatch.context() as inside:
        inside.chdir(made)
        yield Path(made)


def asked(folder: Path, parts: list[bytes], arguments: list[str]) -> tuple[quick_rollback.TakenUp | None, bytes]:
    """What a watch that answers so makes of it, and what it was asked."""
    watch = Watch(folder, parts)
    watch.start()
    try:
        return quick_rollback.ask(arguments), watch.asked
    finally:
        watch.done.set()
        watch.join(10)
        watch.listener.close()


def test_it_asks_in_one_line_and_reads_the_answer_in_parts(folder: Path) -> None:
    taken, line = asked(folder, [b"taken\tlate\tr1", b"\t42\n"], ["--env", "prod", "--reason=too slow"])
    assert taken is not None
    assert (taken.endpoint, taken.release, taken.after) == ("late", "r1", 42)
    word, config, environment, who, where, reason, ago_s = line.decode().rstrip("\n").split("\t")
    assert (word, config, environment) == ("rollback", str(folder.resolve() / "quarterdeck.yaml"), "prod")
    assert who
    assert where.startswith(os.uname().nodename)
    assert reason == "too slow"
    assert float(ago_s) >= 0


def test_settings_go_with_it_as_they_were_given(folder: Path) -> None:
    given = ["--set", "endpoint.name=stock", "--env=prod", "--set=load.users=5"]
    taken, line = asked(folder, [b"taken\tstock\tr1\t42\n"], given)
    assert taken is not None
    assert line.decode().rstrip("\n").split("\t")[7:] == ["endpoint.name=stock", "load.users=5"]


@pytest.mark.parametrize(
    "parts",
    [
        [b'{"error": "rollback: this watch does not know it"}\n'],
        [b"no\tlate: this asks a question first\n"],
        [b"taken\tlate\tr1\tnever\n"],
        [b"taken\tlate"],
        [b"\xff\xfe\n"],
        [b"\n"],
    ],
)
def test_any_other_answer_and_none_leave_it_to_the_whole_command(folder: Path, parts: list[bytes]) -> None:
    taken, line = asked(folder, parts, [])
    assert line.startswith(b"rollback\t")
    assert taken is None


def test_a_watch_that_says_nothing_leaves_it_to_the_whole_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_rollback, "TAKE_UP_S", 0.05)
    assert asked(folder, [], [])[0] is None


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--env"], ["--env="], ["--set"], ["--set", "a\tb"], ["--env", "a\tb"], ["late"], []]
)
def test_without_a_watch_and_with_other_words_it_leaves_it_to_the_whole_command(
    folder: Path, arguments: list[str]
) -> None:
    assert quick_rollback.ask(arguments) is None


def test_a_variable_that_changes_settings_leaves_it_to_the_whole_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_ENDPOINT__NAME", "other")
    assert quick_rollback.ask([]) is None
    assert not (folder / ".quarterdeck").exists()


@pytest.mark.parametrize("deep", ["", f"{'d' * 100}/{'e' * 100}"], ids=["near", "deep"])
async def test_the_real_watch_is_asked_wherever_the_project_lies(
    folder: Path, monkeypatch: pytest.MonkeyPatch, deep: str
) -> None:
    """It says no: nothing is served here. A path of two hundred bytes has no room in a socket's address."""
    (folder / deep).mkdir(parents=True, exist_ok=True)
    client = WatchClient(WatchPlace(init(folder / deep / "late", sample="iris").resolve()))
    await client.ensure()
    said: list[str] = []
    really = quick_rollback._answer

    def answer(where: str, line: str) -> str:
        said.append(really(where, line))
        return said[-1]

    monkeypatch.setattr(quick_rollback, "_answer", answer)
    try:
        for more in ([], ["--set", "endpoint.name=other"], ["--set", "load.users=many"]):
            assert quick_rollback.ask(["--config", str(client.place.config), *more]) is None
    finally:
        await client.stop()
    assert [line.split("\t")[0] for line in said] == ["no", "no", "no"]
    assert "load.users" in said[2]
