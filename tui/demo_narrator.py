"""What the demo needs of whoever tells it, and what it came to in figures."""

from dataclasses import dataclass
from typing import Protocol

from core.state import commands as c, events as ev


class Narrator(Protocol):
    """Where the story is told: what is about to be seen, and a key that is pressed."""

    async def tell(self, words: str) -> None:
        """Say what comes."""
        ...

    async def press(self, key: str, words: str, command: c.Command) -> None:
        """Press a key, or ask what the key would ask."""
        ...


@dataclass(slots=True)
class DemoFigures:
    """What the story showed, in figures."""

    requests: int = 0
    failed: int = 0
    back_ms: float | None = None
    most_replicas: int = 0

    def take(self, event: ev.Event) -> None:
        """Count what an event adds."""
        match event.body:
            case ev.Sampled(sample=sample) if sample.slot is None:
                self.requests += sample.requests
                self.failed += sample.failures
            case ev.Verified(took_ms=took, since="key"):
                self.back_ms = took
            case ev.Observed(observation=seen):
                self.most_replicas = max(self.most_replicas, seen.ready)
            case _:
                pass
