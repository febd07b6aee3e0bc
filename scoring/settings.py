"""What a service is told: which version it serves, how, and the states it goes through."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


def no_limit() -> float | None:
    """Nobody holds it to so many cores."""
    return None


@dataclass(frozen=True, slots=True)
class Identity:
    """What the registry calls the model that is served, and where it came from: `uri` is the model's own address,
    `registry` the tracking server's without a password."""

    model: str
    version: str
    run_id: str = ""
    uri: str = ""
    registry: str = ""


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """How to serve. An empty `key` means no key; port 0 takes a free one; `drain_s` bounds the way out; `cores` is
    what its CPU time is held to at the moment; senders end a connection after `connection_s`, 0: when they like."""

    host: str = "127.0.0.1"
    port: int = 0
    key: str = field(default="", repr=False)
    max_body_bytes: int = 8 * 1024 * 1024
    drain_s: float = 5.0
    cores: Callable[[], float | None] = no_limit
    connection_s: float = 0.0
    service: str = "quarterdeck-scoring"


class ServingState(Enum):
    """Whether predictions are taken."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
