"""What was promised to be told: sent, tried again while nobody takes it, and laid by where nobody ever does."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from core.domain.errors import Failed, JournalError, QuarterdeckError
from core.domain.hints import typed
from core.engine.engine import Engine
from core.engine.retries import AGAIN_S
from core.notify.payloads import AnswerLinks
from core.notify.secrets import Unset
from core.notify.send import bury, send
from core.state import events as ev
from core.state.alert import Untold
from core.system.tasks import TaskGuard
from core.watch.answer_links import AnswerSigner
from core.watch.scopes import AlertScope, Scopes

LOOK_S = 1.0
TRIES = 10
"""So often a receiver that gives no answer is tried, over half an hour."""
CLOSE_S = 5.0
log = logging.getLogger("quarterdeck")


class Telling:
    """One project's. `environ` holds what the receivers' variables name; None: this process's own."""

    def __init__(self, engine: Engine, scopes: Scopes, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self._engine = engine
        self._scopes = scopes
        self._folder = folder
        self._environ = environ
        self._signer = AnswerSigner(folder)
        self._guard = TaskGuard("who is told")
        self._trying: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                if any(one.untold for one in self._engine.snapshot.endpoints.values()):
                    self._look(await self._read_scopes())
                await self._engine.change(LOOK_S)
        finally:
            await self._guard.close(CLOSE_S)

    async def _read_scopes(self) -> Mapping[str, AlertScope]:
        try:
            return await asyncio.to_thread(self._scopes)
        except QuarterdeckError as error:
            log.warning("who is told: %s", error)
            return {}

    def _look(self, scopes: Mapping[str, AlertScope]) -> None:
        """One at a time to each receiver; of one alert the older first, so that its end does not come before it."""
        now = self._engine.now()
        for endpoint in self._engine.snapshot.endpoints.values():
            scope = scopes.get(endpoint.name)
            waiting: set[tuple[str, str]] = set()
            for one in endpoint.untold if scope is not None else ():
                key = (one.receiver, one.notice.key)
                busy = self._trying.get(f"{endpoint.name}/{one.receiver}")
                free = busy is None or busy.done()
                if free and key not in waiting and now >= one.again_at and scope is not None:
                    task = self._guard.start(self._tell(endpoint.name, scope, one), f"tell {one.receiver}")
                    self._trying[f"{endpoint.name}/{one.receiver}"] = task
                waiting.add(key)

    async def _tell(self, endpoint: str, scope: AlertScope, one: Untold) -> None:
        id_ = one.notice.id
        try:
            await self._send(scope, one)
            fact: ev.Body = ev.Told(endpoint, id_, one.receiver, max(0.0, self._engine.now() - one.notice.at))
        except Exception as error:
            if not isinstance(error, QuarterdeckError):
                log.exception("telling %s", one.receiver)
            fact = await self._failed(endpoint, one, error)
        try:
            await self._engine.emit(fact)
        except JournalError as error:
            log.warning("%s: %s", type(fact).__name__, error)

    async def _send(self, scope: AlertScope, one: Untold) -> None:
        receiver = scope.alerts.receivers.get(one.receiver)
        if receiver is None:
            raise Failed("there is no receiver of that name any more")
        await send(receiver, one.notice, self._environ, self._links(scope, one))

    def _links(self, scope: AlertScope, one: Untold) -> AnswerLinks | None:
        """The links that answer what it asks, made for this message alone: who keeps the notice keeps none."""
        answers = scope.alerts.answered_by(one.receiver)
        if answers is None:
            return None
        try:
            return self._signer.links(answers.url, one.notice, one.receiver)
        except OSError as error:
            log.warning("%s is told without links: %s: %s", one.receiver, self._folder, error.strerror or error)
            return None

    async def _failed(self, endpoint: str, one: Untold, error: Exception) -> ev.Body:
        # What is no error of ours may hold an address in its words.
        why = str(error) if isinstance(error, QuarterdeckError) else type(error).__name__
        if isinstance(error, Unset):
            why = f"{why} for the watch; set it, then {typed('watch --stop')} and {typed('watch')}"
        dead = isinstance(error, Failed) or one.tries + 1 >= TRIES
        if dead:
            try:
                await asyncio.to_thread(bury, self._folder, one.notice, one.receiver, why)
            except OSError as no_room:
                why, dead = f"{why}; and {no_room.strerror or no_room} where dead letters are kept", False
        again_at = self._engine.now() + AGAIN_S[min(one.tries, len(AGAIN_S) - 1)]
        return ev.TellingFailed(endpoint, one.notice.id, one.receiver, why, again_at, dead)
