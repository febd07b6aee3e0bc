"""What was promised to be told: sent, tried again while nobody takes it, and laid by where nobody ever does."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from core.domain.errors import Failed, JournalError, QuarterdeckError
from core.domain.hints import typed
from core.engine.engine import Engine
from core.engine.retries import AGAIN_S
from core.notify.payloads import AnswerLinks
from core.notify.secrets import Unset
from core.notify.send import bury, send
from core.state import events as ev
from core.state.alert import FailingReceiver, Untold
from core.state.endpoint import Endpoint
from core.system.tasks import TaskGuard
from core.watch.answer_links import AnswerSigner
from core.watch.overtaken import overtaken
from core.watch.scopes import AlertScope, Scopes
from core.watch.telling_order import next_one

LOOK_S = 1.0
TRIES, WAITS_S = 10, 1800.0
"""So often, and for so long, a message is tried whose receiver gives no answer."""
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
        self._sending: dict[tuple[str, str], Untold] = {}

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                if any(one.untold for one in self._engine.snapshot.endpoints.values()):
                    await self._look(await self._read_scopes())
                await self._engine.change(LOOK_S)
        finally:
            await self._guard.close(CLOSE_S)

    async def _read_scopes(self) -> Mapping[str, AlertScope]:
        try:
            return await asyncio.to_thread(self._scopes)
        except QuarterdeckError as error:
            log.warning("who is told: %s", error)
            return {}

    async def _look(self, scopes: Mapping[str, AlertScope]) -> None:
        """What holds no more is laid aside; of the rest each receiver gets one at a time."""
        for endpoint in list(self._engine.snapshot.endpoints.values()):
            scope = scopes.get(endpoint.name)
            for receiver in dict.fromkeys(one.receiver for one in endpoint.untold):
                if scope is not None:
                    await self._turn(scope, endpoint.name, receiver)

    def _busy(self, endpoint: Endpoint, receiver: str) -> bool:
        """Whether it is being told one; no more as soon as it is written down what came of it."""
        sent = self._sending.get((endpoint.name, receiver))
        return sent is not None and sent in endpoint.untold

    async def _turn(self, scope: AlertScope, name: str, receiver: str) -> None:
        snapshot, now = self._engine.snapshot, self._engine.now()
        endpoint = snapshot.endpoint(name)
        if self._busy(endpoint, receiver):
            return
        waiting = {one: overtaken(one, snapshot, now) for one in endpoint.untold if one.receiver == receiver}
        gone = [ev.Overtaken(name, one.notice.id, receiver, why) for one, why in waiting.items() if why]
        if gone and not await self._write(*gone):
            return
        standing = (one for one, why in waiting.items() if not why)
        one = next_one(standing, endpoint.failing.get(receiver), now)
        if one is not None:
            self._sending[name, receiver] = one
            self._guard.start(self._tell(name, scope, one), f"tell {receiver}")

    async def _tell(self, endpoint: str, scope: AlertScope, one: Untold) -> None:
        try:
            await self._send(scope, one)
            told = ev.Told(endpoint, one.notice.id, one.receiver, max(0.0, self._engine.now() - one.notice.at))
            facts: list[ev.Body] = [told]
        except Exception as error:
            if not isinstance(error, QuarterdeckError):
                log.exception("telling %s", one.receiver)
            facts = await self._failed(endpoint, one, error)
        await self._write(*facts)
        # Where nothing could be written down it is told once more.
        if self._sending.get((endpoint, one.receiver)) is one:
            del self._sending[endpoint, one.receiver]

    async def _write(self, *facts: ev.Body) -> bool:
        try:
            await self._engine.emit(*facts)
        except JournalError as error:
            log.warning("%s: %s", type(facts[0]).__name__, error)
            return False
        return True

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

    async def _failed(self, endpoint: str, one: Untold, error: Exception) -> list[ev.Body]:
        # What is no error of ours may hold an address in its words.
        why = str(error) if isinstance(error, QuarterdeckError) else type(error).__name__
        if isinstance(error, Unset):
            why = f"{why} for the watch; set it, then {typed('watch --stop')} and {typed('watch')}"
        known, now = self._engine.snapshot.endpoint(endpoint), self._engine.now()
        refused = isinstance(error, Failed)
        again_at = _again_at(known.failing.get(one.receiver), now)
        over = [] if refused else _long_waiting(known, one, now)
        last = refused or one.tries + 1 >= TRIES or now - one.notice.at >= WAITS_S
        first = await self._given_up(endpoint, one, why, again_at, dead=last)
        # What a receiver refuses for good says nothing of the next message.
        first = replace(first, again_at=now) if refused and first.dead else first
        return [first, *[await self._given_up(endpoint, other, why, again_at, dead=True) for other in over]]

    async def _given_up(self, endpoint: str, one: Untold, why: str, again_at: float, dead: bool) -> ev.TellingFailed:
        """The fact of it; where it was the last try the message is kept first."""
        if dead:
            try:
                await asyncio.to_thread(bury, self._folder, one.notice, one.receiver, why)
            except OSError as no_room:
                why, dead = f"{why}; and {no_room.strerror or no_room} where dead letters are kept", False
        return ev.TellingFailed(endpoint, one.notice.id, one.receiver, why, again_at, dead)


def _again_at(failing: FailingReceiver | None, now: float) -> float:
    if failing is None:
        return now + AGAIN_S[0]
    if now < failing.again_at:
        return failing.again_at
    return now + AGAIN_S[min(failing.waits, len(AGAIN_S) - 1)]


def _long_waiting(endpoint: Endpoint, but: Untold, now: float) -> list[Untold]:
    """Other messages that the same receiver was asked to take and that waited for as long as any does."""
    return [
        one
        for one in endpoint.untold
        if one.receiver == but.receiver and one != but and one.tries and now - one.notice.at >= WAITS_S
    ]
