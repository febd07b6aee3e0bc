"""What an API server has of an endpoint, kept up to date by list and watch. It only reports; it changes nothing.

Each kind of object has a follower. A watch that lives does not prove that the server can be reached, so somebody asks
for a sign of life as well.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from core.domain.errors import QuarterdeckError
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.following import KindFollower
from core.targets.kubernetes.paths import ApiKind

BEAT_S, STALE_S = 3.0, 10.0
"""So often somebody asks for a sign of life, and after so long without one what is known is called old."""

Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What was heard: objects by plural and name. `silent_s` ago the cluster was heard; `stale_s` is the same
    where that is long, else 0."""

    objects: Mapping[Key, Json] = field(default_factory=dict)
    stale_s: float = 0.0
    silent_s: float = 0.0
    trouble: str = ""
    _sorted: dict[str, list[Json]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def get(self, kind: ApiKind, name: str) -> Json | None:
        """One object."""
        return self.objects.get((kind.plural, name))

    def all(self, kind: ApiKind) -> list[Json]:
        """All of a kind, the oldest first."""
        if kind.plural not in self._sorted:
            found = [body for (plural, _), body in self.objects.items() if plural == kind.plural]
            self._sorted[kind.plural] = sorted(
                found, key=lambda body: str(body["metadata"].get("creationTimestamp", ""))
            )
        return self._sorted[kind.plural]


class ClusterWatch:
    """Watches some kinds of objects under a label selector, from `start` until `close`.

    `told` is called in threads of this watch after whatever changed; it must not wait. Until every
    kind was listed `error` says why one was not.
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
        chosen = {"labelSelector": selector}
        self._followers = [KindFollower(self, calls, kind, kind.path(namespace), chosen) for kind in kinds]

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
            return ClusterView(dict(self._objects), silent_s if stale else 0.0, silent_s, why)

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


def version(body: Json) -> int:
    """How new an object is, as its server counts; 0 where it does not count."""
    text = str(body["metadata"].get("resourceVersion") or "")
    return int(text) if text.isdecimal() else 0
