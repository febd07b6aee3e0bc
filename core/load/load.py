"""What a load is to those who start, steer and watch it, wherever it runs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.domain.load_profile import LoadOutcome
from core.domain.sample import Sample


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a run came to. `total` counts since its last reset; `artifacts` are the files that there are.

    `how` and `why` say how it ended. `ran_s` is by this process's clock, pauses left out; `wanted_s` None ran until
    it was stopped, or as long as a shape wanted. `exit_code` is Locust's own: a locustfile can set it to say that it
    is not content.
    """

    total: Sample
    ran_s: float
    artifacts: tuple[Path, ...]
    why: str
    how: LoadOutcome
    wanted_s: float | None = None
    exit_code: int = 0


class RunningLoad(Protocol):
    """A load that runs. Asking for what can't be had now raises `Refused`, asking into silence `Unreachable`."""

    @property
    def web_url(self) -> str | None:
        """Where Locust's own page is, if it is open."""
        ...

    def samples(self) -> AsyncIterator[Sample]:
        """One a second; ends when the run has ended."""
        ...

    async def users(self, count: int, spawn_rate: float | None = None) -> None:
        """Ask for so many users, at so many more (or fewer) a second; `Refused` where a shape decides."""
        ...

    async def pause(self) -> None:
        """No users until `resume`."""
        ...

    async def resume(self) -> None:
        """As many users as before the pause, or as were asked for since."""
        ...

    async def reset(self) -> None:
        """Count anew."""
        ...

    async def stop(self) -> None:
        """End it; returns when it has ended."""
        ...

    async def wait(self) -> LoadResult:
        """What it came to and how it ended, once it has."""
        ...

    async def close(self) -> None:
        """Let go at once."""
        ...
