"""A version's model as MLflow keeps it, whole, out of the registry."""

import shutil
import tempfile
from pathlib import Path

import mlflow

from core.config.settings import Settings
from core.work.registry import answering, connect

OF_HERE = ("registered_model_meta", "__pycache__")
"""Which version it is in this registry is none of its files."""


def copied(settings: Settings, uri: str, folder: Path) -> None:
    """Its files, `MLmodel` among them, into a folder; raises Failed."""
    registry = connect(settings)
    with answering(registry.shown), tempfile.TemporaryDirectory() as scratch:
        where = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=scratch)
        shutil.copytree(where, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*OF_HERE))
