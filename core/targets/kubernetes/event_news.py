"""Warnings that a cluster notes about an endpoint's objects, followed in a thread; each is told once for a while."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from core.domain.errors import QuarterdeckError
from core.domain.model import Noted
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.event_messages import noted
from core.targets.kubernetes.following import KindFollower
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.paths import EVENTS, ApiKind

LATER_S = 3.0
"""What moves traffic goes first."""
FRESH_S, AGAIN_S = 60.0, 600.0
"""What was noted longer ago is no news; what was told is told again after so long."""
WARNINGS = {"fieldSelector": "type=Warning"}


class EventNews:
    """Follows until `ended` is set. `tell` is called in its thread. Who may not look at events hears of none."""

    def __init__(
        self, at: ClusterEndpoint, calls: ApiCalls, tell: Callable[[Noted], None], ended: threading.Event
    ) -> None:
        self._at = at
        self._tell = tell
        self._told: dict[str, float] = {}
        self._ended = ended
        self._follower = KindFollower(self, calls, EVENTS, EVENTS.path(at.place.namespace), WARNINGS)

    def start(self) -> None:
        """Begin. The thread never keeps the interpreter from ending."""
        threading.Thread(target=self._run, name="kubernetes events", daemon=True).start()

    def wake(self) -> None:
        """End the connection, so that the thread looks up."""
        self._follower.wake()

    def _run(self) -> None:
        if not self._ended.wait(LATER_S):
            self._follower.run()

    # For the follower

    @property
    def ended(self) -> threading.Event:
        """Set once all is over."""
        return self._ended

    def listed(self, _: ApiKind, bodies: Iterable[Json]) -> None:
        """What was noted before; the newest of it may be news."""
        for body in sorted(bodies, key=last_seen_s):
            if time.time() - last_seen_s(body) < FRESH_S:
                self._news(body)

    def changed(self, _: ApiKind, body: Json, *, gone: bool) -> None:
        """One is new, or was noted once more."""
        if not gone:
            self._news(body)

    def troubled(self, error: QuarterdeckError) -> None:
        """They are said nowhere else, and nothing depends on them."""

    def _news(self, body: Json) -> None:
        note, now_s = noted(self._at, body), time.monotonic()
        if note is None or now_s - self._told.get(note.text, -AGAIN_S) < AGAIN_S:
            return
        self._told = {text: at for text, at in self._told.items() if now_s - at < AGAIN_S} | {note.text: now_s}
        self._tell(note)


def last_seen_s(event: Json) -> float:
    """When it was noted last, in seconds since the epoch: some have one field, some another. 0 where none is a time."""
    said = event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp")
    try:
        return datetime.fromisoformat(str(said)).timestamp()
    except ValueError:
        return 0.0
