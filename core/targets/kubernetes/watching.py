"""What an API server has of an endpoint, kept up to date by list and watch. It only reports; it changes nothing.

Each kind of object has a thread and a connection of its own. A watch goes on from the version it heard last, and lists
again where the server has forgotten that. A watch that lives does not prove that the server can be reached, so somebody
asks for a sign of life as well.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

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
BEAT_S, STALE_S = 4.0, 12.0
MISSING_S = 60.0
"""An API that a cluster does not have is looked for so often."""
PAGE = 500
log = logging.getLogger("quarterdeck")

Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What was heard: objects by plural and name. `stale_s` is since when nothing was heard, where that is long."""

    objects: Mapping[Key, Json] = field(default_factory=dict)
    stale_s: float = 0.0
    trouble: str = ""

    def get(self, kind: ApiKind, name: str) -> Json | None:
        """One object."""
        return self.objects.get((kind.plural, name))

    def all(self, kind: ApiKind) -> list[Json]:
        """All of a kind, the oldest first."""
        found = [body for (plural, _), body in self.objects.items() if plural == kind.plural]
        return sorted(found, key=lambda body: str(body["metadata"].get("creationTimestamp", "")))


class ClusterWatch:
    """Watches some kinds of objects under a label selector, from `start` until `close`.

    `told` is called in threads of this watch after whatever changed; it must not wait. `vital` kinds must be there:
    until they were listed `error` says why they were not.
    """

    def __init__(
        self,
        calls: ApiCalls,
        namespace: str,
        selector: str,
        kinds: Sequence[ApiKind],
        told: Callable[[], None],
    ) -> None:
        self._calls = calls
        self._namespace = namespace
        self._told = told
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._objects: dict[Key, Json] = {}
        self._heard_s = time.monotonic()
        self._error: QuarterdeckError | None = None
        self._followers = [_Follower(self, calls, kind, kind.path(namespace), selector) for kind in kinds]

    def start(self) -> None:
        """Begin. The threads never keep the interpreter from ending."""
        for one in self._followers:
            threading.Thread(target=one.run, name=f"watch {one.kind.plural}", daemon=True).start()
        threading.Thread(target=self._beat, name="sign of life", daemon=True).start()

    def close(self) -> None:
        """End every thread, each as soon as it looks up."""
        self._ended.set()
        for one in self._followers:
            one.wake()

    @property
    def synced(self) -> bool:
        """Whether every kind was listed."""
        return all(one.listed for one in self._followers)

    @property
    def error(self) -> QuarterdeckError | None:
        """Why a kind was not listed yet; None where nothing is known to be wrong."""
        return None if self.synced else self._error

    def view(self) -> ClusterView:
        """All that is known now."""
        with self._lock:
            silent_s = time.monotonic() - self._heard_s
            stale = silent_s > STALE_S
            why = str(self._error) if stale and self._error is not None else ""
            return ClusterView(dict(self._objects), silent_s if stale else 0.0, why)

    def put(self, kind: ApiKind, body: Json) -> None:
        """What a call of ours was answered, so that nobody waits for the watch to say it; never an older one.

        What is not watched is not kept: nobody would say that it is gone, and a Secret has no business here.
        """
        if all(one.kind != kind for one in self._followers):
            return
        with self._lock:
            held = self._objects.get(key := (kind.plural, body["metadata"]["name"]))
            if held is None or version(body) >= version(held):
                self._objects[key] = body
        self._told()

    # For the followers, each in its thread

    @property
    def ended(self) -> threading.Event:
        """Set once all is over."""
        return self._ended

    def listed(self, kind: ApiKind, bodies: Iterable[Json]) -> None:
        """Everything of a kind that there is."""
        found = {(kind.plural, body["metadata"]["name"]): body for body in bodies}
        with self._lock:
            self._objects = {key: body for key, body in self._objects.items() if key[0] != kind.plural} | found
            self._heard_s = time.monotonic()
        self._told()

    def changed(self, kind: ApiKind, body: Json, *, gone: bool) -> None:
        """One object is new, other than before, or gone."""
        key = (kind.plural, body["metadata"]["name"])
        with self._lock:
            held = self._objects.get(key)
            same = held is not None and held["metadata"].get("uid") == body["metadata"].get("uid")
            if held is not None and same and version(body) < version(held):
                return  # The answer to a call of ours came before this.
            if gone:
                self._objects.pop(key, None)
            else:
                self._objects[key] = body
            self._heard_s = time.monotonic()
        self._told()

    def troubled(self, error: QuarterdeckError) -> None:
        """A call came to nothing."""
        with self._lock:
            self._error = error
        self._told()

    def _beat(self) -> None:
        """Ask for a sign of life; once it comes again after a while, watches of before are not trusted."""
        while not self._ended.wait(BEAT_S):
            try:
                self._calls.ask("GET", "/version", timeout_s=BEAT_S)
            except QuarterdeckError as error:
                self.troubled(error)
                continue
            with self._lock:
                away = time.monotonic() - self._heard_s > STALE_S
                self._heard_s = time.monotonic()
                self._error = None if self.synced else self._error
            if away:
                for one in self._followers:
                    one.wake()
                self._told()


class _Follower:
    """One kind of object in one thread: list, then watch, then watch on; list again where that is not possible."""

    def __init__(self, owner: ClusterWatch, calls: ApiCalls, kind: ApiKind, path: str, selector: str) -> None:
        self.kind = kind
        self.listed = False
        self._owner = owner
        self._calls = calls
        self._path = path
        self._query = {"labelSelector": selector}
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


def version(body: Json) -> int:
    """How new an object is, as its server counts; 0 where it does not count."""
    text = str(body["metadata"].get("resourceVersion") or "")
    return int(text) if text.isdecimal() else 0


def rest_s(failures: int, error: QuarterdeckError) -> float:
    """How long to wait before the next try: longer each time, never all at once, and as long as the server says."""
    if isinstance(error, ApiBusy):
        return error.retry_after_s
    return min(LONGEST_S, BACKOFF_S * 2.0 ** min(failures - 1, 8)) * random.uniform(0.5, 1.0)
