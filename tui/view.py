"""What the panels look at: one snapshot, one endpoint of it, one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.domain.model import Series, Slot
from core.state import events as ev
from core.state.snapshot import Endpoint, LogLine, Release, Snapshot

KEEP_S, STEP_S = 900.0, 5.0


@dataclass(frozen=True, slots=True)
class Point:
    """How many replicas a slot had ready from a moment on."""

    at: float
    slot: Slot
    ready: int


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The replicas of each endpoint over time, which a snapshot does not keep."""

    points: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)

    def plus(self, event: ev.Event) -> "History":
        """With what an event says of replicas; the same history when it says nothing new."""
        if not isinstance(event.body, ev.Observed):
            return self
        seen = event.body.observation
        before = self.points.get(event.body.endpoint, ())
        last = next((p for p in reversed(before) if p.slot == seen.slot), None)
        if last is not None and last.ready == seen.ready:
            return self
        # The newest point from before the cut stays: it says what was true at the left edge.
        kept = tuple(p for p in before if p.at > event.at - KEEP_S or p is last)
        return History({**self.points, event.body.endpoint: (*kept, Point(event.at, seen.slot, seen.ready))})


NO_POINTS: tuple[Point, ...] = ()
NO_SERIES = Series()


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A snapshot as the deck shows it. `asked_at` is when the last key went down."""

    snapshot: Snapshot
    history: History
    name: str | None
    now: float
    read_only: bool = False
    lost: str = ""
    lead: str = ""

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint that the deck shows."""
        return self.snapshot.endpoints.get(self.name or "")

    @property
    def release(self) -> Release | None:
        """Its newest release."""
        return self.snapshot.release_of(self.name) if self.name else None

    @property
    def points(self) -> tuple[Point, ...]:
        """Its replicas over time."""
        return self.history.points.get(self.name or "", NO_POINTS)

    @property
    def log(self) -> tuple[LogLine, ...]:
        """What was said, of all endpoints."""
        return self.snapshot.log

    def series(self, slot: Slot | None) -> Series:
        """The samples of a slot; of the load for None."""
        return self.snapshot.series.get((self.name or "", slot), NO_SERIES)

    @property
    def end(self) -> float:
        """The right edge of all charts: the newest sample or look; while none comes, now in steps of 5 s."""
        newest = [0.0] + [
            last.at for (name, _), s in self.snapshot.series.items() if name == self.name and (last := s.last)
        ]
        looks = [scaled.at for scaled in self.endpoint.scaled.values()] if self.endpoint else []
        return max(*newest, *looks, (self.now - STEP_S) // STEP_S * STEP_S)


def chosen(snapshot: Snapshot) -> str | None:
    """The endpoint to show first: one with a live release, else that of the newest release, else any."""
    releases = list(snapshot.releases.values())[::-1]
    newest = next((release for release in releases if release.live), releases[0] if releases else None)
    return newest.endpoint if newest is not None else next(iter(snapshot.endpoints), None)
