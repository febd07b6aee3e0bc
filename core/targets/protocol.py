"""What a place that serves models must be able to do. Only `watch` says what is true."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

from core.domain.model import Contact, Noted, Observation, OtherDriver, Scaled, Slot, Sticky, Synced, Version
from core.domain.sample import Sample

Report: TypeAlias = Observation | Sample | Scaled | Noted | OtherDriver | Synced | Contact


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go. `headers` pin them to a slot whatever its weight is; `key` is a bearer key or empty."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a driver's changes are for: a release that is under way, begun `by` somebody; nothing while none is.

    `asked_at` is when a person asked for its way back or forward, None where it goes on or turned by itself.
    """

    release: str = ""
    by: str = ""
    asked_at: float | None = None


class Target(Protocol):
    """One endpoint in one place. Verbs are idempotent and return on acceptance.

    They raise `Unreachable` when nobody answered, `Refused` when the place says no or a newer driver has
    taken over, `BadInput` when a setting can't work there.
    """

    async def apply(self, slot: Slot, version: Version, replicas: int) -> None:
        """Ask for `replicas` of a version in a slot."""
        ...

    async def scale(self, slot: Slot, replicas: int) -> None:
        """Ask for so many replicas of what a slot holds, no more and no fewer.

        Where an autoscaler looks after it, that goes on from there; `Refused` outside its bounds.
        """
        ...

    async def route(
        self,
        weights: Mapping[Slot, float],
        mirror: Mapping[Slot, float] | None = None,
        sticky: Sticky | None = None,
    ) -> None:
        """Ask for traffic weights in percent (together 100; empty: no traffic).

        `mirror` names a slot without weight that gets a copy of so many percent of the requests, and whose answers
        nobody gets. `sticky` keeps each caller on one side, and on the side whose share grows. A route without them
        ends them.
        """
        ...

    async def remove(self, slot: Slot) -> None:
        """Ask for a slot to drain and go."""
        ...

    def watch(self) -> AsyncIterator[Report]:
        """Everything that is true, then `Synced`, then each change; ends only when closed.

        Whenever it begins anew, all of it comes again, and again `Synced` with the names of all slots there are.
        """
        ...

    def logs(self, slot: Slot, replica: str = "", lines: int = 50) -> AsyncIterator[str]:
        """The last lines that a replica (or all of a slot) wrote, then each new one."""
        ...

    async def address(self, slot: Slot | None = None) -> Address:
        """Where the endpoint answers, or one slot of it alone."""
        ...

    async def close(self) -> None:
        """Let go. What is served goes on."""
        ...


@runtime_checkable
class Recoverable(Protocol):
    """A target whose driver may die with something half done there, which no later call need ever touch."""

    async def recover(self) -> None:
        """End what an earlier driver of this project had begun; nothing where that is done. Raises as the verbs do."""
        ...


@runtime_checkable
class Contended(Protocol):
    """A target that drivers of other machines may take over. Its verbs raise `TakenOver` once one of them has."""

    def stand_for(self, turn: Turn) -> None:
        """What the changes to come are for; returns at once. A new release or a person's word makes a new claim."""
        ...
