"""A project that serves here and trains on a compute cluster of a stand-in for Azure ML, by the real command."""

from pathlib import Path
from typing import Any

import yaml

from tests.azure.blobs import DOMAIN
from tests.azure.job import AzureJob
from tests.azure.standin import AzureStandIn
from tests.story.kills_scene import QUICK, Scene

LONG = ("train.n_iter=2000", "train.cv_folds=10")
"""A search that takes longer than any test of its end."""
ALONE = ("--skip", "deploy", "--skip", "load")


class TrainingScene(Scene):
    """The project, with the way to its workspace in its variables."""

    def __init__(self, folder: Path, azure: AzureStandIn, *sets: str) -> None:
        super().__init__(folder, (*QUICK, *sets))
        self.azure = azure

    def environ(self, **more: str) -> dict[str, str]:
        """With the workspace, and how to log in there."""
        return super().environ(**self.azure.environment(), **more)

    def furnish(self, **cluster: Any) -> None:
        """Write where it trains into its settings."""
        path = self.folder / "quarterdeck.yaml"
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings["train"] = {**(settings.get("train") or {}), "on": "azureml"}
        cloud = {"resource_manager": self.azure.url, "authority": self.azure.url, "storage": DOMAIN}
        settings["azureml"] = {"cloud": cloud, "poll_s": 0.2, "look_s": 0.2, "cluster": cluster}
        settings["thresholds"] = {"max_regression_percent": 50}
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def job(self) -> AzureJob | None:
        """The one job that there is; None before it."""
        return next(iter(self.azure.do(lambda: [*self.azure.jobs.held.values()])), None)

    def kept(self) -> list[str]:
        """The jobs that are written down as not ended."""
        return sorted(path.stem for path in (self.folder / ".quarterdeck" / "azureml").rglob("jobs/*/*.json"))
