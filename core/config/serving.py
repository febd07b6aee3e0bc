"""The settings of serving: the endpoint, how traffic moves to a new version, the load test."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, field_validator, model_validator

from core.config.gates import GATES, GateSettings, one_of_each_name
from core.config.quantities import (
    Count,
    HoldSeconds,
    Name,
    Numbers,
    Percent,
    Seconds,
    SettingsPart,
    listed,
    timed,
    to_bytes,
    to_cpu_m,
    worded,
)
from core.config.scaling import AutoscalingSettings
from core.config.written_plan import step_of
from core.domain.errors import BadInput
from core.domain.model import Sticky, StickyBy
from core.domain.strategies import MIRROR_MOST


class EndpointSettings(SettingsPart):
    """The service. `cpu` and `memory` are one replica's, `pyfunc_memory` of one with a model that its own packages run,
    which hold some hundred MB by themselves; `key_env` names a variable, never the key."""

    name: Name
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    replicas: Count = 2
    cpu: Annotated[str, BeforeValidator(worded)] | None = "500m"
    memory: Annotated[str, BeforeValidator(worded)] | None = "256Mi"
    pyfunc_memory: Annotated[str, BeforeValidator(worded)] | None = "1Gi"
    key_env: str | None = None
    ready_deadline_s: Annotated[float, Field(gt=0)] = 30.0
    drain_s: Seconds = 5.0
    autoscaling: AutoscalingSettings | None = None

    @field_validator("cpu")
    @classmethod
    def _cores(cls, cpu: str | None) -> str | None:
        if cpu is not None:
            to_cpu_m(cpu)
        return cpu

    @field_validator("memory", "pyfunc_memory")
    @classmethod
    def _size(cls, memory: str | None) -> str | None:
        if memory is not None:
            to_bytes(memory)
        return memory

    @field_validator("key_env")
    @classmethod
    def _variable(cls, key_env: str | None) -> str | None:
        # A key pasted here by mistake is not repeated: this line goes to screens and logs.
        if key_env is not None and not re.match(r"^[A-Z_][A-Z0-9_]*$", key_env):
            raise ValueError("should be the name of a variable, such as LATE_API_KEY, never the key")
        return key_env

    def carried(self, key: str) -> str:
        """A key that a header carries; raises BadInput for another, which it does not repeat."""
        if not key.isascii() or not key.isprintable() or key != key.strip():
            text = "holds a key that HTTP can't carry; take one of printable ASCII without blanks around it"
            raise BadInput(f"endpoint.key_env: the variable {self.key_env} {text}")
        return key

    @property
    def deployed(self) -> int:
        """So many replicas a slot is deployed with: within the autoscaler's bounds."""
        scaling = self.autoscaling
        return self.replicas if scaling is None else min(max(self.replicas, scaling.min), scaling.max)

    @model_validator(mode="after")
    def _measurable(self) -> Self:
        for metric in ("cpu", "memory"):
            if self.autoscaling and getattr(self.autoscaling, metric) and getattr(self, metric) is None:
                raise ValueError(f"autoscaling.{metric} is in percent of endpoint.{metric}, which is not set")
        return self

    @property
    def cpu_m(self) -> int | None:
        """What one replica may use, in thousandths of a core; None: no limit."""
        return None if self.cpu is None else to_cpu_m(self.cpu)

    @property
    def memory_bytes(self) -> int | None:
        """What one replica may hold, in bytes; None: no limit."""
        return None if self.memory is None else to_bytes(self.memory)

    @property
    def pyfunc_memory_bytes(self) -> int | None:
        """What a replica may hold whose model its own packages run, in bytes; None: no limit."""
        return None if self.pyfunc_memory is None else to_bytes(self.pyfunc_memory)

    @property
    def memory_mb(self) -> float | None:
        """What one replica may hold, in millions of bytes; None: no limit."""
        return None if self.memory is None else to_bytes(self.memory) / 1e6


class Background(SettingsPart):
    """Load that runs while traffic moves, so that gates have something to judge; 0 users: none."""

    users: Annotated[int, Field(ge=0)] = 10
    spawn_rate: Annotated[float, Field(gt=0)] = 5.0


class SmokeLimits(SettingsPart):
    """What the smoke test of a new slot must show: milliseconds at most, right answers at least."""

    p50_ms: Annotated[float, Field(gt=0)] = 500.0
    p95_ms: Annotated[float, Field(gt=0)] = 2000.0
    p99_ms: Annotated[float, Field(gt=0)] = 3000.0
    success_percent: Percent = 95.0


class AbSettings(SettingsPart):
    """A fixed split of the traffic, in percent for the new version, held for a time; callers stay on their side by a
    header or a cookie of theirs, where one is named."""

    split: Annotated[float, Field(gt=0, lt=100)] = 50.0
    hold_s: HoldSeconds = 3600.0
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] | None = None
    cookie: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.header and self.cookie:
            raise ValueError("takes header or cookie, not both")
        return self

    @property
    def sticky(self) -> Sticky | None:
        """By what callers stay on their side; None: each request by chance."""
        if self.header:
            return Sticky(StickyBy.HEADER, self.header)
        return Sticky(StickyBy.COOKIE, self.cookie) if self.cookie else None


Strategy: TypeAlias = Literal["canary", "blue-green", "gradual-blue-green", "shadow", "ab", "all-at-once"]
KEPT_S: Mapping[str, float] = {"canary": 0.0, "shadow": 0.0}
"""For so long what served before is kept where nothing is set, by strategy; else a day."""
DAY_S = 86400.0


class ReleaseSettings(SettingsPart):
    """How traffic moves. `steps` are percents of traffic, `smoke` requests at 0 %, `mirror` the percents that a shadow
    gets a copy of, `max_differing` those of the copies that it may answer otherwise.

    Comparisons with the live slot stop a release that is no worse with a chance of `false_stop_percent` at most, over
    all its gates and holds, and forgive a trouble of one slot that lasts up to `burst_s`: one that stays is seen about
    so many seconds later.

    For `warm_up_s` after its first requests a new slot is judged for an outage alone; the first hold begins after that.

    `gates` stand in place of the usual ones, `more_gates` beside them. `plan` are the steps themselves, in place of a
    strategy's. `retire_after_s`: for how long what served before is
    kept, or never removed. `allow_breaking` releases a version that callers of the one that serves can't go on with.
    """

    strategy: Strategy = "canary"
    plan: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    steps: Numbers = (10, 50, 100)
    mirror: Annotated[float, Field(gt=0, le=MIRROR_MOST)] = 20.0
    max_differing: Percent = 5.0
    ab: AbSettings = AbSettings()
    hold_s: HoldSeconds = 600.0
    warm_up_s: Annotated[Seconds, Field(le=3600)] = 0.0
    false_stop_percent: Annotated[float, Field(gt=0, le=20)] = 1.0
    burst_s: Annotated[float, BeforeValidator(timed), Field(ge=1, le=300)] = 20.0
    retire_after_s: Seconds | Literal["never"] | None = None
    smoke: Count = 50
    smoke_limits: SmokeLimits = SmokeLimits()
    gates: Annotated[tuple[GateSettings, ...], BeforeValidator(listed)] = GATES
    more_gates: Annotated[tuple[GateSettings, ...], BeforeValidator(listed)] = ()
    background: Background = Background()
    allow_breaking: bool = False

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if not steps or steps[0] < 1 or steps[-1] != 100 or list(steps) != sorted(set(steps)):
            raise ValueError("steps rise and end at 100, such as [10, 50, 100]")
        return steps

    @model_validator(mode="after")
    def _named(self) -> Self:
        one_of_each_name(self.all_gates)
        return self

    @property
    def all_gates(self) -> tuple[GateSettings, ...]:
        """What a hold asks: the usual gates, or those in their place, and more beside them."""
        return (*self.gates, *self.more_gates)

    @field_validator("plan")
    @classmethod
    def _written(cls, plan: tuple[str, ...]) -> tuple[str, ...]:
        for line in plan:
            step_of(line)
        return plan

    @property
    def kept_s(self) -> float | None:
        """For how long what served before is kept; None: until somebody removes it."""
        if self.retire_after_s == "never":
            return None
        return KEPT_S.get(self.strategy, DAY_S) if self.retire_after_s is None else self.retire_after_s


class LoadLimits(SettingsPart):
    """What the load test must stay under."""

    failed_percent: Percent = 1.0
    median_ms: Annotated[float, Field(gt=0)] = 500.0
    p95_ms: Annotated[float, Field(gt=0)] = 2000.0


class LoadSettings(SettingsPart):
    """The load test after full traffic; `users`, `spawn_rate` and `duration_s` override the profile's."""

    profile: str = Field("steady", min_length=1)
    users: Count | None = None
    spawn_rate: Annotated[float, Field(gt=0)] | None = None
    duration_s: Annotated[float, Field(gt=0)] | None = None
    locustfile: str | None = None
    processes: Count = 1
    web: bool = False
    limits: LoadLimits = LoadLimits()
