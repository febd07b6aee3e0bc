"""What Azure Monitor would do with a deployment, from its settings as they are read and its metrics: a look. Pure.

The service tells nobody what it decided, or when: what its rules ask for is reckoned from the same figures, and when it
last acted is known from the sizes that were seen.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.domain.model import Reading, Scaled, Slot
from core.domain.obstacles import Cause, Obstacle
from core.targets.azureml.autoscale_bodies import METRICS, OWNER, USUAL
from core.targets.azureml.autoscale_profiles import holding, schedule_name

Json: TypeAlias = Mapping[str, Any]
LOOKS_S = 60.0
"""Azure Monitor looks about once a minute."""
NAMES = {metric: name for name, metric in METRICS.items()}
_SPAN = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


@dataclass(frozen=True, slots=True)
class ScaleRule:
    """One rule: over or under `threshold`, so many instances more or fewer, or percent of them."""

    metric: str
    threshold: float
    up: bool
    percent: bool
    value: int
    window_s: float
    cooldown_s: float

    def asked(self, count: int) -> int:
        """How many it asks for where it applies."""
        change = max(1, math.floor(count * self.value / 100)) if self.percent else self.value
        return count + change if self.up else max(0, count - change)

    def applies(self, value: float | None) -> bool:
        """Whether what was measured is beyond its threshold."""
        return value is not None and (value > self.threshold if self.up else value < self.threshold)


@dataclass(frozen=True, slots=True)
class AutoscaledSlot:
    """What is known of one slot. `measured` are percents by the names of metrics, None where there was no figure.

    `before` is the size that was seen before `count`; `acted_s` is how long ago the autoscaler changed it. `bounds` are
    those of the project's settings, `awaits` is what is to be over before there is an autoscaler between them.
    """

    slot: Slot
    count: int
    body: Json | None
    measured: Mapping[str, float | None]
    bounds: tuple[int, int] = (1, 1)
    before: int | None = None
    acted_s: float | None = None
    why: str = ""
    awaits: str = ""
    traffic: bool = True


def look_of(one: AutoscaledSlot, now: float) -> Scaled:
    """A look at a slot; `now` in seconds since the epoch. `why` stands where its settings could not be written."""
    if one.body is None or one.count == 0:
        return _unscaled(one, now)
    held: Json = one.body["properties"]
    profile = holding(held.get("profiles") or [], now)
    capacity = profile.get("capacity") or {}
    low, most = int(capacity.get("minimum", 1)), int(capacity.get("maximum", one.count))
    rules = [_rule(rule) for rule in profile.get("rules") or ()]
    readings = tuple(
        Reading(NAMES.get(rule.metric, rule.metric), one.measured.get(rule.metric), rule.threshold)
        for rule in rules
        if rule.up
    )
    proposed = _proposed(rules, one)
    before = one.count if one.before is None else one.before
    obstacles = tuple(_obstacles(one, held, profile, rules, proposed, (low, most)))
    reason = _reason(one, readings, profile, obstacles)
    return Scaled(one.slot, now, before, one.count, reason, readings, low, most, LOOKS_S, False, proposed, obstacles)


def _unscaled(one: AutoscaledSlot, now: float) -> Scaled:
    """A slot that nothing scales, within the bounds that it may be asked to have all the same."""
    low, most = one.bounds
    if one.count == 0:
        reason, obstacle = "scaled to 0", Obstacle(Cause.ZERO)
    elif one.why:
        reason, obstacle = one.why, Obstacle(Cause.UNWRITTEN, one.why)
    else:
        reason, obstacle = f"no autoscaler yet: {one.awaits}", Obstacle(Cause.AWAITED, one.awaits)
    return Scaled(one.slot, now, one.count, one.count, reason, (), low, most, LOOKS_S, obstacles=(obstacle,))


def alike(one: Scaled | None, two: Scaled) -> bool:
    """Whether a look says nothing new: only its moment is another, or less of a wait is left."""
    return one is not None and _timeless(one) == _timeless(two)


def seconds(text: str) -> float:
    """`PT5M` as 300."""
    found = _SPAN.fullmatch(text or "")
    if found is None:
        return 0.0
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def is_ours(body: Json, endpoint: str) -> bool:
    """Whether settings are what was written for this endpoint."""
    return (body.get("tags") or {}).get(OWNER) == endpoint


def _rule(rule: Json) -> ScaleRule:
    trigger, action = rule["metricTrigger"], rule["scaleAction"]
    return ScaleRule(
        metric=str(trigger.get("metricName")),
        threshold=float(trigger.get("threshold") or 0),
        up=action.get("direction") == "Increase",
        percent=action.get("type") == "PercentChangeCount",
        value=int(action.get("value") or 1),
        window_s=seconds(str(trigger.get("timeWindow"))),
        cooldown_s=seconds(str(action.get("cooldown"))),
    )


def _proposed(rules: list[ScaleRule], one: AutoscaledSlot) -> int | None:
    """What the rules ask for: more where any does, fewer where all do; None where nothing was measured."""
    if not any(one.measured.get(rule.metric) is not None for rule in rules):
        return None
    more = [rule.asked(one.count) for rule in rules if rule.up and rule.applies(one.measured.get(rule.metric))]
    if more:
        return max(more)
    down = [rule for rule in rules if not rule.up]
    if down and all(rule.applies(one.measured.get(rule.metric)) for rule in down):
        return max(rule.asked(one.count) for rule in down)
    return one.count


def _obstacles(
    one: AutoscaledSlot,
    held: Json,
    profile: Json,
    rules: list[ScaleRule],
    proposed: int | None,
    bounds: tuple[int, int],
) -> Iterator[Obstacle]:
    low, most = bounds
    if not held.get("enabled", True):
        # Without traffic it keeps its size as it should.
        yield from [Obstacle(Cause.HELD, "a release")] if one.traffic else []
        return
    missing = [NAMES.get(rule.metric, rule.metric) for rule in rules if one.measured.get(rule.metric) is None]
    if missing:
        yield Obstacle(Cause.NO_FIGURE, " and ".join(dict.fromkeys(missing)))
    if (name := schedule_name(profile)) and name != USUAL:
        # Why they could not be written stands in `why`, and so does that they are somebody else's.
        yield Obstacle(Cause.SCHEDULE, name if one.why else f"{name} (azureml.schedule)")
    if proposed is None or proposed == one.count:
        return
    if proposed > most:
        yield Obstacle(Cause.MAXIMUM, "", proposed, most)
    elif low <= proposed:
        ways = [rule for rule in rules if rule.up == (proposed > one.count)]
        waits_s, window_s = max(rule.cooldown_s for rule in ways), max(rule.window_s for rule in ways)
        if one.acted_s is not None and one.acted_s < waits_s:
            yield Obstacle(Cause.COOLDOWN, "", waits_s - one.acted_s, waits_s)
        else:
            yield Obstacle(Cause.WINDOW, "", None, window_s)


def _reason(one: AutoscaledSlot, readings: tuple[Reading, ...], profile: Json, found: tuple[Obstacle, ...]) -> str:
    """What was measured, and what holds."""
    measured = ", ".join(f"{r.name} {r.value:.0f} % of {r.target:g} %" for r in readings if r.value is not None)
    causes = {obstacle.cause for obstacle in found}
    said = [one.why] if one.why else []
    if one.before not in (None, one.count):
        # Why it is of this size now, not why of no other.
        return "; ".join([measured, *said] if measured else said) or "another size was asked for"
    if Cause.HELD in causes:
        said.append("held while traffic moves")
    elif Cause.MAXIMUM in causes:
        said.append("at the maximum")
    elif Cause.COOLDOWN in causes:
        said.append("it cools down")
    elif not one.traffic:
        said.append("it has no traffic")
    elif not measured:
        said.append("nothing was measured")
    if Cause.SCHEDULE in causes:
        said.append(f"the times of {schedule_name(profile)}")
    text = "; ".join(said)
    return f"{measured}: {text}" if measured and text else measured or text


def _timeless(look: Scaled) -> tuple[object, ...]:
    whole = tuple((one.cause, one.what, one.most) for one in look.obstacles)
    return look.before, look.after, look.reason, look.readings, look.min, look.max, look.proposed, whole
