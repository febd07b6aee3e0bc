"""The service over RSGI: paths, keys and limits; predictions that arrive together are scored together.

One thread does everything. It scores what has arrived by the end of the event loop's turn in one call, and
never waits for a batch to fill: at low load a request goes alone, at high load batches form by themselves.
"""

import hmac
import sys
import types
from asyncio import AbstractEventLoop, Event
from collections.abc import Generator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from scoring import answers
from scoring.answers import CLOSE, Answer, Writer, error
from scoring.metrics import Metrics
from scoring.model import Model
from scoring.pages import PROTECTED, Pages
from scoring.settings import Identity, Settings, State

PREDICT = frozenset({"/predict", "/score"})
DRAINING = "the service is draining: send it to another replica"
WRONG_KEY = "the key is missing or wrong: send it as Authorization: Bearer KEY"
STARTING = "the model is not ready yet: try again in a moment"


class Scope(Protocol):
    """What RSGI says of a request."""

    proto: str
    method: str
    path: str
    query_string: str
    headers: Any


class Http(Protocol):
    """RSGI's way to a request's body and back; called, it reads the body whole."""

    async def __call__(self) -> bytes: ...
    def __aiter__(self) -> Any: ...
    def response_bytes(self, status: int, headers: answers.Headers, body: bytes) -> None: ...


@dataclass(slots=True)
class Waiting:
    """A prediction that was asked for in this turn of the loop."""

    body: bytes
    query_string: str
    arrived_s: float
    answer: Answer | None = None


@types.coroutine
def _next_turn() -> Generator[None, None, None]:
    """Let everything that is due in this turn of the loop run first; cheaper than a future."""
    yield


class App:
    """One model over HTTP."""

    def __init__(self, model: Model, identity: Identity, settings: Settings) -> None:
        self.state = State.STARTING
        self.in_flight = 0
        self.idle = Event()
        self.listening = Event()
        self._model = model
        self._settings = settings
        self._writer = Writer(model, identity.version)
        self._key = f"Bearer {settings.key}".encode() if settings.key else b""
        self._waiting: list[Waiting] = []
        self.metrics = Metrics(model, identity)
        self._pages = Pages(model, identity, settings, self.metrics)

    async def __rsgi__(self, scope: Scope, http: Http) -> None:
        if scope.path in PREDICT and scope.method == "POST":
            self.in_flight += 1
            try:
                await self._predict(scope, http)
            finally:
                self.in_flight -= 1
                if not self.in_flight and self.state is State.DRAINING:
                    self.idle.set()
        else:
            _send(http, self._page(scope))

    async def _predict(self, scope: Scope, http: Http) -> None:
        arrived_s = perf_counter()
        try:
            body = await self._body(scope, http)
            if isinstance(body, Answer):
                self.metrics.answered(body.status)
                _send(http, body)
                return
            asked = Waiting(body, scope.query_string, arrived_s)
            self._waiting.append(asked)
            await _next_turn()
            if asked.answer is None:
                self._score()
            if asked.answer is not None:
                _send(http, asked.answer)
        except Exception as failure:
            _send(http, self._broken(failure))

    async def _body(self, scope: Scope, http: Http) -> bytes | Answer:
        """The request's body, or the answer that is due without it."""
        headers = scope.headers
        length = headers.get("content-length")
        limit = self._settings.max_body_bytes
        if length is None or int(length) > limit:
            body = await _read_up_to(http, limit)
        else:
            body = await http()
        if self.state is not State.READY:
            return error(503, DRAINING if self.state is State.DRAINING else STARTING, CLOSE)
        if self._key and not self._may(headers.get("authorization")):
            return error(401, WRONG_KEY)
        if body is None:
            return error(413, f"the body is larger than {limit} bytes: send fewer rows at a time", CLOSE)
        return body

    def _may(self, sent: str | None) -> bool:
        return sent is not None and hmac.compare_digest(sent.encode(), self._key)

    def _score(self) -> None:
        """Score all that waits, in one call."""
        waiting, self._waiting = self._waiting, []
        try:
            self._answer(waiting)
        except Exception as failure:
            for each in waiting:
                each.answer = self._broken(failure)

    def _answer(self, waiting: list[Waiting]) -> None:
        metrics = self.metrics
        batch = self._model.predict([(each.body, each.query_string) for each in waiting])
        tail = self._writer.tail(batch)
        now_s = perf_counter()
        for each, prediction in zip(waiting, batch.predictions, strict=True):
            each.answer = answer = self._writer.write(prediction, batch, tail)
            metrics.answered(answer.status)
            metrics.latency.observe(now_s - each.arrived_s)
            metrics.unknown_categories += prediction.unknown_categories
            for one in prediction.classes:
                metrics.predictions[one] += 1
        if batch.rows:
            metrics.rows += batch.rows
            metrics.batch.observe(batch.rows)

    def _page(self, scope: Scope) -> Answer:
        if scope.path in PREDICT:
            return error(405, f"{scope.path} takes POST, not {scope.method}", ("allow", "POST"))
        if scope.path in PROTECTED and self._key and not self._may(scope.headers.get("authorization")):
            return error(401, WRONG_KEY)
        return self._pages.answer(scope.method, scope.path, self.state, self.in_flight)

    def _broken(self, failure: Exception) -> Answer:
        """The sender learns that it failed, the log why; never what was sent."""
        sys.stderr.write(f"a prediction failed: {type(failure).__name__}: {' '.join(str(failure).split())}\n")
        self.metrics.answered(500)
        return error(500, "the service failed on this request: its log says why")

    def __rsgi_init__(self, loop: AbstractEventLoop) -> None:
        """The server calls this just before it accepts; by the loop's next turn it does."""
        loop.call_soon(self.listening.set)

    def drain(self) -> None:
        """Refuse new predictions; `idle` is set once those in flight are answered."""
        self.state = State.DRAINING
        if not self.in_flight:
            self.idle.set()


async def _read_up_to(http: Http, limit: int) -> bytes | None:
    """The body, or None when it is larger; the rest is read and thrown away, so that the sender hears the answer."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in http:
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()
    return b"".join(chunks) if size <= limit else None


def _send(http: Http, answer: Answer) -> None:
    http.response_bytes(answer.status, answer.headers, answer.body)
