"""One examination that hangs or breaks is a line of its own; the others are told all the same, and in time."""

import asyncio
import os
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from core.config.scaffold import init
from core.doctor import files, machine, registry
from core.doctor.examine import examine
from core.domain.diagnosis import Condition, Diagnoses, Examination, looking, ok
from core.domain.errors import BadInput, Unreachable
from core.engine.project import Project
from core.targets.kinds import kind_of


async def well() -> Diagnoses:
    return [ok("well")]


async def test_one_that_hangs_in_the_systems_hands_ends_with_a_line_and_holds_up_nobody() -> None:
    release = threading.Event()

    def hangs() -> Diagnoses:
        release.wait(60)
        return [ok("too late")]

    try:
        found = await examine([looking("hangs", hangs, "late", within_s=0.05), Examination("well", well)])
    finally:
        release.set()
    assert [(one.name, one.of, one.condition) for one in found] == [
        ("hangs", "late", Condition.WARN),
        ("well", "", Condition.OK),
    ]
    assert found[0].text == "can't be looked at: no answer within 0.05 s"


@pytest.mark.parametrize(
    ("error", "condition", "text"),
    [
        (BadInput("port: is taken"), Condition.FAIL, "port: is taken"),
        (Unreachable("nobody is there"), Condition.WARN, "can't be looked at: nobody is there"),
        (ValueError("odd\n\x1b[2Jvalue"), Condition.WARN, "can't be looked at: ValueError: odd value"),
    ],
)
async def test_one_that_breaks_says_why_in_a_line(error: Exception, condition: Condition, text: str) -> None:
    def breaks() -> Diagnoses:
        raise error

    broken, other = await examine([looking("breaks", breaks), Examination("well", well)])
    assert (broken.condition, broken.text) == (condition, text)
    assert other.condition is Condition.OK


async def test_a_thread_that_answers_after_the_loops_end_troubles_nobody() -> None:
    release, over = threading.Event(), threading.Event()

    def late() -> Diagnoses:
        release.wait(60)
        over.set()
        return [ok("late")]

    def whole() -> None:
        asyncio.run(examine([looking("late", late, within_s=0.01)]))

    await asyncio.to_thread(whole)
    release.set()
    assert await asyncio.to_thread(over.wait, 10)


SIZE = os.terminal_size((120, 36))


@pytest.mark.parametrize(
    ("environ", "size", "encoding", "said"),
    [
        ({"TERM": "xterm-256color"}, SIZE, "UTF-8", "120x36, 256 colours, UTF-8"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, SIZE, "utf-8", "120x36, 16 million colours, utf-8"),
        ({"TERM": "xterm", "NO_COLOR": ""}, SIZE, "utf8", "120x36, without colours (NO_COLOR is set), utf8"),
        ({}, None, "ascii", "none here: commands print lines, the deck can't be shown"),
        ({"TERM": "dumb"}, SIZE, "UTF-8", "TERM is dumb: the deck can't be drawn"),
        ({}, SIZE, "UTF-8", "TERM is not set: the deck can't be drawn"),
        ({"TERM": "xterm"}, os.terminal_size((79, 24)), "UTF-8", "79x24: the deck needs 80x24"),
        ({"TERM": "xterm"}, os.terminal_size((80, 23)), "UTF-8", "80x23: the deck needs 80x24"),
        ({"TERM": "xterm"}, SIZE, "ANSI_X3.4-1968", "its locale says ANSI_X3.4-1968: marks and curves turn into ?"),
    ],
)
def test_what_a_terminal_can_show(
    environ: dict[str, str], size: os.terminal_size | None, encoding: str, said: str
) -> None:
    (line,) = machine.terminal(environ, size, encoding)
    assert line.text == said
    assert (line.condition is Condition.WARN) == bool(line.do)


def test_files_of_another_user_are_in_the_way_of_all_but_root(tmp_path: Path) -> None:
    path = init(tmp_path / "late", sample="iris")
    (line,) = files.owners(path, path.parent / ".quarterdeck", os.geteuid() + 1)
    assert line.condition is Condition.FAIL
    assert line.text == f"1 of 1 files belong to another user, such as {path} (uid {os.geteuid()})"
    assert line.do == f"sudo chown -R {os.geteuid() + 1} {path.parent}"


async def test_a_fake_place_says_that_it_answers_nobody(tmp_path: Path) -> None:
    path = init(tmp_path / "late", sample="iris")
    path.write_text(path.read_text() + "\ntarget: fake\n")
    (line,) = await examine(list(kind_of("fake").doctor([Project(path).settings])))
    assert (line.condition, line.of) == (Condition.WARN, "iris")


def test_a_registry_is_opened_by_mlflow_itself_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings = Project(init(tmp_path / "late", sample="iris")).settings
    assert registry.opens(settings, tmp_path / "none.db") == []
    # Of a server only an answer tells; nobody listens on this port.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:hidden@127.0.0.1:9")
    (line,) = registry.opens(settings, None)
    assert line.condition is Condition.FAIL
    assert "MLflow at http://127.0.0.1:9 does not answer" in line.text
    assert "hidden" not in line.text


@pytest.mark.parametrize(
    ("ahead_s", "condition", "text"),
    [
        (0, Condition.OK, "has the same time"),
        (90, Condition.WARN, "s ahead of this"),
        (-90, Condition.WARN, "s behind"),
    ],
)
async def test_the_clock_of_a_registrys_server_is_compared(ahead_s: float, condition: Condition, text: str) -> None:
    async def health(request: web.Request) -> web.Response:
        return web.Response(headers={"date": formatdate(time.time() + ahead_s, usegmt=True)})

    app = web.Application()
    app.add_routes([web.get("/health", health)])
    async with TestServer(app) as server:
        url = str(server.make_url("/")).rstrip("/")
        (line,) = await registry.clock_of(url, url)
    assert line.condition is condition
    assert text in line.text
