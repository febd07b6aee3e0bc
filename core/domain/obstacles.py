"""What keeps a slot from another size: the causes there are, and one of them with its figures. Frozen."""

from collections.abc import Iterable, Mapping
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
    COOLDOWN = "cool-down"
    SCHEDULE = "by schedule"
    BELOW_TARGET = "below target"
    TOLERANCE = "within tolerance"
    UNSCALED = "not scaled by itself"
    AWAITED = "autoscaler awaited"
    MISSING = "no autoscaler"
    UNWRITTEN = "autoscaler not made"
    UNREAD = "not looked at"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One cause. What `have` and `most` count is the cause's: pods, replicas, cores, or seconds left and in all."""

    cause: Cause
    what: str = ""
    have: float | None = None
    most: float | None = None


AUTOSCALING = "endpoint.autoscaling"


def bounded_by(obstacles: Iterable[Obstacle]) -> str:
    """Which setting the bounds that hold now are from: a schedule's, else an autoscaler's own."""
    return next((one.what for one in obstacles if one.cause is Cause.SCHEDULE), AUTOSCALING)


def largest_key(obstacles: Iterable[Obstacle]) -> str:
    """How the setting of the largest size is called."""
    bounds = bounded_by(obstacles)
    return f"{AUTOSCALING}.max" if bounds == AUTOSCALING else f"the max of {bounds}"


SAID: Mapping[Cause, str] = {
    Cause.QUOTA: "quota ",
    Cause.UNSCHEDULABLE: "no node takes it: ",
    Cause.IMAGE: "image can't be pulled: ",
}
"""How the `why` of a slot or a replica begins where a place knows the cause."""


def cause_said(why: str) -> tuple[Cause, str] | None:
    """The cause that a `why` names, and what it says of it; None where it names none of these."""
    found = next((cause for cause, begins in SAID.items() if why.startswith(begins)), None)
    if found is None:
        return None
    # A quota's line is whole only with its first word.
    return found, why if found is Cause.QUOTA else why.removeprefix(SAID[found])
