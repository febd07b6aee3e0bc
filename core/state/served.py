"""Which version had which share of the traffic at a moment, out of decisions alone. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from core.domain.model import Slot, Version
from core.state import events as ev


@dataclass(frozen=True, slots=True)
class ServedShare:
    """One slot of an endpoint. `version` None: nobody wrote down which it was."""

    slot: Slot
    version: Version | None
    percent: float


@dataclass(frozen=True, slots=True)
class ServedTraffic:
    """An endpoint's traffic since a moment, in seconds since the epoch. `proved`: answers showed it."""

    endpoint: str
    environment: str
    since: float
    by: str
    release: str | None
    proved: bool
    shares: tuple[ServedShare, ...]


@dataclass(frozen=True, slots=True)
class _Moved:
    weights: Mapping[Slot, float]
    at: float
    who: str
    release: str | None
    proved: bool


class TrafficLog:
    """Takes decisions in order; `now` tells what they come to."""

    def __init__(self) -> None:
        self.first_at: float | None = None
        self._endpoints: dict[str, str] = {}
        self._environments: dict[str, str] = {}
        self._versions: dict[str, Version] = {}
        self._slots: dict[tuple[str, Slot], Version | str | None] = {}
        self._traffic: dict[str, _Moved] = {}
        self._asked_by: dict[str, str] = {}

    def add(self, event: ev.Event) -> None:
        """One more decision."""
        match event.body:
            case ev.Began(release=release, endpoint=endpoint, environment=environment):
                self._endpoints[release], self._environments[endpoint] = endpoint, environment
                self._asked_by[release] = event.who
            case ev.TurnedBack(release=release) | ev.TurnedForward(release=release):
                self._asked_by[release] = event.who
            case ev.Chose(release=release, version=version):
                self._versions[release] = version
            case ev.Placed(release=release, slot=slot, old=old, old_version=before):
                endpoint = self._endpoints.get(release, "")
                self._slots[endpoint, slot] = release
                if old is not None and not isinstance(self._slots.get((endpoint, old)), str):
                    self._slots[endpoint, old] = before
            case ev.Routed() | ev.Verified() as moved:
                self._moved(moved, event)
            case _:
                pass

    def _moved(self, body: ev.Routed | ev.Verified, event: ev.Event) -> None:
        """Traffic was asked for or proved; what is proved was so since it was asked for."""
        if self.first_at is None and body.weights:
            self.first_at = event.at
        proved, before = isinstance(body, ev.Verified), self._traffic.get(body.endpoint)
        if before is not None and dict(before.weights) == dict(body.weights):
            self._traffic[body.endpoint] = replace(before, proved=before.proved or proved)
        else:
            self._traffic[body.endpoint] = _Moved(body.weights, event.at, event.who, body.release, proved)

    def now(self) -> tuple[ServedTraffic, ...]:
        """All endpoints after what came so far."""
        return tuple(self._told(name, found) for name, found in sorted(self._traffic.items()))

    def _told(self, name: str, moved: "_Moved") -> ServedTraffic:
        by = self._asked_by.get(moved.release or "", moved.who)
        shares = tuple(
            ServedShare(slot, self._version(name, slot), weight)
            for slot, weight in sorted(moved.weights.items(), key=lambda one: -one[1])
            if weight > 0
        )
        environment = self._environments.get(name, "")
        return ServedTraffic(name, environment, moved.at, by, moved.release, moved.proved, shares)

    def _version(self, name: str, slot: Slot) -> Version | None:
        known = self._slots.get((name, slot))
        return self._versions.get(known) if isinstance(known, str) else known


def served_at(decisions: Iterable[ev.Event], at: float) -> TrafficLog:
    """What the decisions up to a moment come to."""
    log = TrafficLog()
    for event in decisions:
        if event.at <= at:
            log.add(event)
        elif log.first_at is None:
            # Nothing was served yet then: when it began is worth saying.
            log.add(event)
            if log.first_at is not None:
                break
        else:
            break
    return log
