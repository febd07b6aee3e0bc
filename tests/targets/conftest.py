"""Endpoints on this machine for tests; whatever a test does to them, they are ended after it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from core.domain.model import Version
from core.targets.local.client import LocalTarget, stop
from tests.azure.standin import AzureStandIn
from tests.targets.azureml_places import AzurePlaceOf, pretending_workspace
from tests.targets.helpers import model_folder, spec_in

END_S = 20.0


def left_under(folder: Path) -> list[psutil.Process]:
    """Hosts, parents, replicas and routers of endpoints somewhere in a folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        for word in (process.info["cmdline"] or [])[2:5]
        if Path(word).is_relative_to(folder)
    ]


@pytest.fixture(scope="session", autouse=True)
def all_ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the end nothing of these tests is left; other tests may have projects that still serve."""
    yield
    mine = [
        path
        for path in tmp_path_factory.getbasetemp().resolve().iterdir()
        if path.name.startswith(("test_", "contract"))
    ]
    _, late = psutil.wait_procs([process for path in mine for process in left_under(path)], timeout=END_S)
    for process in late:
        process.kill()
    assert not late


class Endpoints:
    """Makes targets over endpoints in a folder; models by version number, plain ones unless said otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models: dict[str, Path] = {}
        self.made: list[LocalTarget] = []

    def model(self, number: str, **does: object) -> Path:
        """Say what a version does."""
        self.models[number] = model_folder(self.folder / f"model-{number}", **does)
        return self.models[number]

    async def fetch(self, version: Version) -> Path:
        """The folder of a version."""
        return self.models.get(version.number) or self.model(version.number)

    def target(self, token: int = 0, folder: Path | None = None, **more: object) -> LocalTarget:
        """A target with these settings."""
        self.made.append(LocalTarget(spec_in(folder or self.folder / "late", **more), self.fetch, token))
        return self.made[-1]

    async def end(self) -> None:
        """Close all and stop their hosts."""
        for target in self.made:
            await target.close()
        folders = {target.spec.folder for target in self.made if target.spec.folder.exists()}
        await asyncio.gather(*(stop(folder) for folder in folders))


@pytest.fixture
async def endpoints(tmp_path: Path) -> AsyncIterator[Endpoints]:
    """Endpoints of one test."""
    endpoints = Endpoints(tmp_path)
    yield endpoints
    await endpoints.end()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """A workspace of Azure ML, one for all tests of a file. Containers pretend: what they answer is not asked."""
    with pretending_workspace(tmp_path_factory.mktemp("azure")) as one:
        yield one


@pytest.fixture
async def place(azure: AzureStandIn, tmp_path: Path) -> AsyncIterator[AzurePlaceOf]:
    """An endpoint there; what its test does to Azure is over with it."""
    before = asdict(azure.delays)
    place = AzurePlaceOf(azure, tmp_path)
    yield place
    azure.take_back()
    for name, value in before.items():
        setattr(azure.delays, name, value)
    await place.close()
