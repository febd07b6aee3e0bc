"""How many users the load should have, now. Pure but for the one function it is given to ask for them."""

from collections.abc import Callable, Sequence
from typing import Any

Ask = Callable[[int, float], None]
"""Asks Locust for this many users, at this many more (or fewer) a second."""


class LoadShape:
    """Keeps what was asked for through pauses and stages. Where a shape decides, it refuses."""

    def __init__(self, ask: Ask, users: int, spawn_rate: float, stages: Sequence[Sequence[float]], shape: str):
        self._ask = ask
        self._users = users
        self._spawn_rate = spawn_rate
        self._stages = sorted(tuple(stage) for stage in stages)
        self._shape = shape
        self.paused = False

    def obey(self, command: dict[str, Any]) -> str | None:
        """Do what an operator asks of the users; answers why not, or None."""
        if self._shape:
            return f"the shape {self._shape} of the locustfile decides how many users there are"
        match command["do"]:
            case "users":
                self._want(command["users"], command["spawn_rate"] or self._spawn_rate)
            case "pause" if not self.paused:
                self.paused = True
                # All at once: whoever pauses a load wants it off the service, not ramped down.
                self._ask(0, float(max(self._users, 1)))
            case "resume" if self.paused:
                self.paused = False
                self._ask(self._users, self._spawn_rate)
        return None

    def at(self, elapsed_s: float) -> None:
        """Enter each stage whose time has come."""
        while self._stages and self._stages[0][0] <= elapsed_s:
            _, users, spawn_rate = self._stages.pop(0)
            self._want(int(users), spawn_rate)

    def _want(self, users: int, spawn_rate: float) -> None:
        self._users, self._spawn_rate = users, spawn_rate
        if not self.paused:
            self._ask(users, spawn_rate)
