"""Whoever stops reading loses lines; what was asked for is done all the same. By the real command."""

import errno
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.state import events as ev
from core.system.processes import child_environment, python
from tests.recordings.make import ENDPOINT
from tests.tui import scenes
from tests.tui.conftest import OpenDeck, shown
from tests.tui.replay import FakeLink
from tui import output
from tui.screens.sheet import Sheet
from tui.widgets.bars import Keys

DEADLINE_S = 60
SHELL = "/bin/sh"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was just begun."""
    folder = tmp_path_factory.mktemp("output") / "iris"
    done = subprocess.run(
        [*python("tui.start"), "init", str(folder), "--sample", "iris"],
        env=child_environment(),
        check=True,
        timeout=DEADLINE_S,
        capture_output=True,
    )
    assert done.stderr == b""
    return folder


def in_shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A line of shell in which Q is the command; its exit code stands at the end of stderr."""
    command = " ".join(python("tui.start"))
    return subprocess.run(
        [SHELL, "-c", line.replace("Q ", f"{command} ")],
        check=False,
        cwd=folder,
        env=child_environment({"COLUMNS": "80"}),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{ Q status; echo $? >&2; } | true", 0),
        ("{ Q --help; echo $? >&2; } | head -1 >/dev/null", 0),
        ("Q status >&-; echo $? >&2", 0),
        ("Q status >/dev/full; echo $? >&2", 0),
        ("Q audit --csv >/dev/full; echo $? >&2", 1),
        ("{ Q audit; echo $? >&2; } | true", 0),
        ("Q --help >/dev/full 2>&3; echo $? >&2", 0),
        ("Q status <&- >&- ; echo $? >&2", 0),
        ("Q rollback 2>&- ; echo $? >&2", 3),
        ("Q rollback 2>/dev/full; echo $? >&2", 3),
        ("Q status --config nowhere <&- >&- 2>&-; echo $? >&2", 2),
        ("LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 Q --help >/dev/null; echo $? >&2", 0),
    ],
)
def test_a_stream_that_takes_nothing_costs_its_lines_and_nothing_else(project: Path, line: str, code: int) -> None:
    told = in_shell(project, f"exec 3>&2; {line}")
    assert told.stderr.split()[-1] == str(code), told.stderr
    assert "Traceback" not in told.stderr
    assert "Exception" not in told.stderr


@pytest.mark.parametrize("waits", [True, False], ids=["blocking", "refusing"])
def test_a_pipe_that_nobody_reads_delays_the_end_by_a_moment_only(project: Path, waits: bool) -> None:
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        while _took(writer, b"x" * 4096):
            pass
        os.set_blocking(writer, waits)
        done = subprocess.run(
            [*python("tui.start"), "status"],
            check=False,
            cwd=project,
            env=child_environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=DEADLINE_S,
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def _took(number: int, text: bytes) -> bool:
    try:
        return os.write(number, text) > 0
    except BlockingIOError:
        return False


def test_a_closed_stdout_leads_no_line_into_a_file_that_was_opened_later(project: Path) -> None:
    """Descriptor 1 would be the journal's, and `status` would be written into it."""
    told = in_shell(project, "Q status <&- >&- 2>&-")
    assert told.returncode == 0
    assert (project / ".quarterdeck" / "journal.db").read_bytes()[:15] == b"SQLite format 3"


def test_a_folder_that_is_gone_is_said_in_a_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    told = in_shell(gone, f"rmdir {gone}; Q status")
    assert told.returncode == 2
    assert told.stderr.splitlines() == ["error: the folder that this was called in is gone: go to one that is there"]


@pytest.fixture
def pipe() -> Iterator[tuple[io.BufferedReader, output._Stream]]:
    """A stream of ours, and who reads it."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as reading:
        yield reading, output._Stream(output._Writer(writer), writer, sys.__stdout__)
        os.close(writer)


def test_lines_come_whole_and_in_order(pipe: tuple[io.BufferedReader, output._Stream]) -> None:
    reading, stream = pipe
    for number in range(1000):
        output.say(f"{number} ✔", stream)
    assert [next(reading).decode() for _ in range(1000)] == [f"{number} ✔\n" for number in range(1000)]


def test_of_too_many_lines_the_newest_come_and_the_loss_is_said(
    pipe: tuple[io.BufferedReader, output._Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that was said came or was counted as lost."""
    reading, stream = pipe
    monkeypatch.setattr(output, "MOST_CHUNKS", 10)
    line = "x" * 8192
    for number in range(1000):
        output.say(f"{number:04} {line}", stream)
    came, lost = 0, 0
    while came + lost < 1000:
        text = next(reading).decode()
        if text.startswith("("):
            lost += int(text[1:].split()[0])
            assert text.endswith(" lines were lost)\n")
        else:
            came += 1
    assert lost > 900
    assert text.startswith("0999 ")


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("ascii", "✔ p95 – 12 ms → ok", b"ok p95 - 12 ms -> ok\n"),
        ("ascii", "✖ gate", b"FAILED gate\n"),
        ("latin-1", "rosé ✖ 日", "rosé FAILED ?\n".encode("latin-1")),
        ("utf-8", "✔ \ud800", "✔ �\n".encode()),
        ("utf-8", "\x1b[41mred\u202e", b"red\n"),
    ],
)
def test_a_glyph_that_can_not_be_shown_keeps_its_meaning(encoding: str, text: str, shown: bytes) -> None:
    reader, writer = os.pipe()
    real = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with os.fdopen(reader, "rb") as reading:
        output.say(text, output._Stream(output._Writer(writer), writer, real))
        assert next(reading) == shown
        os.close(writer)


def _closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


class _Full(io.StringIO):
    """A file on a disk that is full."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("stream", [lambda: None, _closed, _Full], ids=["none", "closed", "full"])
def test_lines_for_any_other_stream_raise_nothing_either(stream: Callable[[], io.StringIO | None]) -> None:
    output.say("a line", stream())
    after = io.StringIO()
    output.say("another", after)
    assert after.getvalue() == "another\n"


def test_many_threads_may_print(pipe: tuple[io.BufferedReader, output._Stream]) -> None:
    reading, stream = pipe
    threads = [threading.Thread(target=output.say, args=(f"line {number}", stream)) for number in range(20)]
    for thread in threads:
        thread.start()
    assert sorted(next(reading) for _ in threads) == sorted(f"line {number}\n".encode() for number in range(20))
    for thread in threads:
        thread.join()


LATE = """
import sys
from tui import output
output.install()
class Late:
    def __del__(self, say=output.say, system=sys):
        say("too late", system.stderr)
kept = Late()
kept.itself = kept
del kept  # It goes with the last collection, when no thread begins any more.
"""


def test_what_is_said_while_the_interpreter_ends_holds_nobody_up() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATE], env=child_environment(), capture_output=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_document_is_said_whole_and_harmless_however_long_it_is() -> None:
    told = {"releases": [{"reason": "\x1b[2Jgone", "n": number} for number in range(500)]}
    stream = io.StringIO()
    output.say(output.json_line(told), stream)
    assert json.loads(stream.getvalue()) == told
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """A command that was called with another file and one of several endpoints."""
    before = output.CALLED.set(("shop/q.yaml", "stock"))
    yield
    output.CALLED.reset(before)


@pytest.mark.usefixtures("elsewhere")
def test_a_command_that_is_named_means_what_this_one_was_called_with() -> None:
    stream, again = io.StringIO(), "'quarterdeck rollback --config shop/q.yaml --endpoint stock --env dev' asks anew"
    output.say("'quarterdeck rollback --env dev' asks anew", stream)
    output.say(output.json_line("'quarterdeck rollback --env dev' asks anew"), stream)
    assert stream.getvalue().splitlines() == [again, "\"'quarterdeck rollback --env dev' asks anew\""]
    assert Sheet(lambda: "why", lambda: ["'quarterdeck rollback --env dev' asks anew"]).told() == (again,)


@pytest.mark.usefixtures("elsewhere")
async def test_so_does_one_that_the_decks_footer_and_its_log_name(open_deck: OpenDeck) -> None:
    told = scenes.then(scenes.at_ten(), ev.Logged(ENDPOINT, "target", "see 'quarterdeck status'"))
    async with open_deck(FakeLink(told)) as (app, pilot):
        app.say("see 'quarterdeck status'")
        await shown(app, pilot)
        again = "see 'quarterdeck status --config shop/q.yaml --endpoint stock'"
        assert again in app.deck.query_one(Keys).message
        assert "see 'quarterdeck status --config" in app.deck.pane("log").plain
