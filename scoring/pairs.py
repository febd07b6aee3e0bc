"""Answers to requests that a router has marked, kept until they are asked for: who compares a new version with the live
one puts the answer to a request beside that to its copy.

Nothing is kept unless somebody has asked in the last seconds. Of an answer its predictions stay and nothing of what
was sent; of those above the bounds the oldest go.
"""

from collections import deque
from time import monotonic
from typing import Any, Protocol

import orjson

from scoring.answers import Answer, Headers, json
from scoring.batching import Reply

MARK = "x-quarterdeck-pair"
"""A request and its copy carry the same value of it. The router sets it, and takes off what a sender has set."""
INSIDE = "x-quarterdeck-probe"
"""Whoever asks for what is kept sends this; the router takes it off, so that nobody from outside can."""
PATH = "/pairs"
ASKED_S = 5.0
MOST, MOST_BYTES = 5000, 1 << 20
LARGE_BYTES = 64 << 10
"""A larger answer is not kept."""


class Marks(Protocol):
    """The headers of a request."""

    def get(self, name: str) -> str | None:
        """The value of one."""
        ...


class KeptAnswers:
    """What was answered to marked requests. `on`: somebody asks for it; all of it runs in the loop's thread."""

    def __init__(self, *, labelled: bool) -> None:
        self.on = False
        self._labelled = labelled
        self._until_s = 0.0
        self._kept: deque[tuple[str, int, bytes]] = deque()
        self._bytes = 0

    def marked(self, reply: Reply, headers: Marks) -> Reply:
        """The way back to a sender: the same, or one that keeps the answer where the request is marked."""
        if monotonic() > self._until_s:
            self._forget()
            return reply
        mark = headers.get(MARK)
        return reply if mark is None else _Marked(reply, self, mark)

    def keep(self, mark: str, status: int, body: bytes) -> None:
        """Keep an answer, and not more than there is room for."""
        if len(body) > LARGE_BYTES:
            return
        self._kept.append((mark, status, body))
        self._bytes += len(body)
        while self._bytes > MOST_BYTES or len(self._kept) > MOST:
            self._bytes -= len(self._kept.popleft()[2])

    def page(self) -> Answer:
        """What was kept since it was asked for last: the mark, the status and the predictions of each answer."""
        answers = [(mark, status, _predictions(status, body)) for mark, status, body in self._kept]
        self._forget()
        self.on, self._until_s = True, monotonic() + ASKED_S
        return json(200, {"labelled": self._labelled, "answers": answers})

    def _forget(self) -> None:
        self.on = False
        self._kept.clear()
        self._bytes = 0


class _Marked:
    """Stands before a sender whose request is marked."""

    def __init__(self, reply: Reply, pairs: KeptAnswers, mark: str) -> None:
        self._reply = reply
        self._pairs = pairs
        self._mark = mark

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer on, and keep it."""
        self._reply.response_bytes(status, headers, body)
        self._pairs.keep(self._mark, status, body)


def _predictions(status: int, body: bytes) -> Any:
    return orjson.loads(body)["predictions"] if status == 200 else None
