"""Predictions that arrived together are scored in one call.

It takes what has arrived by the end of the event loop's turn and never waits for a batch to fill: at low load
a request goes alone, at high load batches form by themselves. Where a model is asked beside the loop, what arrives
until it has answered goes together.
"""

import os
from asyncio import AbstractEventLoop
from collections.abc import Callable
from functools import partial
from itertools import accumulate, takewhile
from time import perf_counter
from typing import Protocol, TypeAlias

from scoring.answers import Answer, Headers, Writer, error
from scoring.batch import Batch
from scoring.log import say
from scoring.metrics import Metrics
from scoring.model import Model
from scoring.side_thread import SideThread

MAX_TURNS = 8
"""A batch is closed after so many turns of the loop, however many requests each of them brought."""
CALL_BYTES = 1 << 20
"""And at once where so much has come: what it takes as rows is many times that."""


class Reply(Protocol):
    """The way back to a sender; what is sent after the first answer is ignored."""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer."""
        ...


Scored: TypeAlias = tuple[list[Answer], Batch | None, list[float]]
"""Answers, what they were made of, and when their requests arrived."""


class Together:
    """What waits for its prediction. All of it runs in the loop's thread."""

    def __init__(
        self,
        model: Model,
        writer: Writer,
        metrics: Metrics,
        loop: AbstractEventLoop,
        answered: Callable[[int], None],
        beside: SideThread | None = None,
    ) -> None:
        self._model = model
        self._writer = writer
        self._metrics = metrics
        self._loop = loop
        self._answered = answered
        self._beside = beside
        self._asking = False
        self._replies: list[Reply] = []
        self._requests: list[tuple[bytes, str]] = []
        self._arrived_s: list[float] = []
        self._seen = 0
        self._turns = 0
        self._bytes = 0

    @property
    def waiting(self) -> bool:
        """Whether there is anything to score."""
        return bool(self._replies)

    def add(self, reply: Reply, body: bytes, query_string: str, arrived_s: float) -> None:
        """Score this request with the others of this turn."""
        if not self._replies:
            self._loop.call_soon(self._look)
        self._replies.append(reply)
        self._requests.append((body, query_string))
        self._arrived_s.append(arrived_s)
        self._bytes += len(body)
        if self._bytes > CALL_BYTES:
            self._score()

    def _look(self) -> None:
        """Score once a turn brought no further request.

        The server's own threads need the interpreter to hand requests over, and on a busy core they do not get
        it unless this thread steps aside; without that, most requests would be scored alone.
        """
        if len(self._replies) > self._seen and self._turns < MAX_TURNS:
            self._seen = len(self._replies)
            self._turns += 1
            os.sched_yield()
            self._loop.call_soon(self._look)
        elif self._replies:
            self._score()

    def _score(self) -> None:
        if self._asking:
            return
        replies, requests, arrived_s = self._taken()
        self._seen = self._turns = 0
        if self._beside is None:
            self._send(replies, self._scored(requests, arrived_s))
        else:
            self._asking = True
            self._beside.run(partial(self._scored, requests, arrived_s), partial(self._told, replies))

    def _taken(self) -> tuple[list[Reply], list[tuple[bytes, str]], list[float]]:
        """What goes into the next call: all that waits, or as much as a call takes."""
        count = len(self._replies)
        if self._bytes > CALL_BYTES:
            sizes = accumulate(len(body) for body, _ in self._requests)
            count = min(count, 1 + sum(1 for _ in takewhile(lambda size: size <= CALL_BYTES, sizes)))
        taken = self._replies[:count], self._requests[:count], self._arrived_s[:count]
        self._replies, self._requests = self._replies[count:], self._requests[count:]
        self._arrived_s = self._arrived_s[count:]
        self._bytes = sum(len(body) for body, _ in self._requests)
        return taken

    def _told(self, replies: list[Reply], scored: list[Scored], failure: BaseException | None) -> None:
        """The answers came from beside the loop."""
        self._asking = False
        if failure is not None:
            scored = [([broken(failure)], None, [0.0]) for _ in replies]
        self._send(replies, scored)
        if self._replies:
            self._loop.call_soon(self._look)

    def _send(self, replies: list[Reply], scored: list[Scored]) -> None:
        now_s = perf_counter()
        for _, batch, arrived_s in scored:
            if batch is None:
                self._metrics.answered(500)
            else:
                self._metrics.scored(batch, arrived_s, now_s)
        answers = (answer for each, *_ in scored for answer in each)
        for reply, answer in zip(replies, answers, strict=True):
            reply.response_bytes(*answer)
        self._answered(len(replies))

    def _scored(self, requests: list[tuple[bytes, str]], arrived_s: list[float]) -> list[Scored]:
        """One answer a request. Where scoring fails each is scored alone, so that one of them breaks no other."""
        try:
            batch = self._model.predict(requests)
            return [(self._writer.write(batch), batch, arrived_s)]
        except Exception as failure:
            if len(requests) > 1:
                pairs = zip(requests, arrived_s, strict=True)
                return [scored for one, at_s in pairs for scored in self._scored([one], [at_s])]
            return [([broken(failure)], None, arrived_s)]


def broken(failure: BaseException) -> Answer:
    """The sender learns that it failed, the log why; never what was sent."""
    say(f"a request failed: {type(failure).__name__}: {' '.join(str(failure).split())}")
    return error(500, "the service failed on this request: its log says why")
