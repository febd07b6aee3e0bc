"""How fast the settings let an autoscaler go, as its rule takes it; what they leave out is the rule's own."""

from core.config.scaling import BehaviorSettings, ScalingDirection
from core.targets.local.steps import DOWN, UP, Behavior, Direction, Policy


def behavior_of(said: BehaviorSettings | None) -> Behavior | None:
    """None where nothing is said: the rule has other steps up then than any that can be written."""
    return None if said is None else Behavior(_direction(said.up, UP), _direction(said.down, DOWN))


def _direction(said: ScalingDirection | None, usual: Direction) -> Direction:
    if said is None:
        return usual
    policies = tuple(
        Policy("percent", one.percent, one.period_s) if one.percent else Policy("pods", one.pods or 0, one.period_s)
        for one in said.policies
    )
    return Direction(
        usual.window_s if said.window_s is None else said.window_s, policies or usual.policies, said.select
    )
