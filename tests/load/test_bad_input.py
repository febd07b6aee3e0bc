"""What can be wrong before and at the start: each is one line that says what, where and what to do."""

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.config.profiles import profile
from core.domain.errors import BadInput, Failed, QuarterdeckError, Unreachable
from core.load.child import LoadRun
from core.load.command import LocustSettings, last_line
from tests.load.conftest import Serve

USER = "from locust import HttpUser, task\nclass Someone(HttpUser):\n    @task\n    def go(self): pass\n"


def write(file: Path | str, text: str) -> None:
    """A file with this in it."""
    Path(file).write_text(text)


async def refusal(settings: LocustSettings, **overrides: Any) -> QuarterdeckError:
    """The error that a run with these settings starts with."""
    with pytest.raises(QuarterdeckError) as caught:
        await LoadRun(profile("steady", **overrides), settings).__aenter__()
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": "late.example.org"}, "'late.example.org' is no address to send load to; it takes http://host:port"),
        ({"processes": 0}, "load: processes is 0; it takes 1 or more"),
        ({"locustfile": Path("none.py")}, "none.py: there is no such locustfile"),
        ({"locustfile": Path("README.md")}, "README.md: a locustfile ends in .py"),
        ({"rows": None}, "load: the locustfile that ships needs rows to send; name a file of JSON lines"),
        ({"rows": Path("none.jsonl")}, "none.jsonl: there is no such file of rows"),
    ],
)
async def test_settings_that_can_not_work_are_refused_before_anything_starts(
    change: dict[str, Any], says: str, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write("README.md", "")
    error = await refusal(replace(LocustSettings("http://127.0.0.1:1", tmp_path, rows), **change))
    assert isinstance(error, BadInput)
    assert str(error) == says


async def test_a_folder_that_can_not_be_written_is_named(rows: Path) -> None:
    error = await refusal(LocustSettings("http://127.0.0.1:1", rows / "run", rows))
    assert isinstance(error, BadInput)
    assert str(error) == f"{rows / 'run'}: the load's files can't be written there: Not a directory"


async def test_nobody_at_the_address_is_said_before_locust_starts(rows: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = await refusal(LocustSettings(f"http://127.0.0.1:{port}", tmp_path, rows))
    assert isinstance(error, Unreachable)
    assert str(error).startswith(f"http://127.0.0.1:{port}: nobody answers there (connection refused)")


async def test_a_taken_port_for_the_page_is_said(serve: Serve, rows: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = await refusal(LocustSettings(serve(), tmp_path, rows, web=True, web_port=port))
    assert isinstance(error, BadInput)
    assert str(error) == f"127.0.0.1:{port}: Locust's page can't open there (address already in use)"


@pytest.mark.parametrize(
    ("text", "classes", "says"),
    [
        ("import json\n\njson.loads('{')\n" + USER, (), "{file}:3: JSONDecodeError: Expecting property name"),
        ("from locust import task\nclass Broken(:\n", (), "{file}:2: SyntaxError: invalid syntax"),
        (USER, ("Nobody",), "no user class Nobody in it; it has Someone"),
        ("import locust\n", (), "no user class in it: it needs a subclass of HttpUser or FastHttpUser"),
    ],
)
async def test_a_locustfile_that_does_not_load_is_shown_by_its_own_line(
    text: str, classes: tuple[str, ...], says: str, serve: Serve, tmp_path: Path
) -> None:
    file = tmp_path / "theirs.py"
    file.write_text(text)
    error = await refusal(LocustSettings(serve(), tmp_path / "run", locustfile=file), user_classes=classes)
    assert isinstance(error, BadInput)
    assert str(error).startswith(f"{file}: {says.format(file=file)}")


async def test_a_locustfile_that_leaves_is_quoted_with_its_last_words(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "theirs.py"
    file.write_text("import sys\nsys.exit('no licence for load today')\n")
    error = await refusal(LocustSettings(serve(), tmp_path / "run", locustfile=file))
    assert isinstance(error, Failed)
    assert str(error).startswith("Locust left with exit code 1; its last words: no licence for load today (")


async def test_one_that_never_starts_is_given_up_and_leaves_nothing(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.load.child.START_S", 0.5)
    file = tmp_path / "theirs.py"
    file.write_text("import time\ntime.sleep(60)\n" + USER)
    error = await refusal(LocustSettings(serve(), tmp_path / "run", locustfile=file))
    assert isinstance(error, Failed)
    assert str(error).startswith("Locust did not start within 0.5 s: it said nothing (")


@pytest.mark.parametrize(
    ("rows_text", "says"), [("\n", "has no rows to send"), ("[1, 2]\n", "its first line is not a JSON object")]
)
async def test_rows_that_are_none_are_said(rows_text: str, says: str, serve: Serve, rows: Path, tmp_path: Path) -> None:
    write(rows, rows_text)
    error = await refusal(LocustSettings(serve(), tmp_path / "run", rows))
    assert isinstance(error, BadInput)
    assert says in str(error)


def test_the_last_words_come_without_clock_and_names(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("[2026-01-01 00:00:00,000] box/ERROR/locust.main: Unknown User(s): X\n\n")
    assert last_line(log) == "Unknown User(s): X"
