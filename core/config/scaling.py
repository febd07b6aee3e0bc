"""The settings of an autoscaler: between how many replicas, by which use, and how fast it may go."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from core.config.quantities import Count, SettingsPart, listed, timed


class ScalingPolicy(SettingsPart):
    """At most so many pods more or fewer, or so many percent of the pods, in any `period_s`."""

    pods: Count | None = None
    percent: Count | None = None
    period_s: Annotated[float, BeforeValidator(timed), Field(ge=1, le=1800)] = 15.0

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.pods is None) == (self.percent is None):
            raise ValueError("takes pods or percent, one of them")
        return self


class ScalingDirection(SettingsPart):
    """How to go up, or down: what is wanted must have been wanted for `window_s`, and `select` says which policy holds:
    the one that allows the most, the least, or `disabled`, no step at all. What is left out is as Kubernetes has it."""

    window_s: Annotated[float, BeforeValidator(timed), Field(ge=0, le=3600)] | None = None
    policies: Annotated[tuple[ScalingPolicy, ...], BeforeValidator(listed)] = ()
    select: Literal["max", "min", "disabled"] = "max"


class BehaviorSettings(SettingsPart):
    """How fast an autoscaler goes each way."""

    up: ScalingDirection | None = None
    down: ScalingDirection | None = None


class AutoscalingSettings(SettingsPart):
    """Replicas between `min` and `max`; `cpu` and `memory` are the wanted use in percent of the request."""

    min: Count = 1
    max: Count = 4
    cpu: Annotated[float, Field(gt=0)] | None = None
    memory: Annotated[float, Field(gt=0)] | None = None
    behavior: BehaviorSettings | None = None
    fast: bool = False

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.cpu is None and self.memory is None:
            raise ValueError("needs cpu or memory, the wanted use in percent of the request")
        return self
