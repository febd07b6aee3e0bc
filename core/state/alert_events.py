"""Facts about alerts: how far they are, what is silenced, who was promised to be told, and who was."""

from dataclasses import dataclass

from core.state.alert import Alert, Notice


@dataclass(frozen=True, slots=True)
class Alerted:
    """An alert came to another state."""

    endpoint: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class Silenced:
    """A rule does and tells nothing until `until`; None: it does again."""

    endpoint: str
    rule: str
    until: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Promised:
    """These receivers are to be told. `of_seq` is the fact that it is about, where it is about one."""

    endpoint: str
    notice: Notice
    receivers: tuple[str, ...]
    of_seq: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A receiver took a notice, `after_s` after what it is about came true."""

    endpoint: str
    notice: str
    receiver: str
    after_s: float


@dataclass(frozen=True, slots=True)
class TellingFailed:
    """A receiver did not take a notice; it is tried again. `dead`: no more, and it lies with the dead letters."""

    endpoint: str
    notice: str
    receiver: str
    why: str
    again_at: float
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A receiver is not told a notice that still waited, for it holds no more."""

    endpoint: str
    notice: str
    receiver: str
    why: str
