"""The settings of one release: frozen models with their defaults and their limits. Reads no file."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from core.config.alerts import AlertSettings
from core.config.columns import Column
from core.config.images import ImageSettings
from core.config.quantities import Count, Names, Numbers, Percent, SettingsPart, Share, listed, timed
from core.config.serving import EndpointSettings, LoadSettings, ReleaseSettings
from core.config.targets import TargetSettings, target_names, target_parts
from core.domain.errors import Failed
from core.system.suggest import did_you_mean

EnvironmentName: TypeAlias = Literal["dev", "staging", "prod"]
Skippable: TypeAlias = Literal["train", "check", "deploy", "load"]
ModelKind: TypeAlias = Literal["xgboost", "forest", "linear"]
SAMPLES = ("flights", "iris", "support-tickets")
SQL = "sql"
"""The source of a project whose rows a query gives."""


class SqlSettings(SettingsPart):
    """A query and the database that it is asked of: its address, or the variable that holds it with its password."""

    query: str = Field(min_length=1)
    url: str | None = None
    url_env: str | None = None

    @field_validator("url")
    @classmethod
    def _public(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).password:
            raise ValueError("holds a password; put the address into a variable and name it in data.sql.url_env")
        return url


class DataSettings(SettingsPart):
    """Where rows come from. `source` is a sample's name, `sql`, or a file or folder of rows beside quarterdeck.yaml."""

    source: str = Field(min_length=1)
    target: str = Field(min_length=1)
    months: Numbers | None = None
    rows: Annotated[int, Field(ge=10)] | None = None
    drop: Names = ()
    split: Annotated[float, Field(gt=0, lt=1)] = 0.2
    random_state: Annotated[int, Field(ge=0)] = 42
    shuffle_labels: bool = False
    columns: dict[str, Column] = Field(default_factory=dict)
    max_unfit: Share = 0.05
    sql: SqlSettings | None = None

    @field_validator("months")
    @classmethod
    def _calendar(cls, months: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if months is not None and not (months and all(1 <= month <= 12 for month in months)):
            raise ValueError("months go from 1 to 12")
        return None if months is None else tuple(sorted(set(months)))


class FieldSettings(SettingsPart):
    """One field of the model. One that is not `required` is missing where a caller leaves it out."""

    required: bool = True


class TrainSettings(SettingsPart):
    """Which models compete to be the candidate, how long the search goes on, and by what they are judged.

    `on`: whose machines train; `azureml` is a job on the compute cluster of the workspace that `azureml:` names.

    `search`: random tries `n_iter` on all rows, halving on few rows and the best of them on more; auto is halving where
    rows are many.
    """

    on: Literal["local", "azureml"] = "local"
    models: Annotated[tuple[ModelKind, ...], BeforeValidator(listed)] = ("xgboost",)
    search: Literal["auto", "random", "halving"] = "auto"
    n_iter: Count = 20
    cv_folds: Annotated[int, Field(ge=2, le=50)] = 3
    random_state: Annotated[int, Field(ge=0)] = 42
    primary_metric: Literal["accuracy", "precision", "recall", "macro_f1", "log_loss"] = "macro_f1"
    deadline_s: Annotated[float, Field(gt=0)] = 1800.0

    @field_validator("models")
    @classmethod
    def _some(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        if not models:
            raise ValueError("names no model; some of xgboost, forest, linear")
        if len(set(models)) < len(models):
            raise ValueError("names a model twice")
        return models


class Thresholds(SettingsPart):
    """What a candidate must reach; precision and recall are averaged over the labels. None: not asked.

    `refuse_worse` fails one that is worse than the most common label for all rows, or than the baseline by more than
    chance; elsewhere that is only said.
    """

    min_accuracy: Share | None = None
    min_precision: Share | None = None
    min_recall: Share | None = None
    max_regression_percent: Percent = 2.0
    beat_baseline: bool = False
    refuse_worse: bool = False
    significance: Annotated[float, Field(gt=0, lt=1)] | None = None
    max_latency_ms: Annotated[float, Field(gt=0)] = 100.0


class RegistrySettings(SettingsPart):
    """Where models are kept; None: SQLite in the project's folder.

    `experiment` holds the runs, as the model is called where none is named; `tags` go to each version. With
    `wheels_only` no package that a registered model asks for is built here, which would run its author's code.
    """

    tracking_uri: Annotated[str, Field(min_length=1)] | None = None
    experiment: Annotated[str, Field(min_length=1)] | None = None
    tags: Mapping[str, str] = Field(default_factory=dict)
    wheels_only: bool = True

    @field_validator("tracking_uri")
    @classmethod
    def _public(cls, uri: str | None) -> str | None:
        if uri is not None and urlsplit(uri).password:
            raise ValueError("holds a password; put the address into MLFLOW_TRACKING_URI instead")
        return uri


class PromoteSettings(SettingsPart):
    """Where a version must have served before it comes here: in the environment before this one, or `anywhere`, which
    is nowhere in particular."""

    after: Literal["dev", "staging", "prod", "anywhere"] | None = None


class RetentionSettings(SettingsPart):
    """How long things are kept. Telemetry goes after so many days, what was decided never; `runs` counts folders."""

    telemetry_days: Annotated[float, Field(ge=1, le=3650)] = 14.0
    runs: Annotated[int, Field(ge=1, le=100_000)] = 50


class DrillSettings(SettingsPart):
    """How old the last proof of the way back may be before it is said, and how many users the drill sends."""

    max_age_s: Annotated[float, BeforeValidator(timed), Field(gt=0)] = 30 * 86400.0
    users: Count = 5


class ObjectivesSettings(SettingsPart):
    """What the team wants of its releases: at least so many a week, and at most so long, so often and so slow.

    `lead_s` is from the begin of a version to all traffic, `restore_s` from the first sign to restored, both medians.
    """

    releases_a_week: Annotated[float, Field(gt=0)] | None = None
    lead_s: Annotated[float, Field(gt=0)] | None = None
    failed_percent: Percent | None = None
    restore_s: Annotated[float, Field(gt=0)] | None = None
    rollback_ms: Annotated[float, Field(gt=0)] | None = None


class BaseSettings(SettingsPart):
    """All that a release in one environment needs to know; `folder` is where quarterdeck.yaml lies, `floors_from` says
    of each threshold that is set where. `read_only`: nothing may be asked of this environment, only looked at.

    `target` is the kind of place that serves, and under its name stands what that one needs.

    `approve`: whether a person must agree before users' traffic moves; `ci` is the consent of whoever owns the file to
    what runs without one. `skip` are steps that are left out.
    """

    folder: Path
    floors_from: Mapping[str, str] = Field(default_factory=dict)
    environment: EnvironmentName = "dev"
    production: bool = False
    read_only: bool = False
    approve: Literal["nobody", "person", "ci"] | None = None
    skip: Annotated[tuple[Skippable, ...], BeforeValidator(listed)] = ()
    model: str = ""
    target: str = "local"
    data: DataSettings
    fields: Mapping[str, FieldSettings] = Field(default_factory=dict)
    train: TrainSettings = TrainSettings()
    thresholds: Thresholds = Thresholds()
    endpoint: EndpointSettings
    image: ImageSettings = ImageSettings()
    release: ReleaseSettings = ReleaseSettings()
    load: LoadSettings = LoadSettings()
    promote: PromoteSettings = PromoteSettings()
    registry: RegistrySettings = RegistrySettings()
    retention: RetentionSettings = RetentionSettings()
    objectives: ObjectivesSettings = ObjectivesSettings()
    drill: DrillSettings = DrillSettings()
    alerts: AlertSettings = AlertSettings()

    @field_validator("model")
    @classmethod
    def _plain(cls, model: str) -> str:
        if "/" in model or ":" in model:
            raise ValueError(f"{model!r} should not hold / or :, which part the registry's addresses")
        if not model.isprintable():
            raise ValueError(f"{model!r} holds characters that can't be seen")
        return model

    @field_validator("target")
    @classmethod
    def _there(cls, target: str) -> str:
        if target not in (known := target_names()):
            raise ValueError(f"{target!r} is none of {', '.join(known)}{did_you_mean(target, known)}")
        return target

    @model_validator(mode="before")
    @classmethod
    def _placed(cls, values: object) -> object:
        """What the target needs is asked for under its name, also where nothing stands there; so is what trains."""
        if not isinstance(values, dict):
            return values
        needed = [name for name in places_of(values) if name in target_names()]
        return {**values, **{name: {} if values.get(name) is None else values[name] for name in needed}}

    @property
    def place(self) -> TargetSettings:
        """What the project says of the place that serves."""
        part = getattr(self, self.target)
        assert isinstance(part, TargetSettings)  # noqa: S101 - see `_placed`
        return part

    @property
    def places(self) -> tuple[str, ...]:
        """The targets that a release needs: what serves, and what trains where that is not this machine."""
        return (self.target,) if self.train.on in ("local", self.target) else (self.target, self.train.on)

    @property
    def where(self) -> str:
        """The place that serves, as it stands on the screen: `local`, `kubernetes CONTEXT/NAMESPACE`."""
        return f"{self.target} {self.place.where}".strip()

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: object) -> object:
        """The model is called as its endpoint where nothing else is said."""
        if isinstance(values, dict) and not values.get("model") and isinstance(values.get("endpoint"), dict):
            return {**values, "model": values["endpoint"].get("name") or ""}
        return values

    @field_validator("release")
    @classmethod
    def _limited(cls, release: ReleaseSettings, info: ValidationInfo) -> ReleaseSettings:
        """What is judged in percent of a limit needs that limit."""
        endpoint = info.data.get("endpoint")
        for gate in release.all_gates:
            part = {"cpu_percent": "cpu", "memory_percent": "memory"}.get(gate.metric, "")
            if part and endpoint is not None and getattr(endpoint, part) is None:
                raise ValueError(f"gates: {gate.metric} is in percent of endpoint.{part}, which is not set")
        return release

    def dump(self) -> str:
        """As JSON, for a child process."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_dump(cls, text: str) -> Self:
        """Back from `dump`, of another version's too: what this one does not know is left out. Raises Failed."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            unknown = [wrong["loc"] for wrong in error.errors() if wrong["type"] == "extra_forbidden"]
            if len(unknown) == error.error_count():
                with contextlib.suppress(ValidationError, KeyError, TypeError, IndexError):
                    return cls.model_validate_json(_without(text, unknown))
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            why = f"its settings are of another version of Quarterdeck: {where}: {error.errors()[0]['msg']}"
            raise Failed(f"{why}; install that one, or release again") from error


def places_of(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The targets whose part a project's values need: what serves, and what trains where that is another one."""
    train = values.get("train")
    trains = train.get("on") if isinstance(train, Mapping) else getattr(train, "on", None)
    return tuple(dict.fromkeys((str(values.get("target", "local")), str(trains or "local"))))


if TYPE_CHECKING:
    Settings: TypeAlias = BaseSettings
else:
    # Each target adds its part under its own name.
    _PARTS = {name: (part | None, None) for name, part in target_parts().items()}
    Settings = create_model("Settings", __base__=BaseSettings, __doc__=BaseSettings.__doc__, **_PARTS)


def _without(text: str, places: Sequence[Sequence[str | int]]) -> str:
    """JSON without what stands at these places."""
    values = json.loads(text)
    for *path, last in places:
        part = values
        for name in path:
            part = part[name]
        del part[last]
    return json.dumps(values)
