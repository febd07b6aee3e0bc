"""The nouns: what is served, where and how much of it, and what is said of that. Frozen; nothing here does anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from core.domain.obstacles import Obstacle

Slot: TypeAlias = str
"""One of the places of an endpoint that can hold a version: `blue` or `green` where the target lets us choose."""


@dataclass(frozen=True, slots=True)
class Version:
    """What the registry calls this model. `uri` is where it can be loaded from, `digest` its data's."""

    model: str
    number: str
    run_id: str = ""
    uri: str = ""
    digest: str = ""

    @property
    def label(self) -> str:
        """As people say it: `v7`."""
        return f"v{self.number}"

    @property
    def full(self) -> str:
        """With its model: `late v7`."""
        return f"{self.model} {self.label}"

    def older_than(self, other: "Version") -> bool:
        """Whether it was registered before another of the same model, as far as their numbers say."""
        numbers = (self.number, other.number)
        return self.model == other.model and all(n.isdecimal() for n in numbers) and int(numbers[0]) < int(numbers[1])


class ReplicaState(StrEnum):
    """What one replica is doing. A `pending` one waits for a machine that takes it."""

    PENDING = "pending"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    BACKOFF = "backoff"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Replica:
    """One process (or pod) of a slot. `cpu_m` is in thousandths of a core; `why` says what is wrong, if anything.

    Without `told` the place says nothing of each one: its restarts, cpu and memory are not known.
    `node` is the machine that it is on and `since` when it was made, in seconds since the epoch; both only where the
    place has more than one machine.
    """

    name: str
    state: ReplicaState
    cpu_m: float | None = None
    memory_mb: float | None = None
    restarts: int = 0
    why: str = ""
    node: str = ""
    since: float | None = None
    told: bool = True


@dataclass(frozen=True, slots=True)
class Observation:
    """What is true of one slot of an endpoint, now. `weight` is in percent, as the router applies it.

    `mirror` is how many percent of the requests are copied to it; nobody gets its answers to those. `proved_by`
    counts the answers that showed the weight in force. A slot that is gone has no version. `costs` is what is paid for
    it an hour, in few words; empty where that is nothing, or known to nobody. `held`: so many replicas it has for as
    long as they are its share of the traffic; 0 where it has as many as are wanted. `given_up` names the attempt that
    failed where the place makes no other by itself; empty while it goes on or may.
    """

    slot: Slot
    version: Version | None
    wanted: int
    ready: int
    weight: float
    replicas: tuple[Replica, ...] = ()
    proved_by: int = 0
    why: str = ""
    mirror: float = 0.0
    costs: str = ""
    held: int = 0
    given_up: str = ""

    @property
    def due(self) -> int:
        """So many replicas it should have now."""
        return self.held or self.wanted


class StickyBy(StrEnum):
    """Where callers say who they are."""

    HEADER = "header"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class Sticky:
    """What keeps a caller on one side of a split: a header or a cookie of theirs. Who sends none is split by chance."""

    by: StickyBy
    name: str


@dataclass(frozen=True, slots=True)
class OtherDriver:
    """Who of another machine has an endpoint, since when (seconds since the epoch); nobody where `by` is empty.

    `release` is under way there, `weights` are what was asked for last, in percent. `took` is the release of this
    driver that was under way when it was followed.
    """

    by: str = ""
    since: float = 0.0
    release: str = ""
    weights: Mapping[Slot, float] = field(default_factory=dict)
    took: str = ""


@dataclass(frozen=True, slots=True)
class Synced:
    """A watch has told everything that is true: these slots and no others. Kubernetes calls it HasSynced."""

    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """When a place was last heard of, in seconds since the epoch, and `lost`: why nothing was since, where that is
    long. Places that say so at rest too say it every few seconds, or every `every_s` where that is longer.

    `counts`: it counts what users are answered; else only what comes through here is counted.
    `account` is as whom a place knows whoever drives there, where that says which place it is.
    `doing` goes on there with the endpoint as a whole since `doing_at`; `usual` is how long that takes, and why."""

    at: float
    lost: str = ""
    account: str = ""
    every_s: float = 0.0
    counts: bool = True
    doing: str = ""
    doing_at: float = 0.0
    usual: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of an autoscaler beside its target, both in percent of the request; `value` None: not measured."""

    name: str
    value: float | None
    target: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """One look of an autoscaler, also when it changed nothing; `reason` is in words.

    `proposed` is what the readings alone ask for, None where none was measured; `obstacles` are why it is not so.
    """

    slot: Slot
    at: float
    before: int
    after: int
    reason: str
    readings: tuple[Reading, ...] = ()
    min: int = 1
    max: int = 1
    next_look_s: float = 15.0
    fast: bool = False
    proposed: int | None = None
    obstacles: tuple[Obstacle, ...] = ()


class Level(StrEnum):
    """How loud a note is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Noted:
    """Something a target did or saw by itself, in words: a replica died, the router came back."""

    text: str
    level: Level = Level.INFO
    slot: Slot | None = None
    source: str = ""
