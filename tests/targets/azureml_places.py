"""Endpoints in a stand-in for Azure ML, whose deployments are real processes, for tests of the target."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.config.config import load
from core.domain.model import Version
from core.targets.azureml.client import AzureMLTarget
from core.targets.azureml.credentials import AccessToken
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint
from tests.azure.blobs import DOMAIN
from tests.azure.instances import Instances
from tests.azure.standin import AzureStandIn
from tests.images.small import linear
from tests.targets.azureml_scenes import project

NUMBERS = itertools.count(1)
ROW = json.dumps({"dataframe_records": [{"left": 1, "right": 2}]}).encode()


@contextmanager
def serving_workspace(folder: Path) -> Iterator[AzureStandIn]:
    """A stand-in that is quick; what a test left behind of faults is taken back by it."""
    with AzureStandIn(folder) as azure:
        azure.delays.endpoint_s = azure.delays.traffic_s = 0.1
        azure.delays.deployment_s = azure.delays.delete_s = 0.1
        yield azure
        assert azure.troubles == []


@contextmanager
def pretending_workspace(folder: Path) -> Iterator[AzureStandIn]:
    """One whose containers pretend: what they answer is not asked."""
    with pytest.MonkeyPatch.context() as patch, serving_workspace(folder) as azure:
        patch.setattr(Instances, "plan", lambda self, _: self.pretended())
        yield azure


class AzurePlaceOf:
    """One endpoint of a workspace, and targets over it, each a driver with its token."""

    def __init__(self, azure: AzureStandIn, folder: Path, endpoint: dict[str, Any] | None = None, **place: Any) -> None:
        self.azure = azure
        self.folder = folder
        self.name = f"late-{next(NUMBERS)}"
        self.made: list[AzureMLTarget] = []
        said = {
            "subscription": azure.place.subscription,
            "resource_group": azure.place.group,
            "workspace": azure.place.name,
            "name": self.name,
            "cloud": {"resource_manager": azure.url, "storage": DOMAIN},
            "poll_s": 0.05,
            "look_s": 0.5,
            **place,
        }
        self.at: AzureEndpoint = azure_endpoint(
            load(project(folder, said, endpoint=endpoint or {"name": "late"}), "prod", environ={}),
            {"SSL_CERT_FILE": str(azure.ca)},
        )
        self.model = linear(folder / "model")

    async def models(self, version: Version) -> Path:
        """Every version is the same small model, in a folder of its own."""
        folder = self.folder / "models" / version.number
        if not folder.is_dir():
            linear(folder)
            about = json.loads((folder / "model.json").read_text())
            (folder / "model.json").write_text(json.dumps({**about, "target": f"side{version.number}"}))
        return folder

    def token(self, _: str) -> AccessToken:
        """Of whoever is logged in, for any scope."""
        return AccessToken(self.azure.token, time.time() + 3600)

    def target(self, token: int) -> AzureMLTarget:
        """One driver's."""
        made = AzureMLTarget(self.at, self.models, token, row=lambda _: ROW, source=self.token)
        self.made.append(made)
        return made

    async def close(self) -> None:
        """End every target, and let the endpoint go."""
        for target in self.made:
            await target.close()
