"""The load that an endpoint is to get: how much, from whom, and how it ended. Frozen."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class LoadStage:
    """A stretch of a step profile: these users from `at_s` on, in seconds from the start."""

    at_s: float
    users: int
    spawn_rate: float


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """How much load, for how long. `spawn_rate` in users a second; `duration_s` None runs until it is stopped.

    `user_classes` names classes of the locustfile; empty means all. `stages` make a step profile.
    """

    name: str
    users: int
    spawn_rate: float
    duration_s: float | None
    user_classes: tuple[str, ...] = ()
    stages: tuple[LoadStage, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadSource:
    """What sends a load, where it is not as the project says.

    `locustfile` is a path, `attach` the page of a Locust that runs already, `web` opens Locust's own page.
    With `processes` (1 or more) everything is said here, and no locustfile means the one that ships.
    """

    locustfile: str = ""
    attach: str = ""
    web: bool = False
    processes: int = 0


class LoadOutcome(StrEnum):
    """How a load ended. Only `finished` and `shape ended` are ends that were wanted from the start."""

    FINISHED = "finished"
    SHAPE_ENDED = "shape ended"
    STOPPED = "stopped"
    LET_GO = "let go"
    EXITED = "exited"
    KILLED = "killed"
    HUNG = "hung"
    NOT_BEGUN = "not begun"
    GONE = "gone"
