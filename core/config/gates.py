"""The settings of gates: what a hold asks, and of whom where a figure is measured elsewhere."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from core.config.quantities import Seconds, SettingsPart
from core.domain.gates import COMPARED, LIVE, MEASURED, MIX, RESTARTS, Gate
from core.domain.judging import idle
from core.domain.sources import PLACES, MetricSource, places
from core.elsewhere.kinds import KINDS
from core.system.suggest import did_you_mean

WINDOW_S = (5.0, 3600.0)
"""Shorter than that it holds too few seconds to judge by; of a longer one not every second could be kept."""
MOST_SOURCES = 20
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
_VARIABLE = re.compile(r"^[A-Z_][A-Z0-9_]*$")


class SourceSettings(SettingsPart):
    """Who is asked for a figure: a Prometheus for the value of a `query`, or an address for the number that stands at
    the path `query` of its JSON. `{{endpoint}}`, `{{slot}}` and `{{version}}` are filled into both.

    `token_env` names a variable with a bearer token, never the token; a value older than `max_age_s` is none.
    """

    kind: str
    url: str
    query: Annotated[str, Field(min_length=1, max_length=4000)]
    time: str = ""
    token_env: str = ""
    ca: str = ""
    every_s: Annotated[Seconds, Field(ge=1, le=300)] = 5.0
    max_age_s: Annotated[Seconds, Field(ge=1, le=86400)] = 60.0
    timeout_s: Annotated[Seconds, Field(gt=0, le=10)] = 3.0

    @field_validator("kind")
    @classmethod
    def _registered(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}{did_you_mean(kind, KINDS)}")
        return kind

    @field_validator("token_env")
    @classmethod
    def _variable(cls, name: str) -> str:
        # A token pasted here by mistake is not repeated: this line goes to screens and logs.
        if name and not _VARIABLE.match(name):
            raise ValueError("should be the name of a variable, such as PROMETHEUS_TOKEN, never the token")
        if name.startswith("QUARTERDECK_"):
            raise ValueError(f"{name} would be read as a setting; call it otherwise")
        return name

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("is no address; write http://host:port/path") from None
        if "@" in parts.netloc:
            raise ValueError("holds a login; name a variable with a bearer token in token_env instead")
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError(f"{url[:60]!r} is no address; write http://host:port/path")
        if "{" in parts.netloc:
            raise ValueError("takes names in double braces in its path alone: whom to ask must stand there")
        return url

    @field_validator("url", "query")
    @classmethod
    def _fillable(cls, text: str) -> str:
        unknown = [name for name in places(text) if name not in PLACES]
        if unknown:
            known = ", ".join(f"{{{{{name}}}}}" for name in PLACES)
            raise ValueError(
                f"{{{{{unknown[0]}}}}} can't be filled in; one of {known}{did_you_mean(unknown[0], PLACES)}"
            )
        return text

    @model_validator(mode="after")
    def _asked(self) -> Self:
        KINDS[self.kind].check(self.named(""))
        return self

    def named(self, name: str) -> MetricSource:
        """The source, under the name of its metric."""
        return MetricSource(name=name, **self.model_dump())


class GateSettings(SettingsPart):
    """A question that a hold asks; with `against: live` the limit is a change in percent of that slot's, for a share
    that is judged by what is surely so a change in points. With a `source` the metric is measured there, under a name
    of yours, and `at_least` counts its values.
    """

    source: SourceSettings | None = None
    metric: str
    op: Literal["<", "<=", ">", ">="] = "<"
    limit: float
    against: Literal["live"] | None = None
    window_s: Seconds = 0.0
    at_least: Annotated[int, Field(ge=0)] = 20
    failures: Annotated[int, Field(ge=0)] = 0
    dry_run: bool = False

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, values: object) -> object:
        """One value of somebody else's is enough where nothing is said: it is made of many."""
        if isinstance(values, Mapping) and values.get("source") is not None and "at_least" not in values:
            return {**values, "at_least": 1}
        return values

    @field_validator("metric")
    @classmethod
    def _measured(cls, metric: str, info: ValidationInfo) -> str:
        if "source" not in info.data:
            return metric  # What is wrong with that is said first.
        if info.data["source"] is None and metric not in MEASURED:
            near = did_you_mean(metric, MEASURED)
            raise ValueError(f"{metric!r} is not measured here; one of {', '.join(MEASURED)}{near}")
        if info.data["source"] is not None and (metric in MEASURED or not _NAME.match(metric)):
            why = "is measured here" if metric in MEASURED else "is no name"
            raise ValueError(f"{metric!r} {why}; call what the source measures otherwise, such as conversion_percent")
        return metric

    @field_validator("window_s")
    @classmethod
    def _kept(cls, window_s: float) -> float:
        low, high = WINDOW_S
        if window_s and not low <= window_s <= high:
            raise ValueError(f"{window_s:g} s: a window lasts {low:g} to {high:g} s; 0 is the whole hold, however long")
        return window_s

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if self.source is not None:
            return self._elsewhere(self.source)
        below = self.op in ("<", "<=")
        if why := idle(self.gate()):
            raise ValueError(why)
        if self.metric == MIX and self.against != LIVE:
            raise ValueError(f"{MIX} is how the labels of two slots differ: add 'against: {LIVE}'")
        if self.metric == RESTARTS and (self.against or self.window_s or not below):
            raise ValueError(
                f"{RESTARTS} counts those of the new slot in the whole hold: 'limit: 3' alone says how many"
            )
        if self.against and self.metric in COMPARED and (self.window_s or self.limit < 0):
            raise ValueError(f"{self.metric} against live is asked of the whole hold, with a limit of 0 or more")
        return self

    def _elsewhere(self, source: SourceSettings) -> Self:
        if self.against and not source.named("").by_slot:
            raise ValueError(
                "against live asks for each slot: put {{slot}} or {{version}} into the source's query or url"
            )
        most = max(1, int(self.window_s / source.every_s)) if self.window_s else 100
        if self.at_least > most:
            within = f"{self.window_s:g} s" if self.window_s else "a hold"
            raise ValueError(f"at_least {self.at_least}: of {within} at most {most} values are kept")
        return self

    def gate(self) -> Gate:
        """The gate; who is asked for its figure stands in the plan."""
        said = self.model_dump(exclude={"source"})
        if self.source is None:
            return Gate(**said)
        return Gate(**said, source=self.source.named("").where, max_age_s=self.source.max_age_s)


def sources_of(gates: tuple[GateSettings, ...]) -> tuple[MetricSource, ...]:
    """Who is asked for what, each once."""
    return tuple(dict.fromkeys(gate.source.named(gate.metric) for gate in gates if gate.source is not None))


GATES = (
    GateSettings(metric="failed_percent", op="<", limit=5.0),
    GateSettings(metric="success_percent", op=">=", limit=95.0),
    GateSettings(metric="failed_percent", op="<", limit=0.5, against="live"),
    GateSettings(metric="unprocessable_percent", op="<", limit=5.0, against="live"),
    GateSettings(metric="p50_ms", op="<", limit=500.0),
    GateSettings(metric="p95_ms", op="<", limit=2000.0),
    GateSettings(metric="p50_ms", op="<", limit=25.0, against="live"),
    GateSettings(metric="p95_ms", op="<", limit=25.0, against="live"),
    GateSettings(metric="p99_ms", op="<", limit=25.0, against="live", dry_run=True),
)
"""What a hold asks where nothing is set. A p99 is shown and stops nothing: its few slow answers are few events."""


def one_of_each_name(gates: tuple[GateSettings, ...]) -> None:
    """Raise ValueError where one name stands for two figures."""
    found: dict[str, SourceSettings] = {}
    for gate in gates:
        if gate.source is not None and found.setdefault(gate.metric, gate.source) != gate.source:
            raise ValueError(f"{gate.metric} is asked of two sources; give each its own name")
    if len(found) > MOST_SOURCES:
        raise ValueError(f"{len(found)} sources; at most {MOST_SOURCES} are asked")
