"""What an engine needs around one endpoint: a target, a place for work, load, smoke tests and a report."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.domain.load_profile import LoadProfile, LoadSource
from core.domain.model import Version
from core.domain.sources import MetricSource, SourceAnswer
from core.load.load import RunningLoad
from core.state.release import Release
from core.state.snapshot import Snapshot
from core.targets.protocol import Address, Target
from core.work.job import Done, OutputLine, Progress


@dataclass(frozen=True, slots=True)
class Aliases:
    """What the registry calls the version that serves here, and the one before."""

    current: str
    previous: str


class Environment(Protocol):
    """Everything outside the engine that one endpoint needs. One driver holds it at a time."""

    endpoint: str
    environment: str
    production: bool
    kind: str
    aliases: Aliases
    background: LoadProfile | None

    def target(self, token: int) -> Target:
        """The endpoint's target, for the driver with this token."""
        ...

    def lacks(self) -> str:
        """Which variable that it was made with names a file that is gone, in words; empty where none does."""
        ...

    def outdated(self) -> bool:
        """Whether other variables were kept for it since it was made."""
        ...

    def warm(self) -> None:
        """Somebody will want work soon."""
        ...

    def work(
        self, release: Release, name: str, options: Mapping[str, object]
    ) -> AsyncIterator[Progress | OutputLine | Done]:
        """Do one piece of work for a release; raises Failed, BadInput, BadData."""
        ...

    async def cancel_work(self, wanted: bool = False) -> None:
        """End the work that is under way, at once. What is still `wanted`, by the driver after this one, may go on
        elsewhere, though not here."""
        ...

    async def load(
        self,
        profile: LoadProfile,
        kind: str,
        address: Address,
        version: Version | None,
        source: LoadSource,
        live: Version | None = None,
    ) -> RunningLoad:
        """Load that has begun, also as callers of `live` send it; raises BadInput, Failed, Unreachable."""
        ...

    async def gauge(self, source: MetricSource) -> SourceAnswer:
        """A figure that is measured elsewhere; raises QuarterdeckError where it could not be."""
        ...

    async def smoke(self, release: Release, address: Address, checks: int) -> str:
        """Try the new slot, and say how well in one figure; raises Failed."""
        ...

    async def report(self, snapshot: Snapshot, release: Release) -> Path:
        """Write the run folder and tell where it lies; raises Failed."""
        ...

    async def close(self) -> None:
        """End every child."""
        ...
