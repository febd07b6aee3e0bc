"""What keeps a slot from another size: the causes there are, and one of them with its figures. Frozen."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why a slot is not of the size that somebody expects."""

    METRICS_ABSENT = "metrics absent"
    METRICS_DEAD = "metrics dead"
    NO_FIGURE = "no figure"
    NO_REQUEST = "no request"
    ZERO = "scaled to zero"
    MAXIMUM = "maximum"
    FIXED = "minimum is maximum"
    HELD = "held"
    GONE = "nothing to scale"
    ELSEWHERE = "scales another"
    UNSCHEDULABLE = "unschedulable"
    IMAGE = "image"
    QUOTA = "quota"
    NOT_READY = "not ready"
    CORES = "no cores left"
    WINDOW = "window"
    POLICY = "policy"
    BELOW_TARGET = "below target"
    TOLERANCE = "within tolerance"
    UNSCALED = "not scaled by itself"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One cause. What `have` and `most` count is the cause's: pods, replicas, cores, or seconds left and in all."""

    cause: Cause
    what: str = ""
    have: float | None = None
    most: float | None = None
