"""Alerts of an endpoint, who is to be told what, and what is silenced. Nouns alone; `core.alerts` makes them."""

from dataclasses import dataclass
from enum import StrEnum


class AlertState(StrEnum):
    """How far an alert is. PENDING: true, but not for long enough yet; RESOLVED: true no longer."""

    PENDING = "pending"
    FIRED = "fired"
    ACTED = "acted"
    SILENCED = "silenced"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


class Topic(StrEnum):
    """What somebody may want to be told of. A PAGE wakes people, a TICKET waits for them."""

    RELEASE = "release"
    ALERT = "alert"
    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule that found something. Moments are seconds since the epoch.

    `since` is when it became true, `at` when this state began, `due_at` when the next thing happens, and `will` what:
    it fires, or is told again. `why` is what was measured, `did` what was done about it.
    """

    rule: str
    state: AlertState
    since: float
    at: float
    due_at: float
    why: str
    will: str = ""
    did: str = ""
    topic: Topic = Topic.ALERT
    times: int = 0

    @property
    def burns(self) -> bool:
        """Whether it fired and what it fired for goes on."""
        return self.state in (AlertState.FIRED, AlertState.ACTED, AlertState.ESCALATED)


@dataclass(frozen=True, slots=True)
class Hush:
    """Until `until` a rule does and tells nothing, by somebody's wish."""

    until: float
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """Which question of a release: the step that asks, and until when it may be answered, seconds since the epoch."""

    release: str
    index: int
    until: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be told. `id` is the same for the same thing, `at` when it came true; `key` groups an alert's.

    `question` is the one that it is about, where it asks.
    """

    id: str
    at: float
    topic: Topic
    endpoint: str
    environment: str
    title: str
    text: str
    key: str = ""
    resolved: bool = False
    question: OpenQuestion | None = None
    failed: bool = False
    """It tells of a release that did not end well."""


@dataclass(frozen=True, slots=True)
class Untold:
    """A notice that a receiver has not got yet; `why` is how the last try ended."""

    notice: Notice
    receiver: str
    tries: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class FailingReceiver:
    """A receiver that took nothing since `since`: `why` is how its last try ended, and at `again_at` is the next.

    `waits` is how often it was let wait since then.
    """

    since: float
    why: str
    again_at: float
    waits: int = 1
