"""What is true after all that happened; `core.state.fold` alone makes it, out of events.

A snapshot shares with the one before it everything that an event did not touch, so that a reader compares
identity to know what to draw again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from core.domain.model import Slot
from core.domain.sample import Series
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.measured import Measured
from core.state.release import Release

KEEP_LINES = 500
KEEP_RELEASES = 200
"""So many of the newest releases a snapshot holds at least; up to twice as many before older ones go."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log pane. `source` is what it is about."""

    seq: int
    at: float
    who: str
    endpoint: str
    source: str
    text: str
    level: str = "info"


SeriesKey: TypeAlias = tuple[str, Slot | None]


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything that is true at `at`. `series` is keyed by endpoint and slot; slot None is the load's own.

    `measured` is what the hold under way at an endpoint has to judge by.
    """

    seq: int = 0
    at: float = 0.0
    releases: Mapping[str, Release] = field(default_factory=dict)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    series: Mapping[SeriesKey, Series] = field(default_factory=dict)
    log: tuple[LogLine, ...] = ()
    measured: Mapping[str, Measured] = field(default_factory=dict)

    def endpoint(self, name: str) -> Endpoint:
        """An endpoint, also one that nothing is known of yet."""
        return self.endpoints.get(name) or Endpoint(name)

    def release_of(self, endpoint: str) -> Release | None:
        """The endpoint's release that is going somewhere or, when none is, the one that ended last in the journal."""
        mine = [release for release in self.releases.values() if release.endpoint == endpoint]
        return max(mine, key=lambda release: (release.live, release.ended_seq, release.began_seq), default=None)

    def live_release(self, endpoint: str) -> Release | None:
        """The endpoint's release that is still going somewhere."""
        release = self.release_of(endpoint)
        return release if release is not None and release.live else None


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A snapshot as it is kept: without its series, and without its releases, which are kept one by one."""

    seq: int
    at: float
    endpoints: Mapping[str, Endpoint]
    log: tuple[LogLine, ...]
    measured: Mapping[str, Measured]


def at_hand(releases: Mapping[str, Release]) -> Mapping[str, Release]:
    """The releases that matter: the newest, what is under way, and what a way back may be asked of."""
    if len(releases) <= 2 * KEEP_RELEASES:
        return releases
    needed = set(list(releases)[-KEEP_RELEASES:])
    newest: dict[tuple[str, bool], Release] = {}
    for release in releases.values():
        if release.live:
            needed.add(release.id)
        for key in ((release.endpoint, False), (release.endpoint, release.outcome is ev.Outcome.DONE)):
            if key not in newest or release.ended_seq > newest[key].ended_seq:
                newest[key] = release
    needed |= {release.id for release in newest.values()}
    return {name: release for name, release in releases.items() if name in needed}
