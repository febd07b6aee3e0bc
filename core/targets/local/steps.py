"""How far one look of an autoscaler may go: the window of past recommendations, policies, minimum and maximum. Pure."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.domain.obstacles import Cause, Obstacle

DOWN_WINDOW_S = 300.0


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `value` pods (or percent of the pods) in any `period_s`."""

    kind: Literal["pods", "percent"]
    value: int
    period_s: float


@dataclass(frozen=True, slots=True)
class Direction:
    """How to go one way: the window in seconds, the policies, and which of them holds."""

    window_s: float
    policies: tuple[Policy, ...]
    select: Literal["max", "min", "disabled"] = "max"


UP = Direction(0.0, (Policy("percent", 100, 15.0), Policy("pods", 4, 15.0)))
DOWN = Direction(DOWN_WINDOW_S, (Policy("percent", 100, 15.0),))


@dataclass(frozen=True, slots=True)
class Behavior:
    """What is written under `behavior`; a direction left out has its defaults."""

    up: Direction = UP
    down: Direction = DOWN

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Behavior":
        """Back from its fields as JSON."""
        return cls(*(_direction(plain[way]) for way in ("up", "down")))


def _direction(plain: Mapping[str, Any]) -> Direction:
    policies = tuple(Policy(**policy) for policy in plain["policies"])
    return Direction(plain["window_s"], policies, plain["select"])


@dataclass(frozen=True, slots=True)
class Bounds:
    """Within what a look must stay. `clock` above 1 divides every time."""

    min: int
    max: int
    behavior: Behavior | None = None
    clock: float = 1.0

    def clamp(self, count: int) -> int:
        """The nearest count that is allowed."""
        return min(max(count, self.min), self.max)


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier looks leave: recommendations as (when, how many), and steps as (when, how many more or fewer)."""

    recommended: tuple[tuple[float, int], ...] = ()
    steps: tuple[tuple[float, int], ...] = ()

    def begun(self, now_n: int, now_s: float) -> "Memory":
        """At the very first look the present size counts as recommended."""
        return self if self.recommended else replace(self, recommended=((now_s, now_n),))

    def stepped(self, before: int, after: int, now_s: float) -> "Memory":
        """With a step taken."""
        return self if before == after else replace(self, steps=(*self.steps, (now_s, after - before)))

    def within(self, seconds: float, now_s: float) -> tuple[int, ...]:
        """The recommendations of the last seconds."""
        return tuple(count for at_s, count in self.recommended if at_s >= now_s - seconds)

    def moved(self, seconds: float, now_s: float) -> int:
        """Pods added minus pods taken away in the last seconds."""
        return sum(change for at_s, change in self.steps if at_s > now_s - seconds)

    def kept(self, seconds: float, now_s: float) -> "Memory":
        """Without what is older than that."""
        cutoff = now_s - seconds
        return Memory(
            tuple(entry for entry in self.recommended if entry[0] > cutoff),
            tuple(entry for entry in self.steps if entry[0] > cutoff),
        )


@dataclass(frozen=True, slots=True)
class BoundedStep:
    """How many pods one look may go to, what held it in words (or nothing) and as causes, and the memory with it."""

    after: int
    limit: str
    memory: Memory
    obstacles: tuple[Obstacle, ...] = ()


def bounded(bounds: Bounds, now_n: int, wanted: int, memory: Memory, now_s: float) -> BoundedStep:
    """How far one look goes to the `wanted` pods."""
    behavior = bounds.behavior
    down_s = (behavior.down.window_s if behavior else DOWN_WINDOW_S) / bounds.clock
    up_s = (behavior.up.window_s if behavior else 0.0) / bounds.clock
    steady = max((wanted, *memory.within(down_s, now_s)))
    if behavior is not None:
        steady = min(max(now_n, min((wanted, *memory.within(up_s, now_s)))), steady)
    reasons: list[str] = []
    obstacles: list[Obstacle] = []
    if steady != wanted:
        seconds = down_s if steady > wanted else up_s
        reasons.append(f"window: {steady} within {seconds:g} s rather than {wanted}")
        if bounds.clamp(steady) != bounds.clamp(wanted):
            obstacles.append(Obstacle(Cause.WINDOW, "", _left_s(memory, wanted, steady, seconds, now_s), seconds))
    allowed, held = _policy(bounds, now_n, steady, memory, now_s)
    if held:
        reasons.append(held)
        if bounds.clamp(allowed) != bounds.clamp(steady):
            obstacles.append(Obstacle(Cause.POLICY, "", steady, allowed))
    after = bounds.clamp(allowed)
    if after > allowed:
        reasons.append(f"minimum {bounds.min}")
    elif after < allowed:
        reasons.append(f"maximum {bounds.max}")
    if wanted > bounds.max:
        obstacles.append(Obstacle(Cause.MAXIMUM, "", wanted, bounds.max))
    longest_s = max(down_s, up_s, *(policy.period_s for policy in _policies(behavior)), DOWN_WINDOW_S / bounds.clock)
    kept = memory.kept(longest_s, now_s)
    known = replace(kept, recommended=(*kept.recommended, (now_s, wanted)))
    return BoundedStep(after, ", ".join(reasons), known, tuple(obstacles))


def _left_s(memory: Memory, wanted: int, steady: int, seconds: float, now_s: float) -> float:
    """How long a window still holds: until the last recommendation that made it `steady` is too old for it."""
    holds = (at_s for at_s, count in memory.recommended if (count >= steady if steady > wanted else count <= steady))
    return max(0.0, max(holds, default=now_s) + seconds - now_s)


def _policies(behavior: Behavior | None) -> tuple[Policy, ...]:
    return (*behavior.up.policies, *behavior.down.policies) if behavior else ()


def _policy(bounds: Bounds, now_n: int, steady: int, memory: Memory, now_s: float) -> tuple[int, str]:
    """What the policies leave of a step."""
    behavior = bounds.behavior
    if behavior is None:
        limit = max(2 * now_n, 4)
        return (limit, f"policy: at most {limit} from {now_n} in one step") if steady > limit else (steady, "")
    way, sign = (behavior.up, 1) if steady > now_n else (behavior.down, -1)
    reached = _reach(way, now_n, sign, lambda policy: memory.moved(policy.period_s / bounds.clock, now_s))
    # Steps of the last period may already have gone further than that: then stay.
    limit = max(now_n, reached) if sign > 0 else min(now_n, reached)
    beyond = steady > limit if sign > 0 else steady < limit
    return (limit, f"policy: {'up' if sign > 0 else 'down'} to {limit} now") if beyond else (steady, "")


def _reach(way: Direction, now_n: int, sign: int, moved: Callable[[Policy], int]) -> int:
    """The furthest size that a direction's policies allow, counted from the start of each policy's period."""
    if way.select == "disabled" or not way.policies:
        return now_n
    reached = []
    for policy in way.policies:
        start = now_n - moved(policy)
        change = policy.value if policy.kind == "pods" else start * policy.value / 100
        end = start + sign * change
        reached.append(math.ceil(end) if sign > 0 else math.floor(end))
    # The largest change: the highest size on the way up, the lowest on the way down.
    largest: Callable[[list[int]], int] = max if sign > 0 else min
    smallest: Callable[[list[int]], int] = min if sign > 0 else max
    return (largest if way.select == "max" else smallest)(reached)
