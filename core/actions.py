"""What a driver may be told to do next. `core.decide` chooses; nothing here does anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from core import events as ev
from core.model import Slot, Version


@dataclass(frozen=True, slots=True)
class Begin:
    """Mark a step as begun and, where it computes, start it."""

    index: int


@dataclass(frozen=True, slots=True)
class Run:
    """Do what a step computes; its task reports."""

    index: int


@dataclass(frozen=True, slots=True)
class Place:
    """Take a slot."""

    slot: Slot
    old: Slot | None
    old_version: Version | None
    old_replicas: int


@dataclass(frozen=True, slots=True)
class Apply:
    """Ask the target for replicas. `index` None: on the way back or forward."""

    slot: Slot
    version: Version
    replicas: int
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Ask the target for weights. `index` None: on the way back or forward."""

    weights: Mapping[Slot, float]
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """Write facts down, and nothing else."""

    facts: tuple[ev.Body, ...]


@dataclass(frozen=True, slots=True)
class Realias:
    """Let the registry's aliases follow the traffic; `back` to what they were."""

    back: bool


@dataclass(frozen=True, slots=True)
class Drop:
    """Ask the target to drain a slot and let it go."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Finish:
    """The release is over."""

    outcome: ev.Outcome
    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before something happens or `until` comes."""

    for_: str
    until: float | None = None


Action: TypeAlias = Begin | Run | Place | Apply | Route | Say | Realias | Drop | Finish | Wait
