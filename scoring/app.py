"""The service behind the server: paths, keys and limits."""

import hmac
from asyncio import Event, get_running_loop
from time import perf_counter
from typing import Any, Protocol

from scoring import inference_v2, keys, pairs
from scoring.answers import CLOSE, Answer, Writer, error
from scoring.batching import Reply, Together, broken
from scoring.bodies import FULL, Body
from scoring.connections import ConnectionAges
from scoring.media import PLAIN, as_json, unpacked
from scoring.metrics import Metrics
from scoring.model import Model, PayloadError
from scoring.pace import Pace
from scoring.pages import OPEN, Pages
from scoring.settings import Identity, ServingSettings, ServingState
from scoring.side_thread import SideThread
from scoring.slices import SMALL_BYTES, LargeJob, OneByOne

PREDICT = frozenset({"/predict", "/score", "/invocations"})
DRAINING = "the service is draining: send it to another replica"
STARTING = "the model is not ready yet: try again in a moment"
WRONG_KEY = "the key is missing or wrong: send it as Authorization: Bearer KEY"
AGAIN = ("retry-after", "1")


class Scope(Protocol):
    """What RSGI says of a request."""

    client: str
    method: str
    path: str
    query_string: str
    headers: Any


class Http(Reply, Protocol):
    """RSGI's way to a request's body, in chunks, and back."""

    def __aiter__(self) -> Any: ...


class App:
    """One model over HTTP. Made inside the running loop."""

    def __init__(self, model: Model, identity: Identity, settings: ServingSettings) -> None:
        self.state = ServingState.STARTING
        self.listening = Event()
        self.idle = Event()
        # Two counts of what came in, because two threads count: each number has one writer.
        self.entered = 0
        self._entered_by_chunks = 0
        self._left = 0
        self.limit = settings.max_body_bytes
        self.small = min(SMALL_BYTES, self.limit)
        self.metrics = Metrics(model, identity)
        self._open = False
        self._key = settings.key.encode()
        self._model = model
        self._name = identity.model
        self._infer = frozenset(f"{path}/infer" for path in inference_v2.model_paths(identity.model, identity.version))
        self.predict_paths = PREDICT | self._infer
        self._pages = Pages(model, identity, settings, self.metrics)
        self._ages = ConnectionAges(settings.connection_s) if settings.connection_s > 0 else None
        self.pairs = pairs.KeptAnswers(labelled=bool(model.labels))
        self._writer = Writer(model, identity.version)
        loop = get_running_loop()
        beside = SideThread(loop) if model.waits else None
        self._together = Together(model, self._writer, self.metrics, loop, self._answered, beside)
        self._large = OneByOne(loop, lambda: self._together.waiting, Pace(settings.cores), beside)

    def open(self) -> None:
        """Take predictions from now on."""
        self.state = ServingState.READY
        self._open = not self._key

    def drain(self) -> None:
        """Refuse new predictions; `idle` is set once those in flight are answered."""
        self.state = ServingState.DRAINING
        self._open = False
        self._settle()

    @property
    def in_flight(self) -> int:
        """Predictions that arrived and have no answer yet."""
        return self.entered + self._entered_by_chunks - self._left

    def predict(self, scope: Scope, http: Reply, body: bytes, arrived_s: float) -> None:
        """Answer a small prediction whose body is here: with the others of this turn, or at once where it is refused.

        What is packed is small as it comes alone, and so has its turn with the large ones.
        """
        if not self._open and (refusal := self._refusal(scope)) is not None:
            self._refuse(http, refusal)
            return
        if self._ages is not None:
            http = self._ages.aged(http, scope.client, arrived_s)
        headers, path = scope.headers, scope.path
        typed, packed = headers.get("content-type"), headers.get("content-encoding")
        if packed is not None:
            room = Body(self._large, self.limit, None)
            if room.take(len(body)):
                self._large.add(self._in_turn(scope, http, body, arrived_s, room))
            else:
                self._refuse(http, error(429, FULL, AGAIN))
            return
        if typed not in PLAIN or path in self._infer:
            try:
                http, body = self._plain(http, body, typed, path)
            except PayloadError as refused:
                self._refuse(http, error(refused.status, str(refused)))
                return
            except Exception as failure:
                self._refuse(http, broken(failure))
                return
        if self.pairs.on:
            http = self.pairs.marked(http, headers)
        self._together.add(http, body, scope.query_string, arrived_s)

    def _plain(self, http: Reply, body: bytes, content_type: str | None, path: str) -> tuple[Reply, bytes]:
        """A body as the usual JSON, and the way back in the sender's own form."""
        about = self._model.about
        body = as_json(body, content_type, about.fields)
        if path not in self._infer:
            return http, body
        body, named = inference_v2.request(body, about.fields)
        return inference_v2.Answers(http, self._name, about.labels, named), body

    def cut_off(self, http: Reply) -> None:
        """Count a prediction whose sender went away in the middle of its body."""
        self._refuse(http, error(400, "the body broke off before its end", CLOSE))

    async def answer(self, scope: Scope, http: Http) -> None:
        """Answer anything: a page, or a prediction whose length is not known or too large."""
        if scope.path not in self.predict_paths or scope.method != "POST":
            try:
                page = self._page(scope)
            except Exception as failure:
                page = broken(failure)
            http.response_bytes(*page)
            return
        arrived_s = perf_counter()
        self._entered_by_chunks += 1
        body = Body(self._large, self.limit, scope.headers.get("content-length"))
        try:
            whole = await body.read(http)
        except PayloadError as refused:
            body.free()
            hint = AGAIN if refused.status == 429 else CLOSE
            self._refuse(http, self._refusal(scope) or error(refused.status, str(refused), hint))
            return
        if len(whole) > self.small:
            self._one_by_one(scope, http, whole, arrived_s, body)
        else:
            body.free()
            self.predict(scope, http, whole, arrived_s)

    def _one_by_one(self, scope: Scope, http: Reply, body: bytes, arrived_s: float, room: Body) -> None:
        """Have a large request scored in its turn, unless it is refused."""
        if not self._open and (refusal := self._refusal(scope)) is not None:
            room.free()
            self._refuse(http, refusal)
            return
        if self._ages is not None:
            http = self._ages.aged(http, scope.client, arrived_s)
        self._large.add(self._in_turn(scope, http, body, arrived_s, room))

    def _in_turn(self, scope: Scope, http: Reply, body: bytes, arrived_s: float, room: Body) -> LargeJob:
        """Read, score and answer a large request; each step takes some milliseconds."""
        headers = scope.headers
        try:
            packed, typed = headers.get("content-encoding"), headers.get("content-type")
            http, body = self._plain(http, unpacked(body, packed, self.limit), typed, scope.path)
            if self.pairs.on:
                http = self.pairs.marked(http, headers)
            yield None
            batch = yield from self._model.in_slices((body, scope.query_string))
            answer = self._writer.write(batch)[0]
        except PayloadError as refused:
            self._refuse(http, error(refused.status, str(refused)))
        except Exception as failure:
            self._refuse(http, broken(failure))
        else:
            self.metrics.scored(batch, [arrived_s], perf_counter())
            http.response_bytes(*answer)
            self._answered(1)
        finally:
            room.free()

    def _answered(self, count: int) -> None:
        self._left += count
        if self.state is ServingState.DRAINING:
            self._settle()

    def _settle(self) -> None:
        if not self.in_flight:
            self.idle.set()

    def _refuse(self, http: Reply, answer: Answer) -> None:
        self.metrics.answered(answer[0])
        http.response_bytes(*answer)
        self._answered(1)

    def _refusal(self, scope: Scope) -> Answer | None:
        """What to answer instead of a prediction, if anything."""
        if self.state is not ServingState.READY:
            return error(503, DRAINING if self.state is ServingState.DRAINING else STARTING, CLOSE)
        if self._key and not self._may(scope):
            return error(401, WRONG_KEY, keys.CHALLENGE)
        return None

    def _may(self, scope: Scope) -> bool:
        """Whether the key came."""
        return hmac.compare_digest(keys.sent(scope.headers).encode(errors="replace"), self._key)

    def _page(self, scope: Scope) -> Answer:
        if scope.path in self.predict_paths:
            return error(405, f"{scope.path} takes POST, not {scope.method}", ("allow", "POST"))
        if scope.path not in OPEN and self._key and not self._may(scope):
            return error(401, WRONG_KEY, keys.BROWSER_CHALLENGE)
        if scope.path == pairs.PATH and scope.headers.get(pairs.INSIDE) is not None:
            return self.pairs.page()
        return self._pages.answer(scope.method, scope.path, self.state, self.in_flight, scope.headers.get("host"))
