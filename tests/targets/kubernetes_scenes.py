"""Projects for a cluster, as small as they may be."""

from pathlib import Path
from typing import Any

import yaml

from core.config.config import load
from core.config.settings import Settings
from core.domain.model import Version
from core.targets.kubernetes.labels import ClusterEndpoint, cluster_endpoint

IMAGE = f"registry.example:5000/models/late@sha256:{'0a' * 32}"
SEVEN = Version("late", "7", "run7", "models:/late/7", "d7")
PLACE = {"context": "stand-in", "namespace": "flights", "image": IMAGE}
GATEWAY = {"traffic": "gateway", "gateway": {"name": "front", "namespace": "flights"}}


def project(folder: Path, place: dict[str, Any] | None = None, **more: Any) -> Path:
    """A quarterdeck.yaml whose place is a cluster."""
    said: dict[str, Any] = {
        "data": {"source": "iris", "target": "species"},
        "endpoint": {"name": "late"},
        "target": "kubernetes",
        "kubernetes": {**PLACE, **(place or {})},
    }
    path = folder / "quarterdeck.yaml"
    path.write_text(yaml.safe_dump({**said, **more}), encoding="utf-8")
    return path


def settings_of(folder: Path, place: dict[str, Any] | None = None, env: str = "prod", **more: Any) -> Settings:
    """Its settings, of production where nothing else is said."""
    return load(project(folder, place, **more), env)


def endpoint_of(folder: Path, place: dict[str, Any] | None = None, **more: Any) -> ClusterEndpoint:
    """Its endpoint: `late`."""
    return cluster_endpoint(settings_of(folder, place, **more))
