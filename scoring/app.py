"""The service over RSGI: paths, keys and limits; predictions that arrive together are scored together.

One thread does everything. It scores what has arrived by the end of the event loop's turn in one call, and
never waits for a batch to fill: at low load a request goes alone, at high load batches form by themselves.
"""

import hmac
import sys
import types
from asyncio import AbstractEventLoop, Event
from collections.abc import Generator
from time import perf_counter
from typing import Any, Protocol

from scoring.answers import CLOSE, Answer, Headers, Writer, error
from scoring.metrics import Metrics
from scoring.model import Model
from scoring.pages import PROTECTED, Pages
from scoring.settings import Identity, Settings, State

PREDICT = frozenset({"/predict", "/score"})
DRAINING = "the service is draining: send it to another replica"
STARTING = "the model is not ready yet: try again in a moment"
WRONG_KEY = "the key is missing or wrong: send it as Authorization: Bearer KEY"


class Scope(Protocol):
    """What RSGI says of a request."""

    method: str
    path: str
    query_string: str
    headers: Any


class Http(Protocol):
    """RSGI's way to a request's body and back; called, it reads the body whole."""

    async def __call__(self) -> bytes: ...
    def __aiter__(self) -> Any: ...
    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None: ...


class Turn:
    """Predictions that were asked for in one turn of the loop; `answers` has none before they are scored."""

    __slots__ = ("answers", "arrived_s", "requests")

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, str]] = []
        self.arrived_s: list[float] = []
        self.answers: list[Answer] = []


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
        self.metrics = Metrics(model, identity)
        self._model = model
        self._limit = settings.max_body_bytes
        self._key = f"Bearer {settings.key}".encode() if settings.key else b""
        self._writer = Writer(model, identity.version)
        self._pages = Pages(model, identity, settings, self.metrics)
        self._turn = Turn()
        self._open = False

    def __rsgi_init__(self, loop: AbstractEventLoop) -> None:
        """The server calls this just before it accepts; by the loop's next turn it does."""
        loop.call_soon(self.listening.set)

    async def __rsgi__(self, scope: Scope, http: Http) -> None:
        """Answer one request. One coroutine on purpose: each further one costs as much as reading the row."""
        if scope.path not in PREDICT or scope.method != "POST":
            http.response_bytes(*self._page(scope))
            return
        arrived_s = perf_counter()
        self.in_flight += 1
        try:
            length = scope.headers.get("content-length")
            fits = length is not None and int(length) <= self._limit
            body = await (http() if fits else _read_up_to(http, self._limit))
            answer = None if self._open and body is not None else self._refusal(scope, body)
            if body is not None and answer is None:
                turn = self._turn
                place = len(turn.requests)
                turn.requests.append((body, scope.query_string))
                turn.arrived_s.append(arrived_s)
                await _next_turn()
                if not turn.answers:
                    self._score(turn)
                answer = turn.answers[place]
            if answer is not None:
                http.response_bytes(*answer)
        except Exception as failure:
            http.response_bytes(*self._broken(failure))
        finally:
            self.in_flight -= 1
            if not self.in_flight and self.state is State.DRAINING:
                self.idle.set()

    def open(self) -> None:
        """Take predictions from now on."""
        self.state = State.READY
        self._open = not self._key

    def drain(self) -> None:
        """Refuse new predictions; `idle` is set once those in flight are answered."""
        self.state = State.DRAINING
        self._open = False
        if not self.in_flight:
            self.idle.set()

    def _refusal(self, scope: Scope, body: bytes | None) -> Answer | None:
        """What to answer instead of a prediction, if anything."""
        answer = None
        if self.state is not State.READY:
            answer = error(503, DRAINING if self.state is State.DRAINING else STARTING, CLOSE)
        elif self._key and not self._may(scope):
            answer = error(401, WRONG_KEY)
        elif body is None:
            text = f"the body is larger than {self._limit} bytes: send fewer rows at a time"
            answer = error(413, text, CLOSE)
        if answer is not None:
            self.metrics.answered(answer[0])
        return answer

    def _may(self, scope: Scope) -> bool:
        sent: str = scope.headers.get("authorization") or ""
        return hmac.compare_digest(sent.encode(), self._key)

    def _score(self, turn: Turn) -> None:
        """Score all that arrived in a turn, in one call."""
        self._turn = Turn()
        try:
            batch = self._model.predict(turn.requests)
            turn.answers = self._writer.write(batch)
            self.metrics.scored(batch, turn.arrived_s, perf_counter())
        except Exception as failure:
            turn.answers = [self._broken(failure)] * len(turn.requests)

    def _page(self, scope: Scope) -> Answer:
        if scope.path in PREDICT:
            return error(405, f"{scope.path} takes POST, not {scope.method}", ("allow", "POST"))
        if scope.path in PROTECTED and self._key and not self._may(scope):
            return error(401, WRONG_KEY)
        return self._pages.answer(scope.method, scope.path, self.state, self.in_flight)

    def _broken(self, failure: Exception) -> Answer:
        """The sender learns that it failed, the log why; never what was sent."""
        sys.stderr.write(f"a prediction failed: {type(failure).__name__}: {' '.join(str(failure).split())}\n")
        self.metrics.answered(500)
        return error(500, "the service failed on this request: its log says why")


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
