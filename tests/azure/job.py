"""One job of the stand-in's, and what runs those that are pipelines."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from tests.azure.calls import Json
from tests.azure.stamps import stamp

ENDED = frozenset({"Completed", "Failed", "Canceled"})


@dataclass(slots=True)
class AzureJob:
    """One job. `told` is set to be told of a cancel."""

    path: str
    name: str
    asked: Json
    state: str = "Starting"
    created_at: str = field(default_factory=stamp)
    started_at: str = ""
    ended_at: str = ""
    error: str = ""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None


class Pipelines(Protocol):
    """What runs a pipeline's nodes."""

    def check(self, asked: Json) -> None:
        """Refuse what can't be run."""

    async def run(self, job: AzureJob) -> str:
        """The state that it ends in."""
        ...
