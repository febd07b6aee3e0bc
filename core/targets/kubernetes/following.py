"""One kind of object, followed in a thread and on a connection of its own: list, then watch, then watch on.

A watch goes on from the version it heard last, and lists again where the server has forgotten that.
"""

import logging
import random
import threading
from collections.abc import Iterable, Mapping
from typing import Protocol

import orjson

from core.domain.errors import QuarterdeckError, Unreachable
from core.targets.kubernetes.api_errors import ApiBusy, ApiExpired, ApiMissing, Json
from core.targets.kubernetes.calls import ApiCalls, ApiStream
from core.targets.kubernetes.paths import ApiKind

BACKOFF_S, LONGEST_S = 0.25, 10.0
SILENT_S = 90.0
"""Bookmarks come about once a minute: a watch that is silent for longer is none any more."""
ENDS_S = (240, 360)
"""A watch is asked to end after so long, each at its own time, and goes on at once."""
MISSING_S = 60.0
"""An API that a cluster does not have is looked for so often."""
PAGE = 500
log = logging.getLogger("quarterdeck")


class ObjectKeeper(Protocol):
    """Who is told, in the follower's thread."""

    @property
    def ended(self) -> threading.Event:
        """Set once all is over."""
        ...

    def listed(self, kind: ApiKind, bodies: Iterable[Json]) -> None:
        """Everything of a kind that there is."""
        ...

    def changed(self, kind: ApiKind, body: Json, *, gone: bool) -> None:
        """One object is new, other than before, or gone."""
        ...

    def troubled(self, error: QuarterdeckError) -> None:
        """A call came to nothing."""
        ...


class KindFollower:
    """One kind of object in one thread: list, then watch, then watch on; list again where that is not possible.

    `query` chooses among them, by labels or fields.
    """

    def __init__(
        self, owner: ObjectKeeper, calls: ApiCalls, kind: ApiKind, path: str, query: Mapping[str, str]
    ) -> None:
        self.kind = kind
        self.listed = False
        self._owner = owner
        self._calls = calls
        self._path = path
        self._query = dict(query)
        self._stream: ApiStream | None = None
        self._version = ""

    def run(self) -> None:
        """Until the owner ends it."""
        failures = 0
        while not self._owner.ended.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch()
                failures = 0
            except ApiExpired:
                self._version = ""
            except ApiMissing:
                self._absent()
            except QuarterdeckError as error:
                failures += 1
                self._owner.troubled(error)
                self._owner.ended.wait(rest_s(failures, error))
            except Exception as error:
                # What a server says may be anything; nothing of it is trusted then, and all is listed anew.
                log.exception("the watch of %s", self.kind.plural)
                failures, self._version = failures + 1, ""
                broken = Unreachable(
                    f"{self.kind.plural}: what the API server says can't be read ({type(error).__name__})"
                )
                self._owner.troubled(broken)
                self._owner.ended.wait(rest_s(failures, broken))

    def wake(self) -> None:
        """End the connection, so that the thread looks up."""
        if self._stream is not None:
            self._stream.end()

    def _list(self) -> None:
        bodies: list[Json] = []
        query = {**self._query, "limit": str(PAGE)}
        while True:
            page = self._calls.ask("GET", self._path, query=query)
            head = page.get("metadata") or {}
            bodies += page.get("items") or []
            if not head.get("continue"):
                break
            query["continue"] = str(head["continue"])
        self.listed = True
        self._owner.listed(self.kind, bodies)
        self._version = str(head.get("resourceVersion") or "")

    def _watch(self) -> None:
        """One connection, until the server ends it; raises ApiExpired where its version is forgotten."""
        asked = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(random.randint(*ENDS_S)),
        }
        self._stream = self._calls.stream(self._path, asked, SILENT_S)
        try:
            if self._owner.ended.is_set():
                return
            for line in self._stream.lines():
                self._take(line)
        finally:
            self._stream = None

    def _take(self, line: bytes) -> None:
        try:
            event = orjson.loads(line)
            body: Json = event["object"]
            said = event["type"]
        except (ValueError, KeyError, TypeError) as error:
            raise Unreachable(f"{self.kind.plural}: the watch says what can't be read") from error
        if said == "ERROR":
            if body.get("code") == 410:
                raise ApiExpired(f"{self.kind.plural}: the version is forgotten")
            raise Unreachable(f"{self.kind.plural}: the watch ends with {body.get('code')} {body.get('reason', '')}")
        # A bookmark's object holds nothing but the version.
        self._version = str(body["metadata"]["resourceVersion"])
        if said != "BOOKMARK":
            self._owner.changed(self.kind, body, gone=said == "DELETED")

    def _absent(self) -> None:
        """The cluster has no such API, or the namespace is gone: nothing of it is there."""
        self.listed, self._version = True, ""
        self._owner.listed(self.kind, ())
        self._owner.ended.wait(MISSING_S)


def rest_s(failures: int, error: QuarterdeckError) -> float:
    """How long to wait before the next try: longer each time, never all at once, and as long as the server says."""
    if isinstance(error, ApiBusy):
        return error.retry_after_s
    return min(LONGEST_S, BACKOFF_S * 2.0 ** min(failures - 1, 8)) * random.uniform(0.5, 1.0)
