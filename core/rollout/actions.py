"""What a driver may be told to do next. `core.rollout.decide` chooses; nothing here does anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from core.domain.model import Slot, Sticky, Version
from core.state import events as ev


@dataclass(frozen=True, slots=True)
class StartStep:
    """Mark a step as begun and, where it computes, start it."""

    index: int


@dataclass(frozen=True, slots=True)
class RunStep:
    """Do what a step computes; its task reports."""

    index: int


@dataclass(frozen=True, slots=True)
class ChooseSlot:
    """Take a slot."""

    slot: Slot
    old: Slot | None
    old_version: Version | None
    old_replicas: int


@dataclass(frozen=True, slots=True)
class Apply:
    """Ask the target for replicas. `index` None: on the way back or forward.

    `waits` False: whatever comes next does not wait until the target has accepted it.
    """

    slot: Slot
    version: Version
    replicas: int
    index: int | None = None
    waits: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """Ask the target for weights, and for a copy of so many percent of the requests to a slot without any.

    `sticky` keeps each caller on one side. `index` None: on the way back or forward.
    """

    weights: Mapping[Slot, float]
    index: int | None = None
    mirror: Mapping[Slot, float] = field(default_factory=dict)
    sticky: Sticky | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Write facts down, and nothing else."""

    facts: tuple[ev.Body, ...]


@dataclass(frozen=True, slots=True)
class MoveAliases:
    """Let the registry's aliases follow the traffic; `back` to what they were."""

    back: bool


@dataclass(frozen=True, slots=True)
class RemoveSlot:
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


Action: TypeAlias = StartStep | RunStep | ChooseSlot | Apply | Route | Record | MoveAliases | RemoveSlot | Finish | Wait
