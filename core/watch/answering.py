"""Questions answered by a link out of a message. To look at a link answers nothing: chats open what they show."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qs

from core.domain.errors import JournalError, QuarterdeckError, Refused
from core.domain.model import Level, Noted
from core.engine.engine import Engine
from core.state import events as ev
from core.state.commands import Answer
from core.state.confirmation import Confirmation, confirmation
from core.state.release import Release
from core.system.tasks import TaskGuard
from core.watch import answer_page
from core.watch.answer_links import PATH, AnswerLink, AnswerSigner
from core.watch.overtaken import question_over
from core.watch.pages import PageAsked, PageServer, WatchPage, listen
from core.watch.scopes import AlertScope, Scopes

Where = tuple[str, int]
LOOK_S, CLOSE_S = 1.0, 5.0
AGAIN_S = 30.0
"""So often an address that can't be had is tried again."""
METHODS = ("GET", "HEAD", "POST")
log = logging.getLogger("quarterdeck")


class Answering:
    """One project's: listens wherever its environments say, as long as they say so."""

    def __init__(self, engine: Engine, scopes: Scopes, signer: AnswerSigner) -> None:
        self._engine = engine
        self._scopes = scopes
        self._signer = signer
        self._guard = TaskGuard("answers")
        self._listening: dict[Where, asyncio.Task[None]] = {}
        self._again_s: dict[Where, float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._look(await self._read_scopes())
                await asyncio.sleep(LOOK_S)
        finally:
            await self._guard.close(CLOSE_S)

    async def _read_scopes(self) -> Mapping[str, AlertScope]:
        try:
            return await asyncio.to_thread(self._scopes)
        except QuarterdeckError as error:
            log.warning("answers: %s", error)
            return {}

    async def _look(self, scopes: Mapping[str, AlertScope]) -> None:
        """Listen where it is wanted now, and nowhere else."""
        wanted: dict[Where, list[str]] = {}
        for name, scope in scopes.items():
            if scope.alerts.answers is not None:
                wanted.setdefault((scope.alerts.answers.host, scope.alerts.answers.port), []).append(name)
        for where in [one for one, task in self._listening.items() if one not in wanted or task.done()]:
            self._listening.pop(where).cancel()
        for where, names in wanted.items():
            if where not in self._listening:
                await self._listen(where, names)

    async def _listen(self, where: Where, names: list[str]) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s < self._again_s.get(where, 0.0):
            return
        try:
            # It may have to ask for the host's address.
            made = await asyncio.to_thread(listen, *where)
        except OSError as error:
            first = where not in self._again_s
            self._again_s[where] = now_s + AGAIN_S
            if first:
                await self._remark(names, f"links answer nothing: {where[0]}:{where[1]}: {error.strerror or error}")
            return
        self._again_s.pop(where, None)
        server = PageServer(partial(self.page, where))
        self._listening[where] = self._guard.start(server.run(made), f"listen at {where[0]}:{where[1]}")

    async def _remark(self, names: list[str], text: str) -> None:
        log.warning("%s; set alerts.answers.port to a free one", text)
        up = [name for name in names if name in self._engine.snapshot.endpoints]
        with suppress(JournalError):
            await self._engine.emit(*(ev.Remarked(one, Noted(text, Level.WARNING, source="answers")) for one in up))

    async def page(self, where: Where, asked: PageAsked) -> WatchPage:
        """What comes of one request. Whoever has no link of ours learns nothing, not even what there is."""
        link = self._signer.read(asked.path.rpartition(PATH)[2]) if PATH in asked.path else None
        if link is None or not await self._holds(link, where):
            return WatchPage(HTTPStatus.NOT_FOUND, answer_page.said(answer_page.NOT_VALID))
        if asked.method not in METHODS:
            text = answer_page.said("A link is looked at, or its button pressed.")
            return WatchPage(HTTPStatus.METHOD_NOT_ALLOWED, text, ", ".join(METHODS))
        release = self._engine.snapshot.releases.get(link.question.release)
        now = self._engine.now()
        over = "That release is gone." if release is None else question_over(release, link.question, now)
        if release is None or over:
            return WatchPage(HTTPStatus.GONE, answer_page.said(over))
        wanted = self._wanted(link)
        if asked.method != "POST":
            return WatchPage(HTTPStatus.OK, self._form(release, link, wanted))
        if wanted is not None and _typed(asked.body) != wanted.environment:
            wrong = f"Nothing was done: type {wanted.environment} to approve it there."
            return WatchPage(HTTPStatus.UNPROCESSABLE_ENTITY, self._form(release, link, wanted, wrong))
        return await self._answer(link, asked.peer)

    async def _holds(self, link: AnswerLink, where: Where) -> bool:
        """Whether the settings still let those who read this receiver's messages answer here."""
        scope = (await self._read_scopes()).get(link.endpoint)
        told = scope.alerts.answered_by(link.receiver) if scope is not None else None
        return told is not None and (told.host, told.port) == where

    def _wanted(self, link: AnswerLink) -> Confirmation | None:
        return confirmation(_command(link), self._engine.snapshot, self._engine.now())

    def _form(self, release: Release, link: AnswerLink, wanted: Confirmation | None, wrong: str = "") -> str:
        return answer_page.asked(release, link, self._engine.snapshot, self._engine.now(), wanted, wrong)

    async def _answer(self, link: AnswerLink, peer: str) -> WatchPage:
        """Ask by the door that people use; of two who press at once the journal takes one."""
        try:
            # It is written down or it is not: whoever hangs up meanwhile does not take it half back.
            await asyncio.shield(self._engine.do(_command(link), f"chat link {link.receiver}", peer))
        except Refused as error:
            return WatchPage(HTTPStatus.CONFLICT, answer_page.said(f"Nothing was done: {error}."))
        except QuarterdeckError as error:
            return WatchPage(HTTPStatus.SERVICE_UNAVAILABLE, answer_page.said(f"Nothing was done: {error}."))
        return WatchPage(HTTPStatus.OK, answer_page.said(f"{link.endpoint}: {'approved' if link.yes else 'rejected'}."))


def _command(link: AnswerLink) -> Answer:
    return Answer(link.endpoint, link.yes, question=link.question)


def _typed(body: bytes) -> str:
    """The environment's name out of a form."""
    fields = parse_qs(body.decode(errors="replace"), max_num_fields=4)
    return fields.get(answer_page.TYPED, [""])[0].strip()
