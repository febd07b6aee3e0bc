"""What the deck remembers of events that a snapshot does not keep: replicas over time, and who was heard when."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.domain.model import Contact, Observation, Slot
from core.domain.sample import Sample
from core.state import events as ev
from core.state.snapshot import Snapshot

KEEP_S = 3600.0
_STATUS = re.compile(r"(?:HTTP )?[1-5]\d\d\b")
"""The kind of a failure that was an answer with a status: `503` of a router, `HTTP 503` of a load."""
UNWATCHED_S = 30.0
"""A target that said nothing for so long was not watched: even one at rest says more often how it is."""


@dataclass(frozen=True, slots=True)
class Point:
    """How many replicas a slot had ready from a moment on."""

    at: float
    slot: Slot
    ready: int


@dataclass(frozen=True, slots=True)
class Silence:
    """A stretch of time that nobody watched, in seconds since the epoch."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """By endpoint, unless it says otherwise; all moments in seconds since the epoch.

    `heard`: when its target last said something. `answered`: when a slot, or the load (None), last counted an
    answer. `sending`: since when load is asked for without a break; for ever while it has no users. `paused` is by
    release.
    """

    points: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    silences: Mapping[str, tuple[Silence, ...]] = field(default_factory=dict)
    heard: Mapping[str, float] = field(default_factory=dict)
    answered: Mapping[tuple[str, Slot | None], float] = field(default_factory=dict)
    sending: Mapping[str, float] = field(default_factory=dict)
    paused: Mapping[str, float] = field(default_factory=dict)
    driven: Mapping[str, float] = field(default_factory=dict)

    def plus(self, event: ev.Event) -> "History":
        """With what an event adds; the same history when it adds nothing."""
        at, body = event.at, event.body
        match body:
            case ev.Carried(snapshot=Snapshot() as snapshot):
                return _carried(snapshot)
            case ev.Observed(endpoint=name, observation=seen):
                known = self._heard(name, at)
                return replace(known, points=_with(self.points, name, seen, at))
            case ev.Sampled(endpoint=name, sample=sample):
                known = self if sample.slot is None else self._heard(name, at)
                if not answers(sample):
                    return known
                return replace(known, answered={**known.answered, (name, sample.slot): answered_at(sample)})
            case ev.Looked(endpoint=name) | ev.Remarked(endpoint=name) | ev.Verified(endpoint=name):
                return self._heard(name, at)
            case ev.UsageSeen(endpoint=name) | ev.Contacted(endpoint=name, contact=Contact(lost="")):
                return self._heard(name, at)
            case ev.LoadStarted(endpoint=name) | ev.LoadWanted(endpoint=name, paused=False):
                return replace(self, sending={**self.sending, name: at})
            case ev.LoadWanted(endpoint=name, users=0):
                return replace(self, sending={**self.sending, name: math.inf})
            case ev.LoadWanted(endpoint=name, users=int()) if self.sending.get(name) == math.inf:
                return replace(self, sending={**self.sending, name: at})
            case ev.Paused(release=id_):
                return replace(self, paused={**self.paused, id_: at})
            case ev.Drove(endpoint=name):
                return replace(self, driven={**self.driven, name: at})
            case _:
                return self

    def _heard(self, name: str, at: float) -> "History":
        before = self.heard.get(name)
        heard = {**self.heard, name: at}
        if before is None or at - before <= UNWATCHED_S:
            return replace(self, heard=heard)
        kept = [silence for silence in self.silences.get(name, ()) if silence.end > at - KEEP_S]
        return replace(self, heard=heard, silences={**self.silences, name: (*kept, Silence(before, at))})


def _with(
    points: Mapping[str, tuple[Point, ...]], name: str, seen: Observation, at: float
) -> Mapping[str, tuple[Point, ...]]:
    """Replicas over time, with one look more; the same where it saw no change."""
    before = points.get(name, ())
    newest = {point.slot: point for point in before}
    last = newest.get(seen.slot)
    if last is not None and last.ready == seen.ready:
        return points
    # The newest point of each slot stays: it says what was true at the left edge.
    kept = tuple(point for point in before if point.at > at - KEEP_S or newest[point.slot] is point)
    return {**points, name: (*kept, Point(at, seen.slot, seen.ready))}


def _carried(known: Snapshot) -> History:
    """What a snapshot still tells of what came before it."""
    heard: dict[str, float] = {}
    for name, endpoint in known.endpoints.items():
        looks = [scaled.at for scaled in endpoint.scaled.values()]
        last = [one.last.at for (of, slot), one in known.series.items() if of == name and slot and one.last]
        said = [*looks, *last, *([endpoint.verified_at] if endpoint.verified_at else [])]
        said += [endpoint.contact.at] if endpoint.contact is not None else []
        heard |= {name: max(said)} if said else {}
    counted = {
        key: next((answered_at(one) for one in reversed(series.samples) if answers(one)), 0.0)
        for key, series in known.series.items()
    }
    points = {
        name: tuple(Point(known.at, seen.slot, seen.ready) for seen in endpoint.slots.values())
        for name, endpoint in known.endpoints.items()
    }
    return History(points=points, heard=heard, answered=counted)


def answers(sample: Sample) -> bool:
    """Whether something answered a user in a sample, good or bad; what was given up or could not connect is no answer,
    and nobody gets the answer to a copy."""
    return not sample.mirrored and (
        sample.quiet_s is not None
        or sample.ok > 0
        or any(sample.refused.values())
        or any(map(_STATUS.match, sample.failed))
    )


def answered_at(sample: Sample) -> float:
    """When the last answer of a sample came, in seconds since the epoch; its end where nobody kept that moment."""
    return sample.at - (sample.quiet_s or 0.0)
