"""A question answered by a link out of a message: over real HTTP, by people, by chats that look, and by others."""

import asyncio
import contextlib
import json
import stat
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.config.alerts import RULE_NAMES, AlertSettings
from core.domain.plan import Plan
from core.domain.strategies import canary
from core.engine.engine import Engine
from core.state import commands as c, events as ev
from core.state.alert import OpenQuestion
from core.state.snapshot import Snapshot
from core.watch import alerting, answering, pages
from core.watch.alerting import Alerting
from core.watch.answer_links import KEY, AnswerLink, AnswerSigner
from core.watch.answering import Answering
from core.watch.client import WatchClient
from core.watch.scopes import AlertScope
from core.watch.telling import Telling
from tests.environments import V2, Bridge, begin, ended, rollout, serve, until
from tests.notify.receivers import HttpReceiver, http_receiver
from tests.ports import free_port

HOOK = {"kind": "webhook", "url_env": "HOOK", "timeout_s": 1.0}


def asking() -> Plan:
    return canary((), replace(rollout(), question="all of it?"), (10, 100))


@dataclass
class Scene:
    """A watch that listens, what it told, and the place that it wrote to."""

    engine: Engine
    store: Bridge
    told: HttpReceiver
    scope: dict[str, AlertScope]
    url: str

    async def asks(self, release: str = "r2", **more: Any) -> tuple[str, str]:
        """A release that waits for a person, and the links that people got: yes and no."""
        await self.engine.do(begin(V2, asking(), release, **more))
        await until(self.engine, lambda s: waits(s, release))
        # What is told is asked about: it began, then it waits.
        await until(self.engine, lambda s: not s.endpoint("late").untold and len(self._told(release)) > 1)
        asked = self._told(release)[-1]
        return asked["approve_url"], asked["reject_url"]

    def _told(self, release: str) -> list[Any]:
        return [one.body for one in self.told.got if one.body["id"].startswith(f"{release}/")]

    async def ask(self, method: str, url: str, **more: Any) -> httpx.Response:
        """One request; it follows nothing."""
        async with httpx.AsyncClient(timeout=10) as client:
            return await client.request(method, url, **more)

    @property
    def answers(self) -> list[tuple[str, bool]]:
        """Who answered, and what."""
        return [(e.who, e.body.yes) for e in self.engine.since(0) if isinstance(e.body, ev.Answered)]


def waits(snapshot: Snapshot, release: str) -> bool:
    found = snapshot.releases.get(release)
    return found is not None and found.current is not None and found.current.question is not None


@contextlib.asynccontextmanager
async def listening(folder: Path, **more: Any) -> AsyncIterator[Scene]:
    """A watch with v1 served, that tells a webhook and listens for answers."""
    store, port = Bridge(folder), free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "rules": dict.fromkeys(RULE_NAMES, False),
        "receivers": {"ops": {**HOOK, **more}},
        "answers": {"url": f"{url}/deck", "port": port},
    }
    given = {"late": AlertScope("dev", False, AlertSettings.model_validate(settings))}
    journal = store.journal()
    async with http_receiver() as told, store.engine(journal, "watch") as engine:
        parts = (
            Alerting(engine, lambda: given, folder, store.journal),
            Telling(engine, lambda: given, folder, {"HOOK": told.url}),
            Answering(engine, lambda: given, AnswerSigner(folder)),
        )
        tasks = [asyncio.create_task(part.run()) for part in parts]
        try:
            await serve(engine)
            yield Scene(engine, store, told, given, url)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    journal.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerting, "REST_S", 0.1)
    monkeypatch.setattr(answering, "LOOK_S", 0.1)


@pytest.mark.parametrize("yes", [True, False])
async def test_looking_answers_nothing_the_button_answers_once(tmp_path: Path, yes: bool) -> None:
    async with listening(tmp_path) as scene:
        links = await scene.asks()
        link, other = links if yes else links[::-1]
        for method in ("GET", "HEAD", "GET"):
            seen = await scene.ask(method, link)
            assert seen.status_code == 200
            assert ("all of it?" in seen.text, "v2 on green" in seen.text) == ((method == "GET"),) * 2
        assert (seen.headers["cache-control"], seen.headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert ("Approve" in seen.text) is yes
        assert waits(scene.engine.snapshot, "r2")
        assert scene.answers == []
        pressed = await scene.ask("POST", link)
        assert (pressed.status_code, "approved" in pressed.text) == (200, yes)
        release = await ended(scene.engine, "r2")
        assert release.outcome is (ev.Outcome.DONE if yes else ev.Outcome.ABORTED)
        for again in (link, other):
            for method in ("POST", "GET"):
                over = await scene.ask(method, again)
                assert (over.status_code, "answered already" in over.text) == (410, True)
        assert scene.answers == [("chat link ops", yes)]
        with contextlib.closing(scene.store.journal()) as journal:
            (answered,) = [row for row in journal.written() if '"is":"Answered"' in str(row)]
        assert "127.0.0.1" in str(answered)


def files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != KEY)


async def test_nothing_of_a_link_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with listening(tmp_path) as scene:
        yes, no = await scene.asks()
        await scene.ask("POST", no)
        await ended(scene.engine, "r2")
        key = (tmp_path / KEY).read_text()
        kept = await asyncio.to_thread(files, tmp_path)
    for secret in (key, yes.rpartition("/")[2], no.rpartition("/")[2], no.rpartition(".")[2]):
        assert secret.encode() not in kept
        assert secret not in caplog.text
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600


async def test_in_production_its_name_is_typed_first(tmp_path: Path) -> None:
    async with listening(tmp_path) as scene:
        yes, _ = await scene.asks(production=True)
        assert "Type <b>dev</b>" in (await scene.ask("GET", yes)).text
        for wrong in ({}, {"environment": "prod"}, {"other": "dev"}):
            refused = await scene.ask("POST", yes, data=wrong)
            assert (refused.status_code, "Nothing was done" in refused.text) == (422, True)
        assert scene.answers == []
        assert (await scene.ask("POST", yes, data={"environment": " dev "})).status_code == 200
        assert scene.answers == [("chat link ops", True)]


async def test_of_two_who_press_at_once_one_is_taken(tmp_path: Path) -> None:
    async with listening(tmp_path) as scene:
        links = await scene.asks()
        said = await asyncio.gather(*(scene.ask("POST", link) for link in (*links, *links)))
        assert [one.status_code for one in said].count(200) == 1
        assert len(scene.answers) == 1
        await ended(scene.engine, "r2")


async def test_forged_links_learn_nothing(tmp_path: Path) -> None:
    async with listening(tmp_path) as scene:
        yes, _ = await scene.asks()
        base, _, token = yes.rpartition("/")
        content, _, signature = token.partition(".")
        release = scene.engine.snapshot.releases["r2"]
        question = release.steps[release.index].question
        assert question is not None
        asked = AnswerLink("late", OpenQuestion("r2", release.index, question.until), True, "ops")
        (tmp_path / "other").mkdir()
        forged = [
            "",
            "x",
            token[:-2],
            f"{content}.{'A' * len(signature)}",
            f"{content[:-4]}AAAA.{signature}",
            f"{content}.",
            f".{signature}",
            "é.é",
            "A" * 4000,
            AnswerSigner(tmp_path / "other").token(asked),
            AnswerSigner(tmp_path).token(replace(asked, receiver="night")),
            AnswerSigner(tmp_path).token(replace(asked, endpoint="other")),
        ]
        said = set()
        for method in ("GET", "POST", "DELETE"):
            for one in forged:
                answer = await scene.ask(method, f"{base}/{one}")
                said.add((answer.status_code, answer.text))
        answer = await scene.ask("GET", f"{scene.url}/")
        said.add((answer.status_code, answer.text))
        ((status, text),) = said
        assert (status, "not valid" in text) == (404, True)
        assert scene.answers == []
        assert waits(scene.engine.snapshot, "r2")


async def test_a_link_is_of_one_question_alone(tmp_path: Path) -> None:
    async with listening(tmp_path) as scene:
        yes, _ = await scene.asks()
        await scene.engine.do(c.Abort("late"))
        await ended(scene.engine, "r2")
        newer, _ = await scene.asks("r3")
        old = await scene.ask("POST", yes)
        assert (old.status_code, "no longer open" in old.text) == (410, True)
        with pytest.raises(Exception, match="another question is open now"):
            await scene.engine.do(c.Answer("late", True, question=OpenQuestion("r2", 1, 1.0)))
        assert scene.answers == []
        assert (await scene.ask("POST", newer)).status_code == 200
        await ended(scene.engine, "r3")


async def test_a_link_runs_out_with_its_question(tmp_path: Path) -> None:
    async with listening(tmp_path) as scene:
        yes, _ = await scene.asks(ask_s=1.5)
        assert (await ended(scene.engine, "r2")).outcome is ev.Outcome.FAILED
        late = await scene.ask("POST", yes)
        assert (late.status_code, "in time" in late.text) == (410, True)
        assert scene.answers == []


async def test_who_is_struck_off_the_list_answers_no_more(tmp_path: Path) -> None:
    async with listening(tmp_path) as scene:
        yes, _ = await scene.asks()
        scope = scene.scope["late"]
        without = {**scope.alerts.receivers, "ops": scope.alerts.receivers["ops"].model_copy(update={"answers": False})}
        scene.scope["late"] = replace(scope, alerts=scope.alerts.model_copy(update={"receivers": without}))
        assert (await scene.ask("POST", yes)).status_code == 404
        assert scene.answers == []


async def test_a_receiver_may_be_told_without_links(tmp_path: Path) -> None:
    async with listening(tmp_path, answers=False) as scene:
        with pytest.raises(KeyError, match="approve_url"):
            await scene.asks()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 9000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\ncontent-length: 5000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\ncontent-length: " + b"9" * 4000 + b"\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n12", 400),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 404),
    ],
)
async def test_what_is_no_plain_small_request_is_refused(tmp_path: Path, sent: bytes, status: int) -> None:
    async with talk(tmp_path) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        said = await reader.readline()
        assert said.startswith(f"HTTP/1.1 {status} ".encode())
        writer.close()


@contextlib.asynccontextmanager
async def talk(tmp_path: Path) -> AsyncIterator[tuple[Scene, int]]:
    async with listening(tmp_path) as scene:
        port = int(scene.url.rpartition(":")[2])
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(httpx.ConnectError):
                    await scene.ask("GET", scene.url)
                    break
                await asyncio.sleep(0.02)
        yield scene, port


async def test_whoever_sends_slowly_is_hung_up_on_and_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "READ_S", 0.3)
    async with talk(tmp_path) as (scene, port):
        lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2 * pages.MOST)]
        for _, writer in lines:
            writer.write(b"POST / HT")
        yes, _ = await scene.asks()
        assert (await scene.ask("GET", yes)).status_code == 200
        for reader, writer in lines:
            assert await reader.read() == b""
            writer.close()


async def test_an_address_that_is_taken_is_said_and_had_once_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "AGAIN_S", 0.1)
    monkeypatch.setattr(answering, "LOOK_S", 0.05)
    taken = pages.listen("127.0.0.1", 0)
    monkeypatch.setattr("tests.watch.test_answering.free_port", lambda: taken.getsockname()[1])
    async with listening(tmp_path) as scene:
        await until(scene.engine, lambda s: any("links answer nothing" in line.text for line in s.log))
        taken.close()
        yes, _ = await scene.asks()
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(httpx.ConnectError):
                    assert (await scene.ask("GET", yes)).status_code == 200
                    break
                await asyncio.sleep(0.02)


async def test_the_real_watch_listens_while_its_file_says_so(client: WatchClient) -> None:
    config, port = client.place.config, free_port()
    plain = config.read_text()
    config.write_text(f"{plain}\nalerts: {{answers: {{url: http://localhost:{port}, port: {port}}}}}\n")
    await client.ensure()
    assert await comes_to(f"http://127.0.0.1:{port}/answer/x.y", 404)
    config.write_text(plain)
    assert await comes_to(f"http://127.0.0.1:{port}/answer/x.y", None)


async def comes_to(url: str, status: int | None) -> bool:
    """Whether an address comes to answer so; None: not at all."""
    async with asyncio.timeout(30), httpx.AsyncClient() as http:
        found: int | None = 0
        while found != status:
            await asyncio.sleep(0.05)
            try:
                found = (await http.get(url)).status_code
            except httpx.TransportError:
                # It may go between the question and the answer.
                found = None
    return True


def test_a_key_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    signer = AnswerSigner(tmp_path)
    link = AnswerLink("late", OpenQuestion("r2", 1, time.time()), True, "ops")
    token = signer.token(link)
    assert signer.read(token) == link
    (tmp_path / KEY).chmod(0o644)
    assert signer.read(token) is None
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600
    assert signer.read(signer.token(link)) == link


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://deck.example.org", "plain http is for this machine alone"),
        ("https://ada:pw@deck.example.org", "without a password"),
        ("https://deck.example.org/?a=1", "without a password"),
        ("deck.example.org", "should be https"),
        ("https://[", "is no address"),
    ],
)
def test_an_address_that_would_give_links_away_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        AlertSettings.model_validate({"answers": {"url": url}})


def test_links_are_never_in_a_ticket() -> None:
    board = {"kind": "github", "repository": "team/late", "token_env": "T", "takes": ["release"]}
    given = {"receivers": {"board": board, "ops": HOOK}, "answers": {"url": "https://deck.example.org/"}}
    settings = AlertSettings.model_validate(json.loads(json.dumps(given)))
    assert settings.answered_by("board") is None
    found = settings.answered_by("ops")
    assert found is not None
    assert found.url == "https://deck.example.org"
