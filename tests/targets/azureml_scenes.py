"""Projects for Azure ML, as small as they may be."""

from pathlib import Path
from typing import Any

import yaml

from core.config.config import load
from core.config.settings import Settings
from core.domain.model import Version
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
SEVEN = Version("late", "7", "run7", "models:/late/7", "d7")
PLACE = {"subscription": SUBSCRIPTION, "resource_group": "rg", "workspace": "ws"}


def project(folder: Path, place: dict[str, Any] | None = None, **more: Any) -> Path:
    """A quarterdeck.yaml whose place is a workspace."""
    said: dict[str, Any] = {
        "data": {"source": "iris", "target": "species"},
        "endpoint": {"name": "late"},
        "target": "azureml",
        "azureml": {**PLACE, **(place or {})},
    }
    path = folder / "quarterdeck.yaml"
    path.write_text(yaml.safe_dump({**said, **more}), encoding="utf-8")
    return path


def settings_of(folder: Path, place: dict[str, Any] | None = None, env: str = "prod", **more: Any) -> Settings:
    """Its settings, of production where nothing else is said."""
    return load(project(folder, place, **more), env, environ={})


def endpoint_of(folder: Path, place: dict[str, Any] | None = None, **more: Any) -> AzureEndpoint:
    """Its endpoint: `late`."""
    return azure_endpoint(settings_of(folder, place, **more))
