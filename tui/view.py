"""What the panels look at: one snapshot, one endpoint of it, one moment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from core.domain.model import Slot
from core.domain.sample import Sample, Series
from core.state.endpoint import Endpoint
from core.state.release import Release
from core.state.snapshot import LogLine, Snapshot
from tui.earlier import NOTHING_EARLIER, Earlier
from tui.history import History, Point, Silence

STEP_S = 5.0
WATCHES = "this deck only watches (--read-only)"
NO_POINTS: tuple[Point, ...] = ()
NO_SILENCES: tuple[Silence, ...] = ()
NO_SERIES = Series()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was asked from this deck and not done, and why."""

    at: float
    why: str


@dataclass(frozen=True, eq=False)
class View:
    """A snapshot as the deck shows it. `now` and the times of events count from the same epoch.

    `watches` says why nothing can be asked where it is `read_only`. `hangs_s`: for how long whoever drives the endpoint
    is there and gives no sign of life; None while it does. `begins`: a release can be begun from here.
    `stretch_s`: how much time the charts show; None for as much as there is. `earlier`: what that needs and no
    snapshot keeps. `drill_s`: how old the last proof of the way back may be; None where nobody says.

    Without slots, so that what costs more with every release that there was is looked up once a view.
    """

    snapshot: Snapshot
    history: History
    name: str | None
    now: float
    read_only: bool = False
    lost: str = ""
    caption: str = ""
    refusals: tuple[Refusal, ...] = field(default=())
    hangs_s: float | None = None
    watches: str = WATCHES
    begins: bool = False
    stretch_s: float | None = None
    earlier: Earlier = NOTHING_EARLIER
    drill_s: float | None = None

    @property
    def elsewhere(self) -> str:
        """Which of its kind the place is, where there are several: a cluster's context and namespace; else empty."""
        return self.endpoint.target.partition(" ")[2] if self.endpoint is not None else ""

    @property
    def account(self) -> str:
        """As whom the place knows who drives there; empty where that is not said."""
        contact = self.endpoint.contact if self.endpoint is not None else None
        return contact.account if contact is not None else ""

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint that the deck shows."""
        return self.snapshot.endpoints.get(self.name or "")

    @cached_property
    def release(self) -> Release | None:
        """Its newest release."""
        return self.snapshot.release_of(self.name) if self.name else None

    @property
    def points(self) -> tuple[Point, ...]:
        """Its replicas over time."""
        return self.history.points.get(self.name or "", NO_POINTS)

    @property
    def silences(self) -> tuple[Silence, ...]:
        """The stretches of time in which nobody watched it."""
        return self.history.silences.get(self.name or "", NO_SILENCES)

    @property
    def heard_at(self) -> float | None:
        """When its target last said something; None if it never did."""
        return self.history.heard.get(self.name or "")

    @property
    def paused_at(self) -> float | None:
        """Since when its release is paused; None when it is not, or nobody knows since when."""
        release = self.release
        return self.history.paused.get(release.id) if release is not None and release.paused else None

    @property
    def driven_since(self) -> float | None:
        """Since when its driver drives it."""
        return self.history.driven.get(self.name or "")

    @property
    def log(self) -> tuple[LogLine, ...]:
        """What was said, of all endpoints."""
        return self.snapshot.log

    def series(self, slot: Slot | None) -> Series:
        """The samples of a slot; of the load for None."""
        return self.snapshot.series.get((self.name or "", slot), NO_SERIES)

    def charted(self, slot: Slot | None) -> Sequence[Sample]:
        """The samples of a slot as far back as the charts go; of the load for None."""
        kept, before = self.series(slot).samples, self.earlier.samples.get((self.name or "", slot), ())
        if self.stretch_s is None or not before:
            return kept
        first = kept[0].at if kept else math.inf
        return (*(sample for sample in before if sample.at < first), *kept)

    @property
    def charts(self) -> tuple[object, ...]:
        """What the time of the charts depends on, beside the moment."""
        return (self.stretch_s, self.earlier)

    @property
    def charted_points(self) -> Sequence[Point]:
        """Its replicas as far back as the charts go."""
        kept, before = self.points, self.earlier.history.points.get(self.name or "", NO_POINTS)
        if self.stretch_s is None or not before:
            return kept
        first = min((point.at for point in kept), default=math.inf)
        return (*(point for point in before if point.at < first), *kept)

    @property
    def charted_silences(self) -> Sequence[Silence]:
        """The time that nobody watched it as far back as the charts go."""
        kept, before = self.silences, self.earlier.history.silences.get(self.name or "", NO_SILENCES)
        first = min((point.at for point in self.points), default=math.inf)
        return kept if self.stretch_s is None else (*(one for one in before if one.end < first), *kept)

    def answered_at(self, slot: Slot | None) -> float:
        """When a slot, or the load for None, last counted an answer; 0 if it never did."""
        return self.history.answered.get((self.name or "", slot), 0.0)

    @cached_property
    def start(self) -> float | None:
        """When there first is something to chart; None where nothing is."""
        known = [s.samples[0].at for (name, _), s in self.snapshot.series.items() if name == self.name and s.samples]
        return min([*known, *(point.at for point in self.points)], default=None)

    @cached_property
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
