"""A release to all traffic, and what is seen of it afterwards: where somebody else moves its traffic."""

from collections.abc import Mapping

from core.domain.model import Observation, Slot, Version
from core.state import events as ev
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from tests.environments import V1, V2, canary_plan

AT = 100.0
ENDED = ev.Ended("r2", ev.Outcome.DONE, "")


def seen(slot: Slot, version: Version, weight: float = 0.0, proved_by: int = 20, why: str = "") -> ev.Observed:
    """A slot as a watch tells it."""
    return ev.Observed("late", Observation(slot, version, 1, 1, weight, proved_by=proved_by if weight else 0, why=why))


def both(blue: float, green: float, proved_by: int = 20) -> tuple[ev.Body, ...]:
    """Both slots with these shares."""
    return seen("blue", V1, blue, proved_by), seen("green", V2, green, proved_by)


def sent(weights: Mapping[Slot, float]) -> tuple[ev.Body, ...]:
    """Asked for, seen and proved."""
    seen_then = both(weights.get("blue", 0.0), weights.get("green", 0.0))
    return ev.Routed("late", weights), *seen_then, ev.Verified("late", weights, 30.0, 20)


def after(*bodies: ev.Body) -> Snapshot:
    """A release of v2 in green over v1 in blue, to all traffic; then these, a second each from `AT` on."""
    first = (
        ev.Began("r2", "late", "prod", canary_plan()),
        ev.Chose("r2", V2),
        ev.Placed("r2", "green", "blue", V1),
        *sent({"green": 100.0}),
    )
    events = [ev.Event(n, 1.0, "watch", body) for n, body in enumerate(first, 1)]
    events += [ev.Event(n, AT + n - len(first) - 1, "watch", body) for n, body in enumerate(bodies, len(first) + 1)]
    return fold_all(events)
