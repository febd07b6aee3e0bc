"""The compute cluster of a workspace: what trains there, and how large it may get."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from core.config.quantities import SettingsPart, timed

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])")
_SIZE = re.compile(r"Standard_[A-Za-z0-9_-]{1,60}", re.IGNORECASE)


class AzureClusterSettings(SettingsPart):
    """Nodes of one size between `min_nodes` and `max_nodes`; one of low priority is cheap, and Azure may take it away.

    A job waits at most `wait_s` for its node. `image` is what the packages for training are put upon.
    """

    name: str = "cpu-cluster"
    size: str = "Standard_D4s_v3"
    min_nodes: Annotated[int, Field(ge=0, le=1000)] = 0
    max_nodes: Annotated[int, Field(ge=1, le=1000)] = 4
    priority: Literal["low", "dedicated"] = "dedicated"
    wait_s: Annotated[float, BeforeValidator(timed), Field(gt=0, le=86400)] = 3600.0
    image: str = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"

    @field_validator("name")
    @classmethod
    def _called(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} should be 2 to 32 letters, digits and dashes, a letter first")
        return name

    @field_validator("size")
    @classmethod
    def _sized(cls, size: str) -> str:
        if not _SIZE.fullmatch(size):
            raise ValueError(f"{size!r} should be a size of Azure's, such as Standard_D4s_v3")
        return size

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"min_nodes {self.min_nodes} is above max_nodes {self.max_nodes}")
        return self

    @property
    def words(self) -> str:
        """Which nodes they are: `Standard_D4s_v3, low priority`."""
        return f"{self.size}, {'low priority' if self.priority == 'low' else self.priority}"


def usual_cluster(environment: str) -> Mapping[str, Any]:
    """Nodes that cost nothing while nobody trains in dev, some that are always there in prod."""
    if environment == "prod":
        return {"size": "Standard_DS3_v2", "min_nodes": 2, "max_nodes": 10, "priority": "dedicated"}
    return {"priority": "low"} if environment == "dev" else {}
