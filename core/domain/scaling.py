"""How many replicas a slot may be asked for by hand. Pure."""

from core.domain.model import Slot
from core.domain.obstacles import AUTOSCALING


def outside(
    slot: Slot,
    replicas: int,
    bounds: tuple[int, int] | None,
    least: int = 1,
    instead: str = "",
    said_by: str = AUTOSCALING,
) -> str:
    """Why a slot can't have so many replicas; empty where it can. `bounds` are its autoscaler's, if it has one; where
    `least` is 0 a slot may also have none, whatever those are. `instead`: what can be done where none are meant;
    `said_by`: the setting that the bounds are from."""
    if replicas == least == 0:
        return ""
    if replicas < 1:
        return f"{slot}: {replicas} replicas: a slot keeps one at least{f'; {instead}' if instead else ''}"
    if bounds is not None and not bounds[0] <= replicas <= bounds[1]:
        between = f"between {bounds[0]} and {bounds[1]} replicas"
        return f"{slot}: its autoscaler stays {between}, {replicas} are outside; {said_by} says how many"
    return ""
