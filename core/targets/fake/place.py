"""The place that a `FakeTarget` changes: an endpoint in memory, where a test writes what goes wrong.

A change lands in parts, as a real one does: the old version is still ready for a while, replicas come one by one,
and weights move slot by slot, a few points off before they are right.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import sleep
from typing import Literal, TypeAlias

from core.domain.errors import QuarterdeckError, Refused, Unreachable
from core.domain.model import Level, Noted, Observation, Replica, ReplicaState, Slot, Sticky, Synced, Version
from core.targets.checks import check_apply, check_remove, check_scale, check_sticky, check_weights
from core.targets.protocol import Report

Verb: TypeAlias = Literal["apply", "scale", "route", "remove"]


@dataclass(frozen=True, slots=True)
class Delays:
    """How long it takes, in seconds, until a call is accepted and until what was asked for is true.

    `part_s` lies between the parts of one change.
    """

    accept_s: float = 0.0
    part_s: float = 0.0
    ready_s: float = 0.0
    route_s: float = 0.0
    remove_s: float = 0.0
    heal_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """One change that somebody asked for, whatever became of it."""

    verb: Verb
    slot: Slot | None = None
    version: Version | None = None
    replicas: int | None = None
    weights: Mapping[Slot, float] = field(default_factory=dict)
    mirror: Mapping[Slot, float] = field(default_factory=dict)
    sticky: Sticky | None = None
    token: int = 0


@dataclass(slots=True)
class Subscription:
    """One watch or log that is being read: its loop and what it has not read yet."""

    loop: asyncio.AbstractEventLoop
    queue: "asyncio.Queue[Report | str | None]"

    def put(self, item: Report | str | None) -> None:
        """Hand over from any thread; a loop that has ended wants nothing more."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.queue.put_nowait, item)


class FakePlace:
    """What stands outside, shared by every `FakeTarget` over it."""

    def __init__(self, delays: Delays | None = None, url: str = "http://127.0.0.1:1") -> None:
        self.delays = delays or Delays()
        self.url = url
        self.asked: list[Call] = []
        self.slots: dict[Slot, Observation] = {}
        self.misses_by = 0.0
        self.silent = False
        self.lines: dict[Slot, list[tuple[str, str]]] = {}
        self._errors: dict[Verb, list[tuple[QuarterdeckError, bool]]] = {}
        self._stalled: set[Verb] = set()
        self._broken: dict[Slot, str] = {}
        self._token = 0
        self._lock = threading.RLock()
        self._watchers: list[Subscription] = []
        self._readers: list[tuple[Slot, str, Subscription]] = []

    # What a test writes beforehand

    def fail(self, verb: Verb, error: QuarterdeckError, times: int = 1, *, landed: bool = False) -> None:
        """The next `times` calls of a verb raise; `landed` says whether the change happens all the same."""
        self._errors.setdefault(verb, []).extend([(error, landed)] * times)

    def mend(self, verb: Verb) -> None:
        """No further call of a verb raises."""
        self._errors.pop(verb, None)

    def refuse(self, verb: Verb, why: str = "not now") -> None:
        """The next call of a verb is refused."""
        self.fail(verb, Refused(why))

    def unreachable(self, verb: Verb, times: int = 1, *, landed: bool = False) -> None:
        """The next calls of a verb get no answer."""
        self.fail(verb, Unreachable(f"{verb}: no answer from the fake place"), times, landed=landed)

    def stall(self, verb: Verb, *, on: bool = True) -> None:
        """Accept a verb and never land it, until it is switched off."""
        (self._stalled.add if on else self._stalled.discard)(verb)

    def miss(self, points: float) -> None:
        """From now on a share of the traffic that is asked for ends so many points off."""
        self.misses_by = points

    def keep_silent(self, *, on: bool = True) -> None:
        """A watch that begins from now on tells nothing, not even that it has told all."""
        self.silent = on

    def never_ready(self, slot: Slot, why: str = "not ready after 30 s") -> None:
        """Replicas of a slot die before they are ready."""
        self._broken[slot] = why

    # What a test makes happen

    def push(self, report: Report) -> None:
        """Publish anything: samples, a look of an autoscaler, a note. An observation becomes what is true."""
        with self._lock:
            if isinstance(report, Observation):
                self.slots[report.slot] = report
            for follower in self._watchers:
                follower.put(report)

    def kill(self, slot: Slot, why: str = "exit code -9") -> None:
        """One replica of a slot dies, and is replaced after `heal_s`."""
        with self._lock:
            seen = self.slots[slot]
            self.push(Noted(f"{slot}: a replica died ({why})", Level.WARNING, slot, "fake"))
            self.push(with_ready(seen, max(0, seen.ready - 1), why))
        later(self.delays.heal_s, lambda: self._ready(slot))

    def say(self, slot: Slot, replica: str, line: str) -> None:
        """A replica writes a line to its log."""
        with self._lock:
            self.lines.setdefault(slot, []).append((replica, line))
            for place, name, follower in self._readers:
                if place == slot and name in ("", replica):
                    follower.put(line)

    # What a target does here, in a thread

    def land(self, asked: Call) -> None:
        """Take a change: raise what was written beforehand, else let it happen."""
        with self._lock:
            self.asked.append(asked)
        sleep(self.delays.accept_s)
        with self._lock:
            if asked.token < self._token:
                raise Refused(f"{asked.verb}: driver {asked.token} was followed by driver {self._token}")
            self._token = asked.token
            planned = self._errors.get(asked.verb)
            error, landed = planned.pop(0) if planned else (None, True)
            if landed:
                self._check(asked)
                if asked.verb not in self._stalled:
                    self._start(asked)
            if error is not None:
                raise error

    def _check(self, asked: Call) -> None:
        slot = asked.slot or ""
        if asked.verb == "apply":
            check_apply(slot, asked.replicas or 0)
        elif asked.verb == "scale":
            check_scale(slot, asked.replicas or 0, self.slots)
        elif asked.verb == "remove":
            mirrored = {name: seen.mirror for name, seen in self.slots.items() if seen.mirror}
            check_remove(slot, {name: seen.weight for name, seen in self.slots.items()}, mirrored)
        else:
            held = [name for name, seen in self.slots.items() if seen.version is not None]
            check_weights(asked.weights, asked.mirror, held)
            check_sticky(asked.sticky)

    def _start(self, asked: Call) -> None:
        slot = asked.slot or ""
        if asked.verb == "apply" and asked.version is not None:
            self._take(slot, asked.version, asked.replicas or 0)
        elif asked.verb == "scale" and (version := self.slots[slot].version) is not None:
            self._take(slot, version, asked.replicas or 0)
        elif asked.verb == "route":
            later(self.delays.route_s, lambda: self._shift(asked.weights, asked.mirror))
        elif slot in self.slots:
            later(self.delays.remove_s, lambda: self._gone(slot))

    def _take(self, slot: Slot, version: Version, wanted: int) -> None:
        """A wish for replicas: what was there stays ready until the new version has begun."""
        seen = self.slots.get(slot)
        if seen is None:
            self.push(with_ready(Observation(slot, version, wanted, 0, 0.0), 0))
        elif seen.version == version:
            changed = with_ready(replace(seen, wanted=wanted, why=""), min(seen.ready, wanted))
            if changed != seen:
                self.push(changed)
        else:
            self.push(with_ready(replace(seen, wanted=wanted, why=""), seen.ready))
            later(self.delays.part_s, lambda: self._turn(slot, version, wanted))
        later(self.delays.ready_s + self.delays.part_s, lambda: self._ready(slot))

    def _turn(self, slot: Slot, version: Version, wanted: int) -> None:
        """The old version's replicas are gone; the new one has none ready yet."""
        with self._lock:
            if slot in self.slots:
                self.push(with_ready(replace(self.slots[slot], version=version, wanted=wanted), 0))

    def _ready(self, slot: Slot) -> None:
        """One replica more is ready, until all are."""
        with self._lock:
            seen = self.slots.get(slot)
            if seen is None or seen.version is None:
                return
            why = self._broken.get(slot, "")
            if why and seen.ready < seen.wanted:
                self.push(Noted(f"{slot}: {why}", Level.ERROR, slot, "fake"))
                self.push(with_ready(seen, seen.ready, why, ReplicaState.DEAD))
            elif not why and seen.ready < seen.wanted:
                self.push(with_ready(replace(seen, why=""), seen.ready + 1))
                later(self.delays.part_s, lambda: self._ready(slot))
            elif not why and (seen.ready != seen.wanted or seen.why):
                self.push(with_ready(replace(seen, why=""), seen.wanted))

    def _shift(self, weights: Mapping[Slot, float], mirror: Mapping[Slot, float]) -> None:
        """A route in force: first some points off, then as it was asked for, or as near as this place comes."""
        self._move(weights, {}, 5.0)
        later(self.delays.part_s, lambda: self._move(weights, mirror, self.misses_by))

    def _move(self, weights: Mapping[Slot, float], mirror: Mapping[Slot, float], off: float) -> None:
        shares = {slot: float(weight) for slot, weight in weights.items() if weight > 0}
        if off and len(shares) > 1:
            first, *_, last = sorted(shares, key=lambda slot: shares[slot])
            shares[first], shares[last] = shares[first] + off, shares[last] - off
        with self._lock:
            for slot, seen in list(self.slots.items()):
                weight, copied = shares.get(slot, 0.0), float(mirror.get(slot, 0.0))
                if seen.version is not None and (weight > 0 or (weight, copied) != (seen.weight, seen.mirror)):
                    self.push(replace(seen, weight=weight, mirror=copied, proved_by=20 if weight else 0))

    def _gone(self, slot: Slot) -> None:
        with self._lock:
            if self.slots.pop(slot, None) is not None:
                for follower in self._watchers:
                    follower.put(Observation(slot, None, 0, 0, 0.0))

    # Who reads along

    def follow(self) -> Subscription:
        """A watch that starts with all that is true."""
        with self._lock:
            follower = Subscription(asyncio.get_running_loop(), asyncio.Queue())
            for seen in () if self.silent else self.slots.values():
                follower.queue.put_nowait(seen)
            if not self.silent:
                follower.queue.put_nowait(Synced(tuple(self.slots)))
            self._watchers.append(follower)
            return follower

    def read(self, slot: Slot, replica: str, lines: int) -> Subscription:
        """A log that starts with the last lines."""
        with self._lock:
            follower = Subscription(asyncio.get_running_loop(), asyncio.Queue())
            old = [line for name, line in self.lines.get(slot, []) if replica in ("", name)]
            for line in old[len(old) - lines if lines < len(old) else 0 :]:
                follower.queue.put_nowait(line)
            self._readers.append((slot, replica, follower))
            return follower

    def leave(self, follower: Subscription) -> None:
        """Somebody has stopped reading."""
        with self._lock:
            self._watchers = [one for one in self._watchers if one is not follower]
            self._readers = [one for one in self._readers if one[2] is not follower]


def with_ready(
    seen: Observation, ready: int, why: str = "", state: ReplicaState = ReplicaState.STARTING
) -> Observation:
    """An observation with `ready` ready replicas, the others in `state` for a reason."""
    replicas = tuple(
        Replica(f"{seen.slot}-{n}", ReplicaState.READY) if n <= ready else Replica(f"{seen.slot}-{n}", state, why=why)
        for n in range(1, max(seen.wanted, ready) + 1)
    )
    return replace(seen, ready=ready, replicas=replicas, why=why)


def later(seconds: float, act: Callable[[], None]) -> None:
    """Do it in a thread after a while; at once, in this one, without a delay."""
    if seconds <= 0:
        act()
        return
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
