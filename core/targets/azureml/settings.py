"""What the Azure ML target adds to the settings: which workspace, which instances, how requests are taken."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from core.config.quantities import SettingsPart, listed, timed
from core.config.targets import TargetSettings
from core.domain.gates import DIFFERING, MIX, RESTARTS
from core.domain.plan import Patience, Shift, Step, UsualSpans
from core.targets.azureml.cluster_settings import AzureClusterSettings, usual_cluster
from core.targets.azureml.names import LONGEST, broken_rule, meeting
from core.targets.azureml.schedule import ZONES, AzureScheduleSettings, overlapping
from core.targets.azureml.variables import NAMED, Misread, workspace_from

_RULES = {
    "subscription": (
        re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        "its id, 00000000-0000-0000-0000-000000000000",
    ),
    "resource_group": (re.compile(r"[\w.()-]{1,90}"), "a group's name"),
    "workspace": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,32}"), "a workspace's name"),
}
_ENVIRONMENT = re.compile(r"-(dev|staging)$")
_UNTOLD = ("cpu_percent", "memory_percent", "unknown_percent", "out_of_range_percent", DIFFERING, MIX, RESTARTS)
_TYPE = re.compile(r"Standard_[A-Za-z0-9_-]{1,60}", re.IGNORECASE)

Dollars = Annotated[float, Field(ge=0)]
Span = Annotated[float, BeforeValidator(timed), Field(gt=0)]


class AzureCloudSettings(SettingsPart):
    """Which Azure it is. `public`, `government` and `china` have their addresses; another one names all of its own."""

    name: Literal["public", "government", "china", "other"] = "public"
    resource_manager: str = ""
    authority: str = ""
    storage: str = ""
    scoring_scope: str = ""

    _KNOWN: ClassVar[Mapping[str, tuple[str, str, str, str]]] = {
        "public": (
            "https://management.azure.com",
            "https://login.microsoftonline.com",
            "core.windows.net",
            "https://ml.azure.com",
        ),
        "government": (
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
            "core.usgovcloudapi.net",
            "https://ml.azure.us",
        ),
        "china": (
            "https://management.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
            "core.chinacloudapi.cn",
            "https://ml.azure.cn",
        ),
    }

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        keys = ("resource_manager", "authority", "storage", "scoring_scope")
        known = cls._KNOWN.get(str(values.get("name", "public")), ("",) * 4)
        return {**dict(zip(keys, known, strict=True)), **values}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        keys = ("resource_manager", "authority")
        for key, usual in zip(keys, self._KNOWN["public"], strict=False):
            if not str(getattr(self, key)).startswith("https://"):
                raise ValueError(f"{key} should be an https address, such as {usual}")
        if not self.storage:
            raise ValueError("storage should be what stands behind an account's .blob., such as core.windows.net")
        return self


class AzureProbeSettings(SettingsPart):
    """How Azure looks at a container: first after `initial_s`, then every `period_s`, and so often before it acts."""

    initial_s: Annotated[float, BeforeValidator(timed), Field(ge=0)] = 10.0
    period_s: Span = 10.0
    timeout_s: Span = 5.0
    failures: Annotated[int, Field(ge=1, le=1000)] = 30


class AzureMLSettings(TargetSettings):
    """One workspace. What the file does not name is taken from `AZURE_SUBSCRIPTION_ID`, `AZURE_RESOURCE_GROUP` and
    `AZURE_WORKSPACE_NAME`, also of a `.env` beside it.

    `name` is the endpoint's in production, unique in its region over all customers; without it the endpoint is called
    as in the project. An instance takes `max_concurrent_requests` at once: our model answers one in a few ms, so that
    many wait for less than the timeout. `liveness` waits longer than a cold image takes. `prices` are of an instance's
    hour in dollars, for all regions or by region. An operation that goes on is asked for every `poll_s`, all else every
    `look_s`: a subscription has few reads.
    """

    subscription: str = ""
    resource_group: str = ""
    workspace: str = ""
    cloud: AzureCloudSettings = Field(default_factory=lambda: AzureCloudSettings.model_validate({}))
    name: str | None = None
    instance_type: str = "Standard_DS3_v2"
    request_timeout_s: Annotated[float, BeforeValidator(timed), Field(gt=0, le=180)] = 5.0
    max_concurrent_requests: Annotated[int, Field(ge=1, le=1000)] = 20
    liveness: AzureProbeSettings = AzureProbeSettings(initial_s=90.0)
    readiness: AzureProbeSettings = AzureProbeSettings()
    auth: Literal["key", "aad"] = "key"
    app_insights: bool = False
    image: str = "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference:latest"
    cluster: AzureClusterSettings = AzureClusterSettings()
    tags: Mapping[str, str] = Field(default_factory=dict)
    prices: Mapping[str, Dollars | Mapping[str, Dollars]] = Field(default_factory=dict)
    priced_on: str = ""
    schedule: Annotated[tuple[AzureScheduleSettings, ...], BeforeValidator(listed)] = ()
    timezone: str = "UTC"
    poll_s: Annotated[float, BeforeValidator(timed), Field(gt=0, le=300)] = 5.0
    look_s: Annotated[float, BeforeValidator(timed), Field(gt=0, le=600)] = 30.0
    call_s: Annotated[float, BeforeValidator(timed), Field(gt=0, le=300)] = 30.0

    @classmethod
    def usual(cls, environment: str, folder: Path, environ: Mapping[str, str]) -> Mapping[str, Any]:
        """A small instance in dev, two larger ones in prod; the workspace as variables name it."""
        size = {"instance_type": "Standard_DS2_v2"} if environment == "dev" else {}
        count = 2 if environment == "prod" else 1
        read = workspace_from(folder, environ)
        named = {key: Misread(one.fault) if one.fault else one.value for key, one in read.items()}
        return {"endpoint": {"replicas": count}, "azureml": {**size, "cluster": usual_cluster(environment), **named}}

    @classmethod
    def written_in(cls, folder: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
        """The variables of the workspace, in the shell or in a line of `.env`."""
        return {key: one.place for key, one in workspace_from(folder, environ).items()}

    @field_validator("subscription", "resource_group", "workspace", mode="before")
    @classmethod
    def _written(cls, value: Any, about: ValidationInfo) -> Any:
        if isinstance(value, Misread):
            raise ValueError(str(value))  # noqa: TRY004 - what pydantic takes for wrong
        rule, like = _RULES[about.field_name or ""]
        if isinstance(value, str) and value and not rule.fullmatch(value):
            raise ValueError(f"{value!r} should be {like}")
        return value

    @field_validator("name")
    @classmethod
    def _called(cls, name: str | None) -> str | None:
        if name is not None and (broken := broken_rule(name)):
            shown = repr(name) if len(name) <= LONGEST else f"{name[:20]}…"
            raise ValueError(f"{shown} {broken}")
        return name

    @field_validator("instance_type")
    @classmethod
    def _size(cls, instance_type: str) -> str:
        if not _TYPE.fullmatch(instance_type):
            raise ValueError(f"{instance_type!r} should be a size of Azure's, such as Standard_DS3_v2")
        return instance_type

    @field_validator("timezone")
    @classmethod
    def _zone(cls, timezone: str) -> str:
        if timezone not in ZONES:
            raise ValueError(f"{timezone!r} should be one of {', '.join(ZONES)}")
        return timezone

    @field_validator("schedule")
    @classmethod
    def _apart_in_time(cls, schedule: tuple[AzureScheduleSettings, ...]) -> tuple[AzureScheduleSettings, ...]:
        if why := overlapping(schedule):
            raise ValueError(why)
        return schedule

    @field_validator("tags")
    @classmethod
    def _tagged(cls, tags: Mapping[str, str]) -> Mapping[str, str]:
        for name, value in tags.items():
            if name.startswith("quarterdeck") or len(name) > 512 or len(value) > 256:
                raise ValueError(
                    f"{name!r} can't be a tag: ours begin with quarterdeck, and a value has 256 characters"
                )
        return tags

    @model_validator(mode="after")
    def _named(self) -> Self:
        for key, name in NAMED.items():
            if not getattr(self, key):
                raise ValueError(f"{key} is not set; write it here, or set {name}")
        return self

    @property
    def patience(self) -> Patience:
        """An instance, an image and a start take Azure 10 to 20 minutes, a change of traffic half a minute."""
        return Patience(deploy_s=2700.0, shift_s=300.0, back_s=1800.0, step_s=300.0, size_s=1200.0, call_s=180.0)

    @property
    def shared(self) -> bool:
        """Whoever has a role in the workspace may change what serves there."""
        return True

    @property
    def usual_spans(self) -> UsualSpans:
        """An instance and a start; the first deployment of an environment waits for its image as well."""
        return UsualSpans(deploy_s=600.0, shift_s=30.0)

    def unmeasured(self, metric: str) -> str:
        """What only containers know: Azure hands their counters to nobody."""
        if metric not in _UNTOLD:
            return ""
        return "Azure ML does not tell it of a deployment; take the gate out, or give it a source that knows"

    @property
    def uncounted(self) -> str:
        """Azure makes the copies, and keeps their answers to itself."""
        return "Azure ML says nothing of the answers to copies"

    @property
    def least(self) -> int:
        """None: the deployment goes, and its version is remembered until it is brought back."""
        return 0

    @property
    def where(self) -> str:
        """Subscription, group and workspace."""
        return f"{self.subscription[:8]}/{self.resource_group}/{self.workspace}"

    def cannot(self, step: Step) -> str:
        """Callers are told apart by nobody, and shares are whole points."""
        if isinstance(step, Shift) and step.sticky is not None:
            return f"on Azure ML no caller can be kept on a side; take {step.sticky.by} {step.sticky.name} out"
        percent = getattr(step, "percent", 0.0)
        if percent != int(percent):
            return f"Azure ML splits traffic by whole percents, so {percent:g} % can't be had; write a whole one"
        return ""

    def apart(self, names: Sequence[str]) -> str:
        """Endpoints whose names become one."""
        several = sorted({_ENVIRONMENT.sub("", name) for name in names})
        if self.name is not None and len(several) > 1:
            return f"azureml.name is {self.name} for {' and '.join(several)}; give each its own, or none"
        return meeting(names)


PART = AzureMLSettings
