"""The autoscale settings of a deployment, as Azure Monitor takes them, from what a project says of autoscaling. Pure.

A share of the target means here: more instances above it, fewer below half of it, which one instance fewer can't turn
into more again.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.config.scaling import AutoscalingSettings, ScalingDirection
from core.domain.errors import BadInput
from core.domain.model import Slot
from core.targets.azureml.bodies import duration
from core.targets.azureml.schedule import ZONES
from core.targets.azureml.workspace import PREFIX, AzureEndpoint

Json: TypeAlias = dict[str, Any]
API = "2022-10-01"
KIND = "Microsoft.Insights/autoscaleSettings"
OWNER = f"{PREFIX}endpoint"
"""The tag of what we wrote, with the name of the endpoint."""
METRICS = {"cpu": "CpuUtilizationPercentage", "memory": "CpuMemoryUtilizationPercentage"}
USUAL = "usual"
WINDOW_S, COOLDOWN_S = 300.0, 300.0
"""Azure looks at five minutes at the least, and waits as long after a change where nothing else is set."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How to go one way: by so many instances, or percent of them, after `window_s`, and not again for `cooldown_s`."""

    kind: str
    value: int
    window_s: float
    cooldown_s: float


def check(at: AzureEndpoint) -> None:
    """Raise BadInput for what Azure Monitor has no words for."""
    scaling = at.endpoint.autoscaling
    if scaling is None:
        if at.place.schedule:
            raise BadInput("azureml.schedule: holds with endpoint.autoscaling alone; set that too")
        return
    if scaling.fast:
        raise BadInput("endpoint.autoscaling.fast: nobody can shorten the clock of Azure Monitor; take it out")
    behavior = scaling.behavior
    for way in ("up", "down"):
        said = getattr(behavior, way, None)
        if said is not None and len(said.policies) > 1:
            raise BadInput(f"endpoint.autoscaling.behavior.{way}.policies: Azure takes one; leave one in")


def settings_path(at: AzureEndpoint, slot: Slot) -> str:
    """Where the settings of a slot are; in their group several workspaces may have an endpoint of one name."""
    return f"{group_path(at)}/{at.place.workspace}-{at.name}-{slot}"


def group_path(at: AzureEndpoint) -> str:
    """Where all settings of the group are."""
    place = at.place
    return f"/subscriptions/{place.subscription}/resourceGroups/{place.resource_group}/providers/{KIND}"


def bounds(at: AzureEndpoint) -> tuple[int, int] | None:
    """Between how many instances a slot may be asked for, at whatever time; None without an autoscaler."""
    scaling = at.endpoint.autoscaling
    if scaling is None:
        return None
    return min([scaling.min, *(one.min for one in at.place.schedule)]), max(
        [scaling.max, *(one.max for one in at.place.schedule)]
    )


def autoscale_settings(at: AzureEndpoint, slot: Slot, location: str, *, enabled: bool) -> Json:
    """The settings of a slot; not `enabled` they change nothing, which holds a size while traffic moves."""
    scaling = at.endpoint.autoscaling
    if scaling is None:
        raise BadInput("endpoint.autoscaling: is not set, so there is no autoscaler")
    return {
        "location": location,
        "tags": {**at.place.tags, OWNER: at.name},
        "properties": {
            "enabled": enabled,
            "name": settings_path(at, slot).rpartition("/")[2],
            "targetResourceUri": at.deployment(slot),
            "profiles": list(_profiles(at, slot, scaling)),
            "notifications": [],
        },
    }


def same_settings(one: Json, two: Json) -> bool:
    """Whether two settings ask for the same; the service writes more into its own than it was sent."""
    return bool(_asked(one) == _asked(two))


def _profiles(at: AzureEndpoint, slot: Slot, scaling: AutoscalingSettings) -> Iterator[Json]:
    """The usual bounds, each time of the schedule, and the end of each, which is the usual bounds once more."""
    rules = list(_rules(at.deployment(slot), scaling))
    usual = {"capacity": _capacity(scaling.min, scaling.max, at.endpoint.replicas), "rules": rules}
    yield {"name": USUAL, **usual}
    begins = {start for one in at.place.schedule for start in one.begins()}
    for one in at.place.schedule:
        capacity = _capacity(one.min, one.max, at.endpoint.replicas)
        starts = _recurrence(at, one.days, one.begin)
        yield {"name": one.name, "capacity": capacity, "rules": rules, "recurrence": starts}
        # Azure knows no end: a profile holds until the next one begins, and tells by this name which it ends.
        name = json.dumps({"name": USUAL, "for": one.name}, separators=(",", ":"))
        if days := one.end_days(begins):
            yield {"name": name, **usual, "recurrence": _recurrence(at, days, one.end)}


def _recurrence(at: AzureEndpoint, days: tuple[str, ...], minute: int) -> Json:
    hours, minutes = divmod(minute, 60)
    when = {"days": [day.capitalize() for day in days], "hours": [hours], "minutes": [minutes]}
    return {"frequency": "Week", "schedule": {"timeZone": ZONES[at.place.timezone], **when}}


def _capacity(low: int, most: int, replicas: int) -> Json:
    """`default` is what there is at least while nothing can be measured."""
    return {"minimum": str(low), "maximum": str(most), "default": str(min(max(replicas, low), most))}


def _rules(deployment: str, scaling: AutoscalingSettings) -> Iterator[Json]:
    behavior = scaling.behavior
    up, down = (_way(getattr(behavior, name, None)) for name in ("up", "down"))
    for name, metric in METRICS.items():
        target = getattr(scaling, name)
        if target is None:
            continue
        if up is not None:
            yield _rule(deployment, metric, "GreaterThan", target, "Increase", up)
        if down is not None:
            yield _rule(deployment, metric, "LessThan", math.floor(target / 2), "Decrease", down)


def _way(said: ScalingDirection | None) -> _Way | None:
    """How to go one way; None where it is not gone at all."""
    if said is None:
        return _Way("ChangeCount", 1, WINDOW_S, COOLDOWN_S)
    if said.select == "disabled":
        return None
    window_s = max(WINDOW_S, said.window_s or 0.0)
    if not said.policies:
        return _Way("ChangeCount", 1, window_s, COOLDOWN_S)
    policy = said.policies[0]
    kind = "PercentChangeCount" if policy.percent else "ChangeCount"
    return _Way(kind, policy.percent or policy.pods or 1, window_s, max(60.0, policy.period_s))


def _rule(deployment: str, metric: str, operator: str, threshold: float, direction: str, way: _Way) -> Json:
    return {
        "metricTrigger": {
            "metricName": metric,
            "metricResourceUri": deployment,
            "timeGrain": "PT1M",
            "statistic": "Average",
            "timeWindow": duration(way.window_s),
            "timeAggregation": "Average",
            "operator": operator,
            "threshold": threshold,
        },
        "scaleAction": {
            "direction": direction,
            "type": way.kind,
            "value": str(way.value),
            "cooldown": duration(way.cooldown_s),
        },
    }


def _asked(body: Json) -> Any:
    """What of settings we write, with the spelling of addresses and of numbers made one."""
    held = body.get("properties") or {}
    profiles = [
        (
            one.get("name"),
            {key: int(value) for key, value in (one.get("capacity") or {}).items()},
            [_plain(rule) for rule in one.get("rules") or ()],
            _plain(one.get("recurrence")),
        )
        for one in held.get("profiles") or ()
    ]
    return bool(held.get("enabled", True)), str(held.get("targetResourceUri")).casefold(), profiles


def _plain(value: Any) -> Any:
    """Only what we send: keys that the service adds with nothing in them are left out."""
    if isinstance(value, dict):
        said = {key: _plain(one) for key, one in value.items() if one not in (None, [], False)}
        return {key: one.casefold() if key == "metricResourceUri" else one for key, one in said.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return float(value) if isinstance(value, int) else value
